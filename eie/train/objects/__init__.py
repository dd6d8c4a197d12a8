"""The object head of a segmenter: what clicks stand for."""
