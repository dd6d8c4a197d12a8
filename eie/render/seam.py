"""The seam: how far around what is taken away the photo still shows it.

A photo's objects reach a little beyond their elements, by blur, compression and borders that miss
their rim. Filled from right outside, a removed object would leave its outline. But where the
surroundings are clean they are the best that is known about the hole, and are kept. Which is which
is told by a small network (:mod:`eie.models.seam_matting`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eie.render.pictures import Mask, Picture, Plane, Window, split_alpha, to_channels

MARGIN = 32
"""Pixels around the seam that are looked at."""

CLEAN, SPOILT = 0.3, 0.5
"""Likelihood of showing the object up to which a pixel is kept, and from which on it is made anew;
in between it is mixed."""

_TILE = 384
"""Side of the parts looked at at a time, so that memory does not grow with the picture."""


def spoilt(source: Picture, gone: Mask, seam: int) -> Plane:
    """(H, W) uint8, how far a pixel must be made anew: 255 where it is gone, 0 outside the seam.

    Args:
        source: (H, W, C) uint8.
        gone: (H, W) bool, what is taken away.
        seam: its greatest width in pixels.

    Raises:
        MissingModelError: the network's weights are not there.
    """
    import cv2

    plane: Plane = np.where(gone, np.uint8(255), np.uint8(0))
    far = cv2.distanceTransform((~gone).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    beside = ~gone & (np.asarray(far) <= seam)  # (H, W)
    if not beside.any() or not gone.any():
        return plane

    from eie.models.seam_matting import likelihood, load_seam_matting

    network = load_seam_matting()
    for tile in _tiles(beside):
        seen = tile.grown(MARGIN).clipped(Window.of(gone))
        colour, _ = split_alpha(source[seen.slices])
        likely = likelihood(network, to_channels(colour, 3), gone[seen.slices])
        inner = likely[tile.within(seen).slices]
        share = ((inner - CLEAN) / (SPOILT - CLEAN)).clip(0, 1)
        chosen = beside[tile.slices]
        plane[tile.slices][chosen] = np.rint(share[chosen] * 255)
    return plane


def _tiles(mask: NDArray[np.bool_]) -> Iterator[Window]:
    """Windows of at most a tile's side that cover a mask."""
    height, width = mask.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = Window(top, left, top + _TILE, left + _TILE).clipped(Window.of(mask))
            if mask[tile.slices].any():
                yield tile
