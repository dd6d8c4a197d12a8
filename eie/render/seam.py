"""The seam: how far around what is taken away the photo still shows it.

A photo's objects reach a little beyond their elements, by blur, compression and borders that miss
their rim. Filled from right outside, a removed object would leave its outline. But where the
surroundings are clean they are the best that is known about the hole, and are kept.

Which is which is told by a small network (:mod:`eie.models.seam_matting`). In calm surroundings,
such as skies, where the eye sees the least traces, a pixel is also judged by its colour alone: it
lies between that of the surroundings, B, and that of what is taken away, F, both means over the
neighbourhood, at

    t = (colour − B) · (F − B) / ‖F − B‖

and is spoilt if that can be seen: more than a few levels, and far more than the surroundings vary
by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.render.pictures import Mask, Picture, Plane, Window, split_alpha, to_channels

CLEAN, SPOILT = 0.3, 0.5
"""Likelihood of showing the object up to which a pixel is kept, and from which on it is made anew;
in between it is mixed."""

VISIBLE = 6.0
"""Levels of 255 along the way to F from which on a pixel is spoilt, in calm surroundings."""

VARYING = 3.0
"""The same as a multiple of the surroundings' standard deviation."""

_REACH = 2
"""Half the side of a neighbourhood, as a multiple of the seam."""

_COHERENT = 5
"""Side in pixels of the square over which t is averaged: what spoils a seam goes along it, grain
and texture do not."""

_BAND, _TILE = 128, 384
"""Rows, and sides of squares, that are worked on at a time, so that memory does not grow with the
picture."""

_CONTEXT = 32
"""Pixels around such a square that the network sees."""


class LocalMean(NamedTuple):
    """A mean over the chosen pixels of every pixel's neighbourhood.

    Attributes:
        value: (h, w, C).
        share: (h, w) in [0, 1], how much of the neighbourhood is chosen.
    """

    value: NDArray[np.float32]
    share: NDArray[np.float32]


def margin(seam: int) -> int:
    """Pixels around what is taken away that are looked at."""
    return max((_REACH + 1) * seam, seam + _CONTEXT)


def spoilt(source: Picture, gone: Mask, seam: int) -> Plane:
    """(H, W) uint8, how far a pixel must be made anew: 255 where it is gone, 0 outside the seam.

    Across the outer half of the seam it falls to 0; clean pixels of the seam have 0.

    Args:
        source: (H, W, C) uint8.
        gone: (H, W) bool, what is taken away.
        seam: its greatest width in pixels.

    Raises:
        MissingModelError: the network's weights are not there.
    """
    import cv2

    far = cv2.distanceTransform((~gone).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = np.asarray(far, dtype=np.float32)  # (H, W)
    plane: Plane = np.where(gone, np.uint8(255), np.uint8(0))
    beside = (distance <= seam) & ~gone
    if not beside.any() or not gone.any():
        return plane
    _add_likely(plane, source, gone, beside)
    for top in range(0, len(gone), _BAND):
        rows = slice(max(0, top - margin(seam)), top + _BAND + margin(seam))
        seen = _seen(source[rows], distance[rows], seam)
        plane[top : top + _BAND][seen[top - rows.start :][:_BAND]] = 255
    fading = ((seam + 1 - distance[beside]) / max(1, seam // 2)).clip(0, 1)  # (K,)
    plane[beside] = np.rint(plane[beside] * fading)
    return plane


def _add_likely(plane: Plane, source: Picture, gone: Mask, beside: Mask) -> None:
    """Set `beside` to what the network says, in place."""
    from eie.models.seam_matting import likelihood, load_seam_matting

    network = load_seam_matting()
    for tile in _tiles(beside):
        around = tile.grown(_CONTEXT).clipped(Window.of(gone))
        colour, _ = split_alpha(source[around.slices])
        likely = likelihood(network, to_channels(colour, 3), gone[around.slices])
        share = ((likely[tile.within(around).slices] - CLEAN) / (SPOILT - CLEAN)).clip(0, 1)
        chosen = beside[tile.slices]
        plane[tile.slices][chosen] = np.rint(share[chosen] * 255)


def _tiles(mask: Mask) -> Iterator[Window]:
    """Squares that cover a mask."""
    height, width = mask.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = Window(top, left, top + _TILE, left + _TILE).clipped(Window.of(mask))
            if mask[tile.slices].any():
                yield tile


def _seen(source: Picture, distance: NDArray[np.float32], seam: int) -> Mask:
    """(h, w) bool, the seam's pixels in which what is taken away stands out by its colour."""
    import cv2

    outside = distance > seam
    gone = distance == 0
    if not outside.any():
        return np.asarray(~gone)  # nobody can tell
    if not gone.any():
        return np.zeros_like(gone)
    colour = source.astype(np.float32)  # (h, w, C)
    taken = _local_mean(colour, gone, seam)
    moments, share = _local_mean(np.dstack([colour, np.square(colour)]), outside, seam)
    around, squares = np.split(moments, 2, axis=2)  # (h, w, C) each
    variance = (squares - np.square(around)).clip(0).sum(axis=2)  # (h, w)
    way = taken.value - around  # (h, w, C)
    length = np.sqrt(np.square(way).sum(axis=2))  # (h, w)
    along = ((colour - around) * way).sum(axis=2) / np.maximum(length, 1e-3)  # (h, w)
    along = cv2.blur(along, (_COHERENT, _COHERENT))
    seen = along > np.maximum(VISIBLE, VARYING * np.sqrt(variance))
    # Specks are grain; what spoils hangs together with what is taken away.
    seen = cv2.medianBlur((seen & ~outside | gone).astype(np.uint8), 3) > 0
    unknown = share <= 0.02  # nobody can tell
    return np.asarray((seen | unknown) & ~gone & ~outside)


def _local_mean(values: NDArray[np.float32], chosen: Mask, seam: int) -> LocalMean:
    """Mean of (h, w, C) values over the chosen pixels of the neighbourhoods."""
    import cv2

    side = 2 * _REACH * seam + 1
    weight = chosen.astype(np.float32)
    share = np.asarray(cv2.blur(weight, (side, side)), dtype=np.float32)  # (h, w)
    total = cv2.blur(values * weight[..., None], (side, side)).reshape(values.shape)
    mean = np.asarray(total / np.maximum(share, 1e-6)[..., None], dtype=np.float32)
    return LocalMean(mean, share)
