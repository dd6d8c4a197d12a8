"""Masks that people draw or other programs make: pictures, white on what is meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eie.elements import Canvas
from eie.errors import BadInputError


def read_mask(file: Path, canvas: Canvas) -> NDArray[np.bool_]:
    """Where a picture, stretched to the canvas, is white and not transparent.

    Returns:
        (H, W) bool.

    Raises:
        BadInputError: the picture cannot be read, or has other proportions than the canvas.
    """
    from eie.files.images import read_photo  # Pillow is wanted by masks only

    pixels = read_photo(file, str(file)).pixels  # (h, w, C) uint8
    height, width = pixels.shape[:2]
    # The same shape, but for a pixel that rounding may have cost a smaller copy.
    if abs(width * canvas.height - height * canvas.width) > max(canvas):
        raise BadInputError(
            f"the mask is {width}×{height}, the canvas {canvas.width}×{canvas.height}",
            where=str(file),
            hint="a mask must have the proportions of the canvas",
        )
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    brightness = pixels[..., :colours].sum(axis=2, dtype=np.uint16)  # (h, w)
    white = brightness >= 128 * colours
    if colours < pixels.shape[2]:
        white &= pixels[..., -1] >= 128
    lines = np.arange(canvas.height) * height // canvas.height
    columns = np.arange(canvas.width) * width // canvas.width
    stretched: NDArray[np.bool_] = white[np.ix_(lines, columns)]  # (H, W)
    return stretched
