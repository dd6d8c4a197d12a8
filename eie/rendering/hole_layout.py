"""What belongs where in a hole, told by elements and their affinity.

A wall goes on behind the thing that stood before it, a desk below it; a bottle beside it does not.
The elements that touch a hole are continued into it, each pixel's share w_r(p) of element r by
harmonic interpolation from the border; and what is copied from an element j may stand where it is
like those elements:

    P(j at p) = a_j · Σ_r w_r(p) · s(r, j)

with s the greater of their affinity and of how alike their colours and contrasts are. Large
surfaces go on behind what stood before them, and small things end: w_r is weighted by the root of
r's extent, the area of all that is one thing with it, and a_j is less than 1 where that of j is
small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eie.pictures import dilated
from eie.rendering.working_size import Numbers, Offset, WorkingSize, beside, solved

MISPLACED = 35.0
"""Cost, in levels, of copying a pixel to where nothing speaks for it."""

ALIKE = 14.0
"""Difference of colours and contrasts, about in steps of CIELAB, at which likeness is 1/e."""

_LOOKS = 0.8
"""Likeness of elements that look the same, but of which nothing says that they are one thing."""

_SMALL, _LARGE = 0.3, 0.2
"""How much less likely a thing of no extent is copied, and the extent, as a share of the window,
from which on a thing is copied as it comes."""

_TRACE = 0.02
"""Extent that is added to everything's: what is small counts for little, not for nothing."""

_LIGHTNESS, _CONTRAST = 0.5, 0.5
"""Weights beside those of hue and colourfulness: light falls unevenly on one thing."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The elements of a window of a photo.

    Attributes:
        patches: (H, W) integers, a window of a label map.
        affinity: (N, N) in [0, 1], of all its labels; None if unknown.
    """

    patches: NDArray[np.integer]
    affinity: Numbers | None

    def reduced(self, step: int, height: int, width: int) -> Layout:
        """Every `step`-th pixel, (height, width), of which the last ones repeat beyond the window,
        with the patches that are there counted from 0."""
        rows = (np.arange(height) * step + step // 2).clip(max=self.patches.shape[0] - 1)
        columns = (np.arange(width) * step + step // 2).clip(max=self.patches.shape[1] - 1)
        there, patches = np.unique(self.patches[np.ix_(rows, columns)], return_inverse=True)
        affinity = None if self.affinity is None else self.affinity[np.ix_(there, there)]
        return Layout(patches.reshape(height, width), affinity)


def misplacement(
    work: WorkingSize, layout: Layout, step: int, offsets: Sequence[Offset]
) -> Numbers:
    """(L, n) cost of showing at every pixel of a hole what every offset copies there.

    Args:
        work: the working size.
        layout: of the window, at its full size.
        step: how many of its pixels are one of the working size.
    """
    height, width = work.hole.shape
    reduced = layout.reduced(step, height, width)
    patches, likely = reduced.patches, _likely(work, reduced)
    pixel = np.arange(len(work))
    cost = np.empty((len(offsets), len(work)), dtype=np.float32)
    for index, offset in enumerate(offsets):
        rows, columns = offset.source(work.rows, work.columns)
        shown = patches[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        cost[index] = MISPLACED * (1 - likely[pixel, shown])
    return cost


def _likely(work: WorkingSize, layout: Layout) -> Numbers:
    """(n, P) how likely every pixel of the hole shows what every patch does; patches count from
    0, and the layout has the working size."""
    patches = layout.patches
    ring = dilated(work.hole, 1) & work.known
    count = int(patches.max()) + 1
    touching = np.unique(patches[ring])
    alike = _LOOKS * _alike_looks(work, patches, count)[touching]  # (R, P)
    share = _shares(work, patches, ring, touching)  # (n, R)
    whole = np.ones(count)
    if layout.affinity is not None:
        both = np.maximum(layout.affinity, layout.affinity.T)
        alike = np.maximum(alike, both[touching])
        pixels = np.bincount(patches[work.known], minlength=count)
        extent = (both @ pixels) / max(1, pixels.sum())  # (P,)
        share *= np.sqrt(extent[touching] + _TRACE)
        share /= share.sum(axis=1, keepdims=True) + 1e-9
        whole -= _SMALL * (1 - extent / _LARGE).clip(0)
    alike[np.arange(len(touching)), touching] = 1
    return np.asarray((share @ alike * whole).clip(0, 1), dtype=np.float32)


def _shares(
    work: WorkingSize,
    patches: NDArray[np.integer],
    ring: NDArray[np.bool_],
    touching: NDArray[np.integer],
) -> Numbers:
    """(n, R) the harmonic shares of the patches that touch the hole."""
    count = len(work)
    given = np.zeros((count, len(touching)))
    for pixel, near in beside(work.rows, work.columns, ring):
        given[pixel, np.searchsorted(touching, patches[near])] += 1
    pairs = np.bincount(work.first, minlength=count) + np.bincount(work.second, minlength=count)
    diagonal = pairs + given.sum(axis=1) + 1e-6  # no part may be without any border
    return solved(work.first, work.second, np.ones(len(work.first)), diagonal, given)


def _alike_looks(work: WorkingSize, patches: NDArray[np.integer], count: int) -> Numbers:
    """(P, P) how alike the known pixels of patches look; 0 for those without any."""
    import cv2

    lab = cv2.cvtColor((work.colour / 255).clip(0, 1), cv2.COLOR_RGB2LAB)[work.known]  # (m, 3)
    patch = patches[work.known]
    pixels = np.bincount(patch, minlength=count)
    looks = []
    for value, weight in zip(lab.T, (_LIGHTNESS, 1, 1), strict=True):
        mean = np.bincount(patch, value, count) / np.maximum(pixels, 1)
        square = np.bincount(patch, np.square(value), count) / np.maximum(pixels, 1)
        looks += [weight * mean, _CONTRAST * np.sqrt((square - np.square(mean)).clip(0))]
    points = np.stack(looks, axis=1)  # (P, 6)
    apart = np.square(points[:, None] - points[None]).sum(axis=2)
    alike = np.exp(-apart / ALIKE**2)
    alike[pixels == 0] = alike[:, pixels == 0] = 0
    return np.asarray(alike, dtype=np.float32)
