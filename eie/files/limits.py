"""Limits that photos and element files share."""

MAX_PIXELS = 178_000_000
"""Most pixels of a photo, and of all label maps of a file together; Pillow stops there too."""
