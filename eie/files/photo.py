"""A photo as a value: its pixels and what comes with them; how large one may be."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 178_000_000
"""Most pixels of a photo, and of all label maps of a file together; Pillow stops there too."""


CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's modes by the number of channels."""

# What Pillow and its codecs raise on damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError,
    RuntimeError, AttributeError, AssertionError, ArithmeticError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture and what comes with it.

    Attributes:
        pixels: (H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight
            alpha; upright.
        icc: the ICC profile, or None.
        exif: the EXIF block ("Exif", two NULs, a TIFF header …) without orientation, or None.
        notes: what of its file could not be kept or was changed, in plain sentences.
        orientation: the EXIF orientation that has been applied, 1 to 8; 1 for none.
    """

    pixels: NDArray[np.uint8]
    icc: bytes | None = None
    exif: bytes | None = None
    notes: tuple[str, ...] = ()
    orientation: int = 1
