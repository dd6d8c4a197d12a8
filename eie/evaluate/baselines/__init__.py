"""What eie is compared with."""
