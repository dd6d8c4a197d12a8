"""Stage 1: content encoder and light decoder (paper §3.2)."""
