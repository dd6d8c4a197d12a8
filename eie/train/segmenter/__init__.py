"""Stage 0: the embedded segmenter."""
