"""The detector on the CPU: see :mod:`eie.models.nanodet` for what it computes."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from eie.models.graph import Graph, network_input
from eie.models.nanodet_weights import PIXEL_MEAN, PIXEL_STD, STRIDES, detector_weights

Array = NDArray[np.float32]

NAME = "detector"


def detector_levels(pixels: NDArray[np.uint8]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """What the detector makes of a picture.

    Args:
        pixels: (h, w, 3) uint8 RGB.

    Returns:
        features (1, C, ≥ h/s, ≥ w/s) float32 at STRIDES: first all of 128 channels, then the
        logits of 80 kinds; and of the boxes how far they reach, (1, 4, ≥ h/s, ≥ w/s) in pixels.
    """
    rows, columns = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in pixels.shape[:2])
    blue_first = pixels[..., ::-1]
    padded = network_input(blue_first, (rows, columns), PIXEL_MEAN, PIXEL_STD)
    levels = _graph()(pixels=padded)
    return tuple(levels[: 2 * len(STRIDES)]), tuple(levels[2 * len(STRIDES) :])


@cache
def _graph() -> Graph:
    return Graph(NAME, detector_weights(), "the detector", convolves=True, threads=1)
