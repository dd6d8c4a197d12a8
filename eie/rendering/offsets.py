"""Candidate offsets: from where a hole may be filled with large coherent pieces.

Three sources, all at the working size:

- **Statistics of patch offsets.** In a photo, alike patches lie at few distances from each other;
  the peaks of their histogram are offsets at which texture and structure go on (He & Sun,
  "Statistics of Patch Offsets for Image Completion", ECCV 2012, §3).
- **The border.** Places of the photo, and of its mirror image, that look like a part of the hole's
  border: what lies beside such a place goes on where the hole begins.
- **Lines** that run into the hole, which go on along themselves (:mod:`eie.rendering.lines`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eie.pictures import dilated
from eie.rendering.lines import Line
from eie.rendering.working_size import Indices, Numbers, Offset, WorkingSize

PEAKS = 40
"""How many offsets the statistics give."""

PATCH = 6
"""Side in pixels of the patches compared."""

PATCHES = 6000
"""Most patches that are compared; more are drawn from at random, always the same ones."""

COMPONENTS = 12
"""Principal components by which patches are compared."""

NEIGHBOURS = 8
"""How many of a patch's nearest ones are asked for one that is not beside it."""

APART = 1 / 15
"""How far apart patches must be, as a part of the window's longer side (He & Sun, equation 1)."""

SECTORS = (1, 4, 4, 12)
"""Into how many parts the border is cut; the second four lie across the cuts of the first."""

BEST = 3
"""How many places are taken for each part of the border."""

FOOT = 4
"""Pixels of the hole beside a part of its border, for which a place must have pixels, too."""


def candidate_offsets(
    work: WorkingSize, lines: Sequence[Line] = (), *, border: bool = True
) -> list[Offset]:
    """Offsets that may fill parts of a hole, always the same ones, none beside another.

    Args:
        lines: that run into the hole; offsets along them come first.
        border: take those of the border, too, not of statistics alone.
    """
    along = [line.offset() for line in lines]
    found = [*along, *(border_offsets(work) if border else ()), *frequent_offsets(work)]
    apart: dict[Offset, None] = {}
    for offset in found:
        near = (offset.shifted(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
        if not any(beside in apart for beside in near):
            apart[offset] = None
    return list(apart)


def frequent_offsets(work: WorkingSize) -> list[Offset]:
    """The peaks of the histogram of offsets between alike patches, the highest first."""
    import cv2

    patches, rows, columns = _patches(work)
    if len(rows) <= NEIGHBOURS:
        return []
    height, width = work.hole.shape
    down, right = _nearest_offsets(patches, rows, columns, APART * max(height, width))
    histogram = np.zeros((2 * height + 1, 2 * width + 1), dtype=np.float32)
    np.add.at(histogram, (down + height, right + width), 1)
    histogram += histogram[::-1, ::-1]  # a is like b as b is like a
    smooth = cv2.GaussianBlur(histogram, (0, 0), np.sqrt(2.0))  # He & Sun §3.1
    peak = (smooth == cv2.dilate(smooth, np.ones((9, 9), np.uint8))) & (smooth > 0)
    y, x = np.nonzero(peak)
    order = np.argsort(-smooth[y, x], kind="stable")[:PEAKS]
    return [Offset(int(y[i]) - height, int(x[i]) - width) for i in order]


def _patches(work: WorkingSize) -> tuple[Numbers, Indices, Indices]:
    """(n, d) principal components of known patches, and rows and columns of their corners."""
    if min(work.hole.shape) < PATCH:
        none = np.zeros(0, dtype=np.intp)
        return np.zeros((0, COMPONENTS), np.float32), none, none
    view = np.lib.stride_tricks.sliding_window_view
    whole = view(work.known, (PATCH, PATCH)).all(axis=(2, 3))
    rows, columns = np.nonzero(whole)
    chosen = np.random.default_rng(0).permutation(len(rows))[:PATCHES]
    rows, columns = rows[chosen], columns[chosen]
    windows = view(work.colour, (PATCH, PATCH), (0, 1))[rows, columns]  # (n, 3, p, p)
    flat = windows.reshape(len(rows), 3 * PATCH**2)
    flat = flat - flat.sum(axis=0) / max(1, len(rows))
    _, vectors = np.linalg.eigh(flat.T @ flat)  # ascending
    return flat @ vectors[:, -COMPONENTS:], rows, columns


def _nearest_offsets(
    patches: Numbers, rows: Indices, columns: Indices, apart: float
) -> tuple[Indices, Indices]:
    """Offsets of patches to the most alike one that is far enough away, where there is one."""
    from scipy.spatial import cKDTree

    _, near = cKDTree(patches).query(patches, k=NEIGHBOURS, eps=1.0)  # (n, k)
    down, right = rows[near] - rows[:, None], columns[near] - columns[:, None]
    far = np.square(down) + np.square(right) > apart**2
    first = (np.arange(len(rows)), far.argmax(axis=1))
    has = far.any(axis=1)
    return down[first][has], right[first][has]


def border_offsets(work: WorkingSize) -> list[Offset]:
    """Offsets to places that look like parts of the hole's border, the best of each part."""
    offsets: list[Offset] = []
    for part in _parts(work):
        for mirrored in (False, True):
            offsets += _like(work, part, mirrored)
    return offsets


def _parts(work: WorkingSize) -> Iterator[tuple[Indices, Indices]]:
    """Rows and columns of parts of the border, cut by the angle around the hole's middle."""
    rows, columns = np.nonzero(work.border)
    around = np.arctan2(rows - work.rows.mean(), columns - work.columns.mean())
    order = np.argsort(around, kind="stable")
    for index, count in enumerate(SECTORS):
        start = len(order) // (2 * count) if index == 2 else 0
        for part in np.array_split(np.roll(order, start), count):
            if len(part) >= PATCH:
                yield rows[part], columns[part]


def _like(work: WorkingSize, part: tuple[Indices, Indices], mirrored: bool) -> list[Offset]:
    """The best places of the photo, or of its mirror image, for a part of the border.

    A place is as good as its mean squared difference from the part is small, and must have known
    pixels for the part and the hole beside it.
    """
    import cv2

    height, width = work.hole.shape
    mask = np.zeros((height, width), dtype=bool)
    mask[part] = True
    foot = dilated(mask, FOOT) & (work.hole | mask)
    y, x = np.flatnonzero(foot.any(axis=1)), np.flatnonzero(foot.any(axis=0))
    box = (slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))
    if y[-1] + 1 - y[0] == height or x[-1] + 1 - x[0] == width:
        return []
    turned = np.s_[:, ::-1] if mirrored else np.s_[:, :]
    colour = np.ascontiguousarray(work.colour[turned])
    known = np.ascontiguousarray(work.known[turned], dtype=np.float32)
    weight = np.dstack([mask[box].astype(np.float32)] * 3)
    template = np.ascontiguousarray(work.colour[box])
    difference = cv2.matchTemplate(colour, template, cv2.TM_SQDIFF, mask=weight) / len(part[0])
    needed = foot[box].astype(np.float32)
    missing = 1 - cv2.matchTemplate(known, needed, cv2.TM_CCORR) / needed.sum()
    cost = np.nan_to_num(difference + 4e4 * np.maximum(missing - 0.02, 0), nan=1e9)
    if not mirrored:  # the border is most like itself
        cost[max(0, y[0] - FOOT) : y[0] + FOOT + 1, max(0, x[0] - FOOT) : x[0] + FOOT + 1] = 1e9
    least = (cost <= cv2.erode(cost, np.ones((7, 7), np.uint8))) & (cost < 1e9)
    rows, columns = np.nonzero(least)
    order = np.argsort(cost[rows, columns], kind="stable")[:BEST]
    down, right = rows[order] - int(y[0]), columns[order]
    right = width - 1 - right + int(x[0]) if mirrored else right - int(x[0])
    return [Offset(int(d), int(r), mirrored) for d, r in zip(down, right, strict=True)]
