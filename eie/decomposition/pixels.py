"""Photos as the segmenters want them: three colour channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError

_BEHIND = 128
"""Grey level that shows through transparent pixels."""


def check_photo(image: Any) -> NDArray[np.uint8]:
    """The photo as (H, W, C) uint8 array, C = 1 to 4; (H, W) is taken as grey.

    Raises:
        BadInputError: another type, number of axes or channels, or no pixels.
    """
    photo = np.asarray(image)
    if photo.ndim == 2:
        photo = photo[:, :, None]
    if photo.ndim != 3 or not 1 <= photo.shape[2] <= 4 or not photo.size:
        raise BadInputError(
            f"a photo has shape (height, width, 1 to 4 channels), not {np.shape(image)}"
        )
    if photo.dtype != np.uint8:
        raise BadInputError(
            f"a photo's pixels are uint8 from 0 to 255, not {photo.dtype}",
            hint="convert it, for example (255 * x).round().astype('uint8')",
        )
    return photo


def to_rgb(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Three channels of a photo: grey is repeated, alpha is laid over mid grey.

    Args:
        photo: (H, W, C) uint8, C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight alpha.

    Returns:
        (H, W, 3) uint8.
    """
    channels = photo.shape[2]
    colour = photo[:, :, : 3 if channels >= 3 else 1]
    if channels in (2, 4):
        alpha = photo[:, :, -1:].astype(np.uint16)
        colour = ((colour * alpha + _BEHIND * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colour, (*photo.shape[:2], 3)))
