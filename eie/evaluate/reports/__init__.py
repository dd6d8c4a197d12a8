"""What comes out: means in tables, JSON, CSV, plots, a page."""
