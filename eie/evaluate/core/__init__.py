"""What every evaluation is run by: its cases, their results, and the store that keeps them."""
