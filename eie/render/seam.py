"""The seam: how far around what is taken away the photo still shows it; and the rim within it.

A photo's objects reach a little beyond their elements, by blur, compression and borders that miss
their rim. Filled from right outside, a removed object would leave its outline. But where the
surroundings are clean they are the best that is known about the hole, and are kept.

Which is which is told by a small network (:mod:`eie.models.seam_matting`), which follows what it
finds, such as a handle that no element took, as far as the seam goes. In calm surroundings,
such as skies, where the eye sees the least traces, a pixel is also judged by its colour alone: it
lies between that of the surroundings, B, and that of what is taken away, F, both means over the
neighbourhood, at

    t = (colour − B) · (F − B) / ‖F − B‖

and is spoilt if that can be seen: more than a few levels, and far more than the surroundings vary
by themselves.

Around a mask that takes in all that shows the object, only what surely does is made anew.

Elements reach beyond their object, too: in a rim within their border the photo often shows what is
behind it as clearly as outside. From outside in, what shows nothing of the object is kept, as a
fill would only be a guess at it: what the network says shows none, and whose colour is not apart
from B. In calm surroundings nothing is kept: there a fill is sure, and traces are seen first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.render.pictures import Mask, Picture, Plane, Window, split_alpha, to_channels

if TYPE_CHECKING:
    from eie.models.seam_matting import LoadedSeamMatting


class Doubt(NamedTuple):
    """When a pixel is made anew.

    Attributes:
        clean, spoilt: likelihood of showing the object up to which a pixel is kept, and from which
            on it is made anew; in between it is mixed.
        apart: whether t is averaged over what is left alone, not over what is gone, too.
    """

    clean: float
    spoilt: float
    apart: bool = False


DOUBTED, ASKED, TRUSTED = Doubt(0.3, 0.5), Doubt(0.3, 0.5, True), Doubt(0.7, 0.9, True)
"""Around elements, whose borders are the segmenter's; to ask how much shows the object; and around
a mask beside which hardly anything does."""

WITHIN = Doubt(0.4, 0.6)
"""Within the border of what is taken away."""

STEPS = 4
"""In how many steps the seam is gone through."""

FOLLOWED = 0.98
"""How far a pixel must be made anew for what is beyond it to be asked about."""

VISIBLE = 6.0
"""Levels of 255 along the way to F from which on a pixel is spoilt, in calm surroundings."""

VARYING = 3.0
"""The same as a multiple of the surroundings' standard deviation."""

CALM = 6.0
"""Levels of 255 by which surroundings must vary for anything of the rim to be kept."""

_TOLD = 0.02
"""How much of a neighbourhood must be of the surroundings, say, to tell anything by them."""

_RIM_SIDE = 9
"""Side in pixels of the neighbourhoods by which the rim's colours are judged."""

_REACH = 2
"""Half the side of a neighbourhood, as a multiple of the seam."""

_COHERENT = 5
"""Side in pixels of the square over which t is averaged: what spoils a seam goes along it, grain
and texture do not. What is gone counts, too, unless it shall be apart."""

_FEW = 6
"""Pixels that are not followed, neither outwards nor inwards."""

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


class Lean(NamedTuple):
    """How pixels' colours lean from those of the surroundings towards those of what is taken away.

    Attributes:
        along: (h, w), in levels.
        deviation: (h, w), by how many levels the surroundings vary.
        taken, around: (h, w) in [0, 1], how much of the neighbourhood is either.
    """

    along: NDArray[np.float32]
    deviation: NDArray[np.float32]
    taken: NDArray[np.float32]
    around: NDArray[np.float32]


def margin(seam: int) -> int:
    """Pixels around what is taken away that are looked at."""
    return seam + max((_REACH + 1) * step_width(seam), _CONTEXT)


def spoilt(source: Picture, gone: Mask, seam: int, doubt: Doubt = DOUBTED) -> Plane:
    """(H, W) uint8, how far a pixel must be made anew: 255 where it is gone, 0 outside the seam.

    The seam is gone through in steps: what is around a pixel is only asked if that pixel surely
    shows what is taken away. Clean pixels have 0; across the outer half of a step it falls to 0.

    Args:
        source: (H, W, C) uint8.
        gone: (H, W) bool, what is taken away.
        seam: its greatest width in pixels.
        doubt: when a pixel is kept.

    Raises:
        MissingModelError: the network's weights are not there.
    """
    plane: Plane = np.where(gone, np.uint8(255), np.uint8(0))
    if not seam or gone.all() or not gone.any():
        return plane
    from eie.models.seam_matting import load_seam_matting

    likelihood = load_seam_matting()
    reached, new, left = gone.copy(), gone, seam
    while left > 0:
        step = min(left, step_width(seam))
        distance = _distance(new)  # (H, W)
        beside = (distance <= step) & ~reached
        found = np.zeros_like(plane)
        _add_likely(found, source, reached, beside, likelihood, doubt)
        if left == seam:
            _add_seen(found, source, distance, step, doubt)
        fading = ((step + 1 - distance[beside]) / max(1, step // 2)).clip(0, 1)  # (K,)
        plane[beside] = np.maximum(plane[beside], np.rint(found[beside] * fading))
        new = (plane >= FOLLOWED * 255) & ~reached
        if new.sum() < _FEW:
            break
        reached |= new
        left -= step
    return plane


def keep_clean(plane: Plane, source: Picture, gone: Mask, rim: int) -> None:
    """Lower it, in place, where what is gone shows nothing of what is taken away.

    The rim is gone through from outside in, pixel by pixel, and only where what is beside it is
    kept.

    Args:
        plane: (H, W) uint8, as :func:`spoilt` gives it.
        source: (H, W, C) uint8.
        gone: (H, W) bool, what is taken away.
        rim: its greatest width in pixels.

    Raises:
        MissingModelError: the network's weights are not there.
    """
    import cv2

    if not rim or gone.all() or not gone.any():
        return
    from eie.models.seam_matting import load_seam_matting

    likelihood = load_seam_matting()
    beside = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    left, kept = gone.copy(), plane == 0
    for _ in range(rim):
        ring = (cv2.dilate(kept.astype(np.uint8), beside) > 0) & left
        alike = _alike(source, left, ring)
        _add_likely(plane, source, left, alike, likelihood, WITHIN)
        kept = alike & (plane == 0)
        if kept.sum() < _FEW:
            break
        left &= ~kept


def share_around(plane: Plane, gone: Mask, nearest: int, farthest: int) -> float:
    """How much is spoilt of what lies between two distances from what is gone.

    Args:
        plane: (H, W) uint8, as :func:`spoilt` gives it for a wide seam.
        gone: (H, W) bool, what is taken away.
        nearest, farthest: in pixels; the first is excluded.
    """
    distance = _distance(gone)
    around = (distance > nearest) & (distance <= farthest)
    return float((plane[around] >= 128).mean()) if around.any() else 0.0


def step_width(seam: int) -> int:
    """Pixels by which the seam is gone through at a time."""
    return -(-seam // STEPS)


def _distance(mask: Mask) -> NDArray[np.float32]:
    """(H, W), of every pixel to a mask."""
    import cv2

    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(far, dtype=np.float32)


def _add_likely(
    plane: Plane,
    source: Picture,
    gone: Mask,
    beside: Mask,
    likelihood: LoadedSeamMatting,
    doubt: Doubt,
) -> None:
    """Set `beside` to what the network says, in place."""
    for tile in _tiles(beside):
        around = tile.grown(_CONTEXT).clipped(Window.of(gone))
        colour, _ = split_alpha(source[around.slices])
        likely = likelihood(to_channels(colour, 3), gone[around.slices])
        within = likely[tile.within(around).slices]
        share = ((within - doubt.clean) / (doubt.spoilt - doubt.clean)).clip(0, 1)
        chosen = beside[tile.slices]
        plane[tile.slices][chosen] = np.rint(share[chosen] * 255)


def _add_seen(
    plane: Plane, source: Picture, distance: NDArray[np.float32], step: int, doubt: Doubt
) -> None:
    """Set what stands out by its colour up to `step` pixels from what is gone, in place."""
    around = (_REACH + 1) * step
    for top in range(0, len(plane), _BAND):
        rows = slice(max(0, top - around), top + _BAND + around)
        seen = _seen(source[rows], distance[rows], step, doubt)
        plane[top : top + _BAND][seen[top - rows.start :][:_BAND]] = 255


def _alike(source: Picture, left: Mask, ring: Mask) -> Mask:
    """(H, W) bool, what of a ring leans neither towards what is within it nor, as sharpened borders
    do, away from it by more than its surroundings vary; nothing where these are calm or unknown.

    Args:
        source: (H, W, C) uint8.
        left: (H, W) bool, the ring and what is within it.
        ring: (H, W) bool.
    """
    alike = np.zeros_like(ring)
    for tile in _tiles(ring):
        around = tile.grown(_RIM_SIDE).clipped(Window.of(ring))
        part = around.slices
        lean = _lean(source[part], left[part] & ~ring[part], ~left[part], _RIM_SIDE)
        told = (np.minimum(lean.taken, lean.around) > _TOLD) & (lean.deviation >= CALM)
        found = told & (np.abs(lean.along) <= lean.deviation)
        alike[tile.slices] = found[tile.within(around).slices]
    return alike & ring


def _tiles(mask: Mask) -> Iterator[Window]:
    """Squares that cover a mask."""
    height, width = mask.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = Window(top, left, top + _TILE, left + _TILE).clipped(Window.of(mask))
            if mask[tile.slices].any():
                yield tile


def _seen(source: Picture, distance: NDArray[np.float32], seam: int, doubt: Doubt) -> Mask:
    """(h, w) bool, the seam's pixels in which what is taken away stands out by its colour."""
    import cv2

    outside = distance > seam
    gone = distance == 0
    if not outside.any():
        return np.asarray(~gone)  # nobody can tell
    if not gone.any():
        return np.zeros_like(gone)
    lean = _lean(source, gone, outside, 2 * _REACH * seam + 1)
    left = (~gone if doubt.apart else np.ones_like(gone)).astype(np.float32)
    along = _blurred(lean.along * left) / np.maximum(_blurred(left), 1e-3)  # (h, w)
    seen = along > np.maximum(VISIBLE, VARYING * lean.deviation)
    # Specks are grain; what spoils hangs together with what is taken away.
    seen = cv2.medianBlur((seen & ~outside | gone).astype(np.uint8), 3) > 0
    unknown = lean.around <= _TOLD  # nobody can tell
    return np.asarray((seen | unknown) & ~gone & ~outside)


def _blurred(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) averaged over the square in which what spoils a seam is coherent."""
    import cv2

    return np.asarray(cv2.blur(plane, (_COHERENT, _COHERENT)), dtype=np.float32)


def _lean(source: Picture, taken: Mask, outside: Mask, side: int) -> Lean:
    """How colours lean; neighbourhoods are squares of `side` pixels.

    Args:
        source: (h, w, C) uint8.
        taken: (h, w) bool, pixels of what is taken away.
        outside: (h, w) bool, pixels of the surroundings.
    """
    colour = source.astype(np.float32)  # (h, w, C)
    inner = _local_mean(colour, taken, side)
    moments, share = _local_mean(np.dstack([colour, np.square(colour)]), outside, side)
    around, squares = np.split(moments, 2, axis=2)  # (h, w, C) each
    variance = (squares - np.square(around)).clip(0).sum(axis=2)  # (h, w)
    way = inner.value - around  # (h, w, C)
    length = np.sqrt(np.square(way).sum(axis=2))  # (h, w)
    along = ((colour - around) * way).sum(axis=2) / np.maximum(length, 1e-3)  # (h, w)
    return Lean(along, np.sqrt(variance), inner.share, share)


def _local_mean(values: NDArray[np.float32], chosen: Mask, side: int) -> LocalMean:
    """Mean of (h, w, C) values over the chosen pixels of the neighbourhoods."""
    import cv2

    weight = chosen.astype(np.float32)
    share = np.asarray(cv2.blur(weight, (side, side)), dtype=np.float32)  # (h, w)
    total = cv2.blur(values * weight[..., None], (side, side)).reshape(values.shape)
    mean = np.asarray(total / np.maximum(share, 1e-6)[..., None], dtype=np.float32)
    return LocalMean(mean, share)
