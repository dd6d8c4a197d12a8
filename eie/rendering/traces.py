"""Traces of a thing beside it in the photo: halo, glow, cast of its colour, the rim of its shadow.

    photo, what is gone ⇒ profiles outward from its border ⇒ where each settles ⇒ photo without

A profile is what the photo shows from a part of the border outward, as the means of rings. Where it
changes beside the thing, ever less, and then stays as it is, on a surface that is calm as far as
that, it shows a trace. All else is the photo's: edges, texture, light that goes on falling off.
What is darker than where its profile settles is multiplied, as light was taken from it; what is
lighter has the difference taken away. Grain and texture stay.

Lengths are stated for photos whose usual dilation is 4 pixels (512 × 384); larger ones are looked
at reduced to that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eie.pictures import Mask, Picture
from eie.rendering.mattes import UNIT, block_means
from eie.rendering.working_size import Indices, Numbers

REACH = 6
"""Farthest that traces are mended, as a multiple of the usual dilation."""

RING, RINGS, SETTLED = 2, 16, 6
"""Width of a ring in pixels, how many there are, and how many of them must be settled."""

CELL, ALONG = 4, 1.5
"""Side of the squares, in pixels, into which the border is divided, and the deviation, in such
squares, of what is averaged along it."""

CALM = 6.0
"""Deviation in levels of a ring from which on it shows more than one surface."""

CONSTANT, RETURN = 3.0, 2.0
"""Levels by which the rings of a settled profile may differ from their mean, and by which a ring
farther out may differ from it more than the one before."""

LEAST, MOST = 5.0, 60.0
"""Levels by which a trace differs from where its profile settles; what differs more is a thing."""

FOUND = 0.3
"""Pixels of a ring, averaged along the border, without which it tells nothing."""

TOGETHER = 0.6
"""Share of the border about a place that must show a trace."""

FADING = 4.0
"""Pixels over which the mending ends."""

_BLACK, _MOST_GAIN = 4.0, 4.0
"""Levels that both sides of a gain are lifted by, and the most of it: in black is no texture."""

_STRIP = 64
"""Rows, of the size that is looked at, whose pixels are mended at once, to save memory."""


class _Traces(NamedTuple):
    """By square of the border, (R, Q).

    Attributes:
        seen: (R, Q) 1 where there is a trace, 0 elsewhere.
        reach: (R, Q) pixels that it goes, 0 elsewhere.
        settled: (R, Q, C) levels at which its profile settles, 0 elsewhere.
        rings: (R, Q, K · C) levels of its rings.
    """

    seen: Numbers
    reach: Numbers
    settled: Numbers
    rings: Numbers


def without_traces(colour: Picture, gone: Mask, dilation: int) -> Picture:
    """A photo without the traces of what is gone.

    Args:
        colour: (H, W, 1 or 3) uint8, a window that goes twice :data:`REACH` dilations beyond what
            is gone where the photo does.
        gone: (H, W) bool, its elements.
        dilation: the usual one of such a photo, in pixels.

    Returns:
        (H, W, 1 or 3) uint8, as `colour` farther than :data:`REACH` dilations from what is gone;
        `colour` itself if there is none.
    """
    import cv2

    step = max(1, round(dilation / UNIT))
    thing = block_means(gone, step) > 0.5
    if not thing.any() or thing.all():
        return colour
    small = 255 * block_means(colour, step)
    distance, label = cv2.distanceTransformWithLabels(
        (~thing).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    far = distance.astype(np.float32)
    place = np.zeros(int(label.max()) + 1, dtype=np.intp)
    place[label[thing]] = np.flatnonzero(thing)
    nearest = place[label]  # (h, w) which pixel of the thing
    first = min(UNIT, dilation)
    farthest = REACH * dilation // step - 2  # rounding and enlarging reach farther
    traces = _traces(small, far, nearest, first, farthest)
    if not traces.seen.any():
        return colour
    fields = _fields(traces, small, far, nearest, first, farthest)  # (h, w, 1 + 2 C)
    result = colour.copy()
    for top in range(0, len(fields), _STRIP):
        rows = slice(top * step, (top + _STRIP) * step)
        wide = _enlarged(fields, top, step)[: len(result[rows]), : result.shape[1]]
        traced = (wide[..., 0] > 0) & ~gone[rows]
        result[rows][traced] = _mended(result[rows][traced], wide[traced])
    return result


def _traces(colour: Numbers, far: Numbers, nearest: Indices, first: int, farthest: int) -> _Traces:
    """What is a trace, of (h, w, C) colours.

    Args:
        far, nearest: (h, w) pixels to the thing, and which of its pixels is nearest.
        first: pixels from the thing at which profiles begin.
        farthest: that a trace may go.
    """
    import cv2

    size = tuple(-(-side // CELL) for side in far.shape)
    ring = np.floor((far - first) / RING).astype(np.intp)
    used = (ring >= 0) & (ring < RINGS)
    row, column = np.divmod(nearest[used], far.shape[1])
    cell = row // CELL * size[1] + column // CELL
    index, values = cell * RINGS + ring[used], colour[used]

    def averaged(weights: Numbers | None = None) -> Numbers:
        sums = np.bincount(index, weights, size[0] * size[1] * RINGS)
        planes = sums.astype(np.float32).reshape(*size, RINGS)
        return np.asarray(cv2.GaussianBlur(planes, (0, 0), ALONG), dtype=np.float32)

    count = averaged()
    share = np.maximum(count, np.float32(1e-6))[..., None]
    rings = np.stack([averaged(plane) for plane in values.T], axis=3) / share  # (R, Q, K, C)
    squares = np.stack([averaged(plane**2) for plane in values.T], axis=3) / share
    calm = (np.sqrt((squares - rings**2).clip(0)) < CALM).all(axis=3) & (count > FOUND)
    seen, reach = np.zeros(size, dtype=bool), np.zeros(size, dtype=np.float32)
    settled = np.zeros((*size, colour.shape[2]), dtype=np.float32)
    for start in range(RINGS - SETTLED, 0, -1):  # the nearest that is settled counts
        end = first + RING * (start + 1)
        known = slice(0, start + SETTLED)
        level = rings[:, :, start : start + SETTLED].mean(axis=2)
        away = abs(rings[:, :, known] - level[:, :, None]).max(axis=3)  # (R, Q, start + SETTLED)
        still = calm[..., known].all(axis=2) & (away[..., start:].max(axis=2) < CONSTANT)
        fades = (np.diff(away[..., : start + 1], axis=2) < RETURN).all(axis=2)
        trace = fades & (away[..., :2].max(axis=2) > LEAST) & (away.max(axis=2) < MOST)
        seen = np.where(still, trace & (end <= farthest), seen)
        further = end + RING * SETTLED // 2  # what is left of it there is faint
        reach[still], settled[still] = min(further, farthest), level[still]
    border = (np.bincount(cell, minlength=size[0] * size[1]).reshape(size) > 0).astype(np.float32)
    both = cv2.GaussianBlur(np.dstack([seen * border, border]), (0, 0), ALONG)
    found = (seen & (both[..., 0] > TOGETHER * both[..., 1])).astype(np.float32)
    settled *= found[..., None]
    return _Traces(found, reach * found, settled, rings.reshape(*size, -1).astype(np.float32))


def _fields(
    traces: _Traces, colour: Numbers, far: Numbers, nearest: Indices, first: int, farthest: int
) -> Numbers:
    """(h, w, 1 + 2 C): how much of a difference is a trace, in [0, 1]; levels of the profile of the
    nearest part of the border, and those at which it settles."""
    fields = np.dstack([np.zeros(far.shape, dtype=np.float32), colour, colour])
    band = np.flatnonzero((far > 0) & (far < farthest))
    seen = _between(traces.seen[..., None], nearest.flat[band], far.shape[1])[:, 0]
    band, seen = band[seen > 0.25], seen[seen > 0.25, None]
    if not len(band):
        return fields
    distance = far.flat[band][:, None]

    def at(planes: Numbers) -> Numbers:
        return _between(planes, nearest.flat[band], far.shape[1])

    inside = ((at(traces.reach[..., None]) / seen - distance) / FADING).clip(0, 1)
    rings = at(traces.rings).reshape(len(band), RINGS, -1)
    outward = ((distance - first) / RING - 0.5).clip(0, RINGS - 1)  # (n, 1)
    ring = np.floor(outward).astype(np.intp).clip(max=RINGS - 2)[:, 0]
    beyond, pixel = outward - ring[:, None], np.arange(len(band))
    profile = rings[pixel, ring] * (1 - beyond) + rings[pixel, ring + 1] * beyond
    share = (2 * seen - 0.5).clip(0, 1) * inside
    flat = fields.reshape(-1, fields.shape[2])
    flat[band] = np.hstack([share, profile, at(traces.settled) / seen])
    return fields


def _between(planes: Numbers, pixel: Indices, width: int) -> Numbers:
    """(n, K) of planes by square of the border, (R, Q, K), interpolated at pixels (n,)."""
    height = planes.shape[0]
    row, column = np.divmod(pixel, width)
    row, column = (row + 0.5) / CELL - 0.5, (column + 0.5) / CELL - 0.5
    result = np.zeros((len(pixel), planes.shape[2]), dtype=np.float32)
    for down in (0, 1):
        for right in (0, 1):
            y, x = np.floor(row).astype(np.intp) + down, np.floor(column).astype(np.intp) + right
            weight = (1 - abs(row - y)) * (1 - abs(column - x))
            values = planes[y.clip(0, height - 1), x.clip(0, planes.shape[1] - 1)]
            result += weight.astype(np.float32)[:, None] * values
    return result


def _enlarged(fields: Numbers, top: int, step: int) -> Numbers:
    """(h, w, K) the rows of fields from `top` on that are mended at once, at `step` times the
    size."""
    import cv2

    above, below = min(top, 1), min(len(fields), top + _STRIP + 1)
    rows = fields[top - above : below]
    size = (rows.shape[1] * step, rows.shape[0] * step)
    wide = cv2.resize(rows, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide[above * step :][: _STRIP * step], dtype=np.float32)


def _mended(colour: Picture, fields: Numbers) -> Picture:
    """(n, C) pixels by what the fields, (n, 1 + 2 C), say of them."""
    share, (seen, settled) = fields[:, :1], np.split(fields[:, 1:], 2, axis=1)
    gain = ((settled + _BLACK) / (seen + _BLACK)).clip(max=_MOST_GAIN)
    darkened = settled.mean(axis=1, keepdims=True) > seen.mean(axis=1, keepdims=True)
    clean = np.where(darkened, (colour + _BLACK) * gain - _BLACK, colour + settled - seen)
    mended: Picture = np.rint(colour + share * (clean - colour)).clip(0, 255).astype(np.uint8)
    return mended
