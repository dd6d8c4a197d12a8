"""`eie train corrections`: how further clicks correct a selection."""
