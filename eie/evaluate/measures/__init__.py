"""How good a result is: one table of all measures, and what takes them."""
