"""What is judged: photos, what people saw in them, and edits whose result is known."""
