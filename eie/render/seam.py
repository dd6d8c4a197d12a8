"""The seam: how far around what is taken away the photo still shows it.

A photo's objects reach a little beyond their elements, by blur, compression and borders that miss
their rim. Filled from right outside, a removed object would leave its outline. But where the
surroundings are clean they are the best that is known about the hole, and are kept.

Whether a pixel of the seam is clean is told by its colour: it lies between that of the
surroundings, B, and that of what is taken away, F, both means over the neighbourhood, and counts as
spoilt by its distance from B along the way to F

    t = (colour − B) · (F − B) / ‖F − B‖

if that can be seen: more than a few levels, and more than the surroundings vary by themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.render.pictures import Mask, Picture, Plane

VISIBLE = 6.0
"""Levels of 255 along the way to F from which on a pixel is spoilt, in calm surroundings."""

VARYING = 1.0
"""The same as a multiple of the surroundings' standard deviation."""

ALWAYS, ALWAYS_PIXELS = 0.3, 1.5
"""Share of the seam next to what is taken away, and pixels at least, that are spoilt whatever they
look like: antialiasing alone reaches so far."""

_REACH = 2
"""Half the side of a neighbourhood, as a multiple of the seam."""

_COHERENT = 5
"""Side in pixels of the square over which t is averaged: what spoils a seam goes along it, grain
and texture do not."""

_BAND = 128
"""Rows worked on at a time, so that memory does not grow with the picture."""


class LocalMean(NamedTuple):
    """A mean over the chosen pixels of every pixel's neighbourhood.

    Attributes:
        value: (h, w, C).
        share: (h, w) in [0, 1], how much of the neighbourhood is chosen.
    """

    value: NDArray[np.float32]
    share: NDArray[np.float32]


def margin(seam: int) -> int:
    """Pixels around the seam of which its pixels' neighbourhoods are made."""
    return (_REACH + 1) * seam


def spoilt(source: Picture, gone: Mask, seam: int) -> Plane:
    """(H, W) uint8, how far a pixel must be made anew: 255 where it is gone, 0 outside the seam.

    Across the outer half of the seam it falls to 0; clean pixels of the seam have 0.

    Args:
        source: (H, W, C) uint8.
        gone: (H, W) bool, what is taken away.
        seam: its greatest width in pixels.
    """
    import cv2

    far = cv2.distanceTransform((~gone).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.asarray(far, dtype=np.float32)  # (H, W)
    fade = max(1, seam // 2)
    plane: Plane = np.rint(((seam + 1 - distance) / fade).clip(0, 1) * 255).astype(np.uint8)
    for top in range(0, len(gone), _BAND):
        rows = slice(max(0, top - margin(seam)), top + _BAND + margin(seam))
        clean = _clean(source[rows], distance[rows], seam)
        plane[top : top + _BAND][clean[top - rows.start :][:_BAND]] = 0
    return plane


def _clean(source: Picture, distance: NDArray[np.float32], seam: int) -> Mask:
    """(h, w) bool, the seam's pixels that show nothing of what is taken away."""
    import cv2

    outside = distance > seam
    near = distance <= max(ALWAYS_PIXELS, ALWAYS * seam)
    within = ~near & ~outside
    if not within.any() or not outside.any():
        return np.zeros_like(within)
    colour = source.astype(np.float32)  # (h, w, C)
    taken = _local_mean(colour, distance == 0, seam)
    moments, share = _local_mean(np.dstack([colour, np.square(colour)]), outside, seam)
    around, squares = np.split(moments, 2, axis=2)  # (h, w, C) each
    variance = (squares - np.square(around)).clip(0).sum(axis=2)  # (h, w)
    way = taken.value - around  # (h, w, C)
    length = np.sqrt(np.square(way).sum(axis=2))  # (h, w)
    along = ((colour - around) * way).sum(axis=2) / np.maximum(length, 1e-3)  # (h, w)
    along = cv2.blur(along, (_COHERENT, _COHERENT))
    seen = along > np.maximum(VISIBLE, VARYING * np.sqrt(variance))
    # Specks are grain; what spoils hangs together with what is taken away.
    seen = cv2.medianBlur((seen & ~outside | near).astype(np.uint8), 3) > 0
    known = share > 0.02  # else nobody can tell
    return np.asarray(within & ~seen & known)


def _local_mean(values: NDArray[np.float32], chosen: Mask, seam: int) -> LocalMean:
    """Mean of (h, w, C) values over the chosen pixels of the neighbourhoods."""
    import cv2

    side = 2 * _REACH * seam + 1
    weight = chosen.astype(np.float32)
    share = np.asarray(cv2.blur(weight, (side, side)), dtype=np.float32)  # (h, w)
    total = cv2.blur(values * weight[..., None], (side, side)).reshape(values.shape)
    mean = np.asarray(total / np.maximum(share, 1e-6)[..., None], dtype=np.float32)
    return LocalMean(mean, share)
