"""The object in a box, told from what lies around the box by element affinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import RowMask, Rows, areas, rows_on_canvas
from eie.elements import ElementSet
from eie.patch_graph import likeness

INSIDE = 0.9
"""Share of an element's visible pixels that must lie in the box for it to be of the object."""

_OUTSIDE = 0.5
"""Share up to which an element counts as ground."""

_ROUNDS = 8


def object_in_box(
    elements: ElementSet, among: RowMask, corners: tuple[float, float, float, float]
) -> Rows:
    """The elements in a box that are more like each other than like what is not.

    All elements that lie in the box are taken for the object at first. Then, over and over, those
    are, whose mean likeness to the object is at least that to the ground, both weighted by area:
    the ground is what lies outside, and what is in the box and was not taken. That is GrabCut's
    alternation (Rother et al., 2004), on affinity instead of colours.

    Args:
        elements: the set; elements of a source without affinity are taken as they lie.
        among: (N,) bool, the elements that may belong to the object.
        corners: x0, y0, x1, y1 in pixels of the canvas, x0 ≤ x1 and y0 ≤ y1; pixels whose centre
            is in it count.

    Returns:
        rows in ascending order; those that lie in the box the most, if no element lies within.
    """
    front = rows_on_canvas(elements, among)  # (H, W)
    area = areas(front, len(elements))
    x0, y0, x1, y1 = np.clip(np.ceil(np.array(corners) - 0.5), 0, None).astype(np.intp)
    covered = areas(front[y0:y1, x0:x1], len(elements))
    share = covered / np.maximum(area, 1)  # (N,)
    inside = share >= min(INSIDE, share.max(initial=0)) if covered.any() else covered > 0
    taken = np.zeros(len(elements), dtype=bool)
    for index in np.unique(elements.table.source[inside]):
        rows = np.flatnonzero((elements.table.source == index) & (area > 0))
        affinity = elements.sources[index].affinity
        if affinity is None:
            taken[rows] = inside[rows]
            continue
        patches = elements.table.patch[rows]
        alike = likeness(affinity[np.ix_(patches, patches)])  # (K, K)
        taken[rows] = _told_apart(alike, area[rows], inside[rows], share[rows] <= _OUTSIDE)
    return np.flatnonzero(taken)


def _told_apart(
    alike: NDArray[np.float64],
    area: NDArray[np.int64],
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(K,) bool, the elements inside that are of the object.

    Args:
        alike: (K, K) likeness; how an element is like itself does not count.
        area: (K,) pixels.
        inside, outside: (K,) bool.
    """
    others = alike * ~np.eye(len(alike), dtype=bool)
    taken = inside
    for _ in range(_ROUNDS):
        to_object = _mean_to(others, area * taken)
        to_ground = _mean_to(others, area * (outside | (inside & ~taken)))
        kept = inside & (to_object >= to_ground)
        if not kept.any() or (kept == taken).all():
            break
        taken = kept
    return taken


def _mean_to(others: NDArray[np.float64], weight: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) mean likeness of each element to those with a weight, itself left out; 0 to none."""
    total = weight.sum() - weight  # (K,): a weight of its own is left out
    mean: NDArray[np.float64] = others @ weight / np.maximum(total, 1)
    return mean
