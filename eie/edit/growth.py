"""The object around a clicked element, grown by element affinity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eie.edit.picking import RowMask, Rows, areas
from eie.elements import ElementSet
from eie.errors import UsageError

TOLERANCE = 0.55
"""How unlike its object an element may be and still belong to it, in [0, 1]."""

_LEAST_OWN = 0.1
"""Affinity with itself that any patch is taken to have: less is no measure of others."""


def object_around(
    elements: ElementSet, row: int, among: RowMask, tolerance: float = TOLERANCE
) -> Rows:
    """The elements of the object that an element belongs to.

    Args:
        elements: the set.
        row: the clicked element.
        among: the elements that may belong to the object.
        tolerance: see :func:`grow`.

    Returns:
        rows in ascending order, `row` among them.

    Raises:
        UsageError: the element's source has no affinity.
    """
    source = elements.sources[elements.table.source[row]]
    if source.affinity is None:
        raise UsageError(
            "the file has no element affinity, so objects cannot be grown",
            hint="choose elements by id, @x,y or box:, or run eie decompose again",
        )
    rows = _one_element_per_patch(elements, row, among)
    patches = elements.table.patch[rows]
    label_map = _thinned(source.label_map)
    member = grow(
        source.affinity[np.ix_(patches, patches)],
        areas(label_map, source.patches)[patches] + 1,
        touching_patches(label_map, source.patches)[np.ix_(patches, patches)],
        start=int(np.flatnonzero(rows == row)[0]),
        tolerance=tolerance,
        rim=_rim(label_map, source.patches)[patches],
    )
    return rows[member]


def grow(
    affinity: NDArray[np.float32],
    area: NDArray[np.integer],
    touching: NDArray[np.bool_],
    start: int,
    tolerance: float = TOLERANCE,
    rim: NDArray[np.integer] | None = None,
) -> NDArray[np.bool_]:
    """Grow an object from one patch, the best fitting patch first.

    A patch k fits as well as its likeness with the patches n that the object already has, on
    average over their area. The likeness is the mean of both directions of the affinity, taken
    relative to how well the two patches fit themselves, which thin and mottled ones do badly. The
    average keeps one strong link from letting the object leak.

    The neighbour that fits best beyond its need joins, while there is one. A patch needs a fit of
    1 − tolerance, and more, up to twice that, the more it is like the background: what lies along
    the photo's edge, as far as it is unlike the start.

    What does not touch the object never joins: another thing of the same kind is likelier than a
    part that is cut off, which can be added by a selection of its own.

    Args:
        affinity: (P, P) float in [0, 1], as :attr:`eie.elements.Source.affinity`.
        area: (P,) pixels of every patch, > 0.
        touching: (P, P) bool, symmetric: whether two patches share a border.
        start: the patch to grow from.
        tolerance: in [0, 1]; 0 takes hardly more than the start, 1 all that is connected.
        rim: (P,) pixels of every patch along the photo's edge; None if there is no background.

    Returns:
        (P,) bool, the patches of the object.
    """
    likeness = _likeness(affinity)  # (P, P)
    need = np.full(len(area), 1.0 - tolerance)  # (P,)
    if rim is not None and rim.any():
        background = rim * (1 - likeness[start])  # (P,) pixels
        need *= 1 + likeness @ background / rim.sum()
    member = np.zeros(len(area), dtype=bool)
    near = np.zeros(len(area), dtype=bool)
    bond = np.zeros(len(area))  # Σ over members n of area[n] · likeness[n]
    joining = start
    while True:
        member[joining] = True
        near |= touching[joining]
        bond += area[joining] * likeness[joining]
        excess = bond / area[member].sum() - need
        excess[member | ~near] = -np.inf
        joining = int(excess.argmax())
        if excess[joining] < 0:
            return member


def _likeness(affinity: NDArray[np.float32]) -> NDArray[np.float64]:
    """(P, P) in [0, 1], symmetric, from an affinity: relative to the patches' own, both ways."""
    own = np.sqrt(np.maximum(np.diag(affinity), _LEAST_OWN).astype(np.float64))  # (P,)
    relative = np.minimum(affinity / own / own[:, None], 1)  # (P, P)
    return (relative + relative.T) / 2


def _one_element_per_patch(elements: ElementSet, row: int, among: RowMask) -> Rows:
    """The elements that lie to the clicked one as their patches lie in the source.

    Where patches were copied, an object and its copy show the same ones; an element belongs to the
    clicked instance if it stands nearer to its place there than to its place in any other.
    """
    table = elements.table
    rows = np.flatnonzero(among & (table.source == table.source[row]))
    copies = rows[(table.patch[rows] == table.patch[row]) & (rows != row)]
    transforms = [elements.transform(int(instance)) for instance in (row, *copies)]
    scale = np.array([t.scale for t in transforms])  # (I, 2)
    offset = np.array([t.offset for t in transforms])  # (I, 2)
    expected = elements.home_box[rows, None, :2] * scale + offset  # (K, I, 2)
    distance = np.linalg.norm(table.box[rows, None, :2] - expected, axis=2)  # (K, I)
    mine = distance.argmin(axis=1) == 0
    rows, distance = rows[mine], distance[mine, 0]
    depth = -np.argsort(elements.paint_order)[rows]
    nearest_first = np.lexsort((depth, rows != row, distance))
    _, first = np.unique(table.patch[rows[nearest_first]], return_index=True)
    return np.sort(rows[nearest_first[first]])


def touching_patches(label_map: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    """Which patches of a label map share a pixel border: (P, P) bool, symmetric.

    Args:
        label_map: (H, W) integers in [0, count).
        count: the number of patches P.
    """
    touching = np.zeros((count, count), dtype=bool)
    for here, there in (
        (label_map[:, :-1], label_map[:, 1:]),
        (label_map[:-1], label_map[1:]),
    ):
        border = here != there
        touching[here[border], there[border]] = True
    return touching | touching.T


def _rim(label_map: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """How many pixels along the edge of a label map each patch has: (P,) int64."""
    edges = (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1])
    return np.bincount(np.concatenate(edges), minlength=count)


def _thinned(label_map: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Every k-th pixel of every k-th line, a million or a few: enough to see sizes and borders."""
    step = max(1, math.isqrt(label_map.size // 1_000_000))
    return label_map[::step, ::step]
