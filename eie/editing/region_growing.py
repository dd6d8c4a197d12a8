"""The object around a clicked element, or in a box, by element affinity."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import RowMask, Rows, areas, rows_on_canvas
from eie.elements import ElementSet, Source
from eie.errors import UsageError
from eie.patch_graph import likeness, merging, thinned, touching_patches

TOLERANCE = 0.55
"""How unlike its object an element may be and still belong to it, in [0, 1]."""

STEP = 0.05
"""By how much the tolerance is lowered until an object leaves out what is no part of it."""

_MERGING = 0.8
"""How unlike each other patches of a region may be, per tolerance."""

# What a neighbour's likeness to the object must be, per 1 − tolerance: so much at least, and so
# much for each 1 of likeness to the background, and to its most alike other neighbour.
_LEAST_LIKENESS = 0.6
_BACKGROUND = 2.0
_ELSEWHERE = 0.8


def object_around(
    elements: ElementSet,
    row: int,
    among: RowMask,
    tolerance: float = TOLERANCE,
    apart: Rows | None = None,
) -> Rows:
    """The elements of the object that an element belongs to.

    Args:
        elements: the set.
        row: the clicked element.
        among: the elements that may belong to the object.
        tolerance: see :func:`grow`.
        apart: elements that are no part of the object, not the clicked one. If it would take one,
            it is grown with the largest tolerance below, in steps of :data:`STEP`, at which it
            does not; if there is none, the object is the clicked element.

    Returns:
        rows in ascending order, `row` among them.

    Raises:
        UsageError: the element's source has no affinity.
    """
    source = elements.sources[elements.table.source[row]]
    rows = instance_rows(elements, row, among)
    affinity, area, touching, rim = _measured(source, elements.table.patch[rows])
    start = int(np.flatnonzero(rows == row)[0])
    kept_out = np.isin(rows, [] if apart is None else apart)
    while tolerance >= 0:
        member = grow(affinity, area, touching, start, tolerance, rim)
        if not (member & kept_out).any():
            return rows[member]
        tolerance -= STEP
    return rows[start : start + 1]


def objects_around_each(elements: ElementSet, rows: Rows) -> NDArray[np.bool_]:
    """(K, K) bool: in row n the elements of :func:`object_around` the n-th of some.

    Args:
        rows: (K,) of one source, all that may belong to objects, each another patch.

    Raises:
        UsageError: the source has no affinity.
    """
    source = elements.sources[elements.table.source[rows[0]]]
    affinity, area, touching, rim = _measured(source, elements.table.patch[rows])
    return grow_each(affinity, area, touching, TOLERANCE, rim)


def _measured(source: Source, patches: NDArray[np.integer]) -> tuple[Any, Any, Any, Any]:
    """Affinity (K, K), areas (K,), what touches (K, K) and pixels along the edge (K,) of patches.

    Raises:
        UsageError: the source has no affinity.
    """
    if source.affinity is None:
        raise UsageError(
            "the file has no element affinity, so objects cannot be grown",
            hint="choose elements by id, @x,y or box:, or run eie decompose again",
        )
    label_map, _ = thinned(source.label_map)
    pairs = np.ix_(patches, patches)
    return (
        source.affinity[pairs],
        areas(label_map, source.patches)[patches] + 1,
        touching_patches(label_map, source.patches)[pairs],
        _rim(label_map, source.patches)[patches],
    )


def grow(
    affinity: NDArray[np.float32],
    area: NDArray[np.integer],
    touching: NDArray[np.bool_],
    start: int,
    tolerance: float = TOLERANCE,
    rim: NDArray[np.integer] | None = None,
) -> NDArray[np.bool_]:
    """Grow an object from one patch, the best fitting neighbour first.

    Two patches are like each other by the mean of both directions of their affinity, taken relative
    to how well they fit themselves, which thin and mottled ones do badly; two sets of patches, by
    the mean over both areas. That mean keeps one strong link from letting the object leak.

    A neighbour joins if it is like enough to the object. It must be the more so, the more it is
    like something else: the background, which is what lies along the photo's edge as far as that
    is unlike the start, and its other neighbours, which it may belong to instead. So that parts of
    one object do not take each other for something else, those that are surely one thing are first
    merged into regions, in which the object grows; then it grows by patches.

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
    field = _Field.of(affinity, area, touching, tolerance, rim)
    return field.grown(int(field.region[start]))


def grow_each(
    affinity: NDArray[np.float32],
    area: NDArray[np.integer],
    touching: NDArray[np.bool_],
    tolerance: float = TOLERANCE,
    rim: NDArray[np.integer] | None = None,
) -> NDArray[np.bool_]:
    """(P, P) bool: in row n the patches of the object that :func:`grow` grows from patch n.

    Patches of one region begin alike, and have one object.
    """
    field = _Field.of(affinity, area, touching, tolerance, rim)
    objects = np.array([field.grown(region) for region in range(len(field.regions.area))])
    each: NDArray[np.bool_] = objects[field.region]
    return each


class _Patches(NamedTuple):
    """Patches, or regions of several, and what connects them.

    likeness: (P, P) in [0, 1], symmetric.
    area: (P,) pixels.
    touching: (P, P) bool, symmetric.
    rim: (P,) pixels along the photo's edge.
    """

    likeness: NDArray[np.float64]
    area: NDArray[np.float64]
    touching: NDArray[np.bool_]
    rim: NDArray[np.integer]


class _Field(NamedTuple):
    """What objects are grown in.

    patches: they.
    region: (P,) the region of each patch.
    regions: these, as patches.
    """

    patches: _Patches
    region: NDArray[np.intp]
    regions: _Patches
    tolerance: float

    @classmethod
    def of(
        cls,
        affinity: NDArray[np.float32],
        area: NDArray[np.integer],
        touching: NDArray[np.bool_],
        tolerance: float,
        rim: NDArray[np.integer] | None,
    ) -> _Field:
        """The field of patches, as :func:`grow` takes them."""
        if rim is None:
            rim = np.zeros(len(area), dtype=np.int64)
        patches = _Patches(likeness(affinity), area.astype(np.float64), touching, rim)
        region = _merged(patches, 1 - _MERGING * tolerance)  # (P,)
        return cls(patches, region, _regions(patches, region), tolerance)

    def grown(self, start: int) -> NDArray[np.bool_]:
        """(P,) bool, the object around a region."""
        member = np.arange(len(self.regions.area)) == start
        member = _grown(self.regions, member, self.tolerance)[self.region]
        return _grown(self.patches, member, self.tolerance)


def _grown(patches: _Patches, member: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    """(P,) bool members of an object ⇒ with all that join it."""
    likeness, area, touching, rim = patches
    member = member.copy()
    bond = likeness[:, member] @ area[member]  # (P,) Σ over members n of likeness · area[n]
    least = np.full(len(area), _LEAST_LIKENESS)  # (P,)
    if rim.any():
        background = rim * (1 - bond / area[member].sum())  # (P,) pixels
        least += _BACKGROUND * (likeness @ background) / rim.sum()
    beside = np.where(touching, likeness, 0)  # (P, P)
    np.fill_diagonal(beside, 0)
    while True:
        near = np.flatnonzero(touching[member].any(axis=0) & ~member)  # (K,)
        if not len(near):
            return member
        elsewhere = beside[np.ix_(near, ~member)].max(axis=1)  # (K,)
        need = (1 - tolerance) * (least[near] + _ELSEWHERE * elsewhere)
        excess = bond[near] / area[member].sum() - need
        best = excess.argmax()
        if excess[best] < 0:
            return member
        joining = near[best]
        member[joining] = True
        bond += area[joining] * likeness[joining]


def _merged(patches: _Patches, least: float) -> NDArray[np.intp]:
    """The regions that touching patches form, (P,): the most alike merge first, while any two are
    more like each other than `least` on average over their area."""
    together, _ = merging(patches.likeness, patches.area, patches.touching, least)  # (P, P)
    first = (together > 0).argmax(axis=1)  # (P,) the first patch of each one's region
    return np.unique(first, return_inverse=True)[1]


def _regions(patches: _Patches, region: NDArray[np.intp]) -> _Patches:
    """Regions as patches; `region` (P,) is that of every patch."""
    order = np.argsort(region, kind="stable")
    first = np.searchsorted(region[order], np.arange(region.max() + 1))  # (R,)

    def gathered(plane: NDArray[Any]) -> NDArray[Any]:
        rows = np.add.reduceat(plane[np.ix_(order, order)], first, axis=0)
        return np.add.reduceat(rows, first, axis=1)  # (P, P) ⇒ (R, R)

    area = np.add.reduceat(patches.area[order], first)  # (R,)
    total = gathered(patches.likeness * patches.area * patches.area[:, None])
    return _Patches(
        likeness=total / (area * area[:, None]),
        area=area,
        touching=gathered(patches.touching.astype(np.int64)) > 0,
        rim=np.add.reduceat(patches.rim[order], first),
    )


def instance_rows(elements: ElementSet, row: int, among: RowMask) -> Rows:
    """The elements that lie to the clicked one as their patches lie in the source.

    Where patches were copied, an object and its copy show the same ones; an element belongs to the
    clicked instance if it stands nearer to its place there than to its place in any other.
    """
    table = elements.table
    rows = np.flatnonzero(among & (table.source == table.source[row]))
    copies = rows[(table.patch[rows] == table.patch[row]) & (rows != row)]
    transforms = [elements.transform(int(instance)) for instance in (row, *copies)]
    x, y = elements.home_box[rows, :2].T  # 2 × (K,)
    expected = np.stack([np.stack(t.apply(x, y), axis=1) for t in transforms], axis=1)  # (K, I, 2)
    distance = np.linalg.norm(table.box[rows, None, :2] - expected, axis=2)  # (K, I)
    mine = distance.argmin(axis=1) == 0
    rows, distance = rows[mine], distance[mine, 0]
    depth = -np.argsort(elements.paint_order)[rows]
    nearest_first = np.lexsort((depth, rows != row, distance))
    _, first = np.unique(table.patch[rows[nearest_first]], return_index=True)
    return np.sort(rows[nearest_first[first]])


def _rim(label_map: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """How many pixels along the edge of a label map each patch has: (P,) int64."""
    edges = (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1])
    return np.bincount(np.concatenate(edges), minlength=count)


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
