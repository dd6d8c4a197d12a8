"""Photos in and out: PNG, JPEG, WebP and TIFF through Pillow; BMP, AVIF and HEIC are read, too."""

from __future__ import annotations

from eie.files.photo import CHANNELS, Photo
from eie.files.reading import read_photo
from eie.files.writing import (
    FORMATS,
    QUALITY,
    check_alpha,
    check_quality,
    check_size,
    encode_photo,
    photo_format,
    write_photo,
)

__all__ = [
    "CHANNELS",
    "FORMATS",
    "QUALITY",
    "Photo",
    "check_alpha",
    "check_quality",
    "check_size",
    "encode_photo",
    "photo_format",
    "read_photo",
    "write_photo",
]
