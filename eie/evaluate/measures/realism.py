"""Whether what was made up looks like a photograph: measures that see a smear.

Distances from the truth reward the average of all that a hole may have shown, which is a blur.
These do not ask how near to the truth a fill is, but how like a photo:

- *kernel distance* (KID; Bińkowski et al., "Demystifying MMD GANs", ICLR 2018) of the holes' crops
  in a set of results to those in the truths;
- *detail*, the gradient energy within the hole against the truth's.

Both need a hole of :data:`LEAST` pixels or more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eie.evaluate.core.case_result import Mask, Pixels
from eie.pictures import Window, around

LEAST = 600
"""Pixels of the smallest hole that is measured."""

STRIDES = (8, 16, 32)
"""Of the EfficientNet-Lite0 features (40, 112 and 320 channels) that crops are compared in."""

SIDE = 256
"""Pixels of the square that crops are resized to."""

EXTENT, BORDER = 1.3, 32
"""A crop's side in pixels: that many times the hole's longer side, and that many more."""

RIM = 2
"""Pixels within the hole's border that count as no detail of it: gradients there cross it."""

_TINY = 1e-6
"""Added to standard deviations."""

_SAME = 1e-3
"""Largest difference of standardised features of one place."""

_FLAT = 1e-3
"""Least gradient energy of a truth, in squared grey levels."""

_Number = TypeVar("_Number", np.uint8, np.float32)

Features = Mapping[int, NDArray[np.floating]]
"""Stride ⇒ (C_s,), or (n, C_s) of n crops."""


def crop_about(hole: Mask) -> Window:
    """A square about the middle of a hole's box, as large as the photo allows.

    Its side is ⌊:data:`EXTENT` · e⌋ + :data:`BORDER`, at most the photo's shorter one, where e is
    the distance of the hole's outermost pixels, in rows or in columns, whichever is longer. At the
    photo's border it is shifted inwards.

    Args:
        hole: (H, W) bool, not empty.
    """
    height, width = hole.shape
    box = around(hole)
    side = int(EXTENT * (max(box.height, box.width) - 1)) + BORDER
    side = min(side, height, width)
    left = box.left + (box.width - 1) // 2 - side // 2
    top = box.top + (box.height - 1) // 2 - side // 2
    return Window.at(min(max(left, 0), width - side), min(max(top, 0), height - side), side, side)


def hole_features(
    pictures: Iterable[Pixels], hole: Mask
) -> Iterator[dict[int, NDArray[np.float32]]]:
    """Of each picture (H, W, 3): stride ⇒ (C_s,), ImageNet features averaged over the hole.

    The crop about the hole is resized to :data:`SIDE`² (area averages) and goes through the
    network; the hole, resized alike, weighs its features.

    Args:
        hole: (H, W) bool, not empty.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    from eie.evaluate.measures.perceptual_distance import region_features

    crop = crop_about(hole).slices
    weights = _to_side(hole[crop].astype(np.float32))
    for picture in pictures:
        yield region_features(_to_side(picture[crop]), weights, STRIDES)


def kernel_distance(made: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Squared maximum mean discrepancy of two sets of features, in KID's kernel; may be negative.

    Both sets are standardised by mean and standard deviation of the true features. With KID's
    k(x, y) = (x·y / C + 1)³,

        mean of k(x_i, x_j) + mean of k(y_i, y_j) − 2 · mean of k(x_i, y_j),

    each over all i, j of different places. Of one place are i = j, also in the last mean, for what
    surrounds the hole is the same in x_i and y_i; and cases with the same truth, as a removal and a
    move that leave the same hole. 0 is expected of sets that are drawn alike; with few cases it
    strays far from that, so compare values of the same cases only.

    Args:
        made, true: (n, C), row i of both from the same case. NaN if all are of one place.
    """
    from scipy.spatial.distance import cdist

    channels = true.shape[1]
    mean, deviation = true.mean(axis=0, dtype=np.float64), true.std(axis=0, dtype=np.float64)
    x, y = ((a.astype(np.float64) - mean) / (deviation + _TINY) for a in (made, true))
    apart = cdist(y, y, "chebyshev") > _SAME  # (n, n)
    if not apart.any():
        return math.nan
    within, among, across = (
        float(((a @ b.T / channels + 1) ** 3)[apart].mean()) for a, b in ((x, x), (y, y), (x, y))
    )
    return within + among - 2 * across


def mean_kernel_distance(made: Sequence[Features], true: Sequence[Features]) -> float:
    """Mean over :data:`STRIDES` of :func:`kernel_distance` of the features of n cases."""
    if not true:
        return math.nan
    return float(np.mean([kernel_distance(*_stacked(stride, made, true)) for stride in STRIDES]))


def detail(picture: Pixels, truth: Pixels, hole: Mask) -> float:
    """Root of the gradient energy within a hole over the truth's: 1 is right, a smear is near 0.

    The energy is the mean of g_x² + g_y² over the hole less :data:`RIM` pixels at its border, where
    g are central differences of the mean of the channels in grey levels. NaN if nothing of the hole
    is left then.

    Args:
        picture, truth: (H, W, 3) uint8.
        hole: (H, W) bool.
    """
    import cv2

    side = 2 * RIM + 1
    inside = cv2.erode(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    if not inside.any():
        return math.nan
    made, true = (_gradient_energy(pixels)[inside].mean() for pixels in (picture, truth))
    return math.sqrt(made / max(true, _FLAT))


def _gradient_energy(pixels: Pixels) -> NDArray[np.float32]:
    """(H, W), squared grey levels per pixel."""
    down, across = np.gradient(pixels.astype(np.float32).mean(axis=-1))
    return np.asarray(down**2 + across**2)


def _stacked(stride: int, *sets: Sequence[Features]) -> list[NDArray[np.floating]]:
    """(n, C_s) of each set."""
    return [np.stack([features[stride] for features in found]) for found in sets]


def _to_side(pixels: NDArray[_Number]) -> NDArray[_Number]:
    """(SIDE, SIDE, ...)."""
    import cv2

    resized: NDArray[Any] = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return resized.astype(pixels.dtype, copy=False)
