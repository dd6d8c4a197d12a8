"""The thing at a place, from what the file says that points on the patches stand for.

a click                ⇒ one of all candidates with its patch (:mod:`.candidate_ranking`)
a patch and an extent  ⇒ one of the patch's own three candidates
several clicks         ⇒ an answer that each corrects (:mod:`.corrections`)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.candidate_ranking import unranked
from eie.editing.click_facts import ClickFacts, PatchClick
from eie.editing.corrections import answer
from eie.editing.picking import RowMask, Rows, areas
from eie.editing.region_growing import TOLERANCE, instance_rows, object_around
from eie.elements import SURE, ElementSet, ObjectMasks
from eie.patch_graph import connected, thinned, touching_patches

CanvasPoint = tuple[float, float]
"""x and y in pixels of the canvas."""


class Extent(Enum):
    """How much of what is there is meant: the smallest, the best-scored, the largest candidate, in
    the order of :meth:`eie.elements.ObjectMasks.by_extent`."""

    PART = "part"
    OBJECT = "object"
    WHOLE = "whole"


def extent_of(tolerance: float) -> Extent:
    """What a tolerance in [0, 1] stands for where candidates are known: a third each."""
    if tolerance < 1 / 3:
        return Extent.PART
    return Extent.OBJECT if tolerance <= 2 / 3 else Extent.WHOLE


class ObjectClick(NamedTuple):
    """An element that was clicked, and what for.

    row: of the element.
    point: x and y of the click, in pixels of the canvas.
    joins: whether it is of the thing, or of another.
    by_itself: whether one of its three candidates is meant, whatever else was clicked.
    """

    row: int
    point: CanvasPoint
    joins: bool
    by_itself: bool = False


def object_at(
    elements: ElementSet,
    row: int,
    among: RowMask,
    extent: Extent | None = None,
    tolerance: float | None = None,
    apart: Rows | None = None,
    point: CanvasPoint | None = None,
) -> Rows:
    """The elements of the thing that an element belongs to.

    A point stands for the safest of what a click there may mean, all candidates that the element is
    in (:func:`eie.editing.corrections.answer`). An element by itself, or in a photo cut by a
    Segment Anything checkpoint, stands for its own best-scored candidate, or for that which
    `extent` names. What is not connected to it is left out, over patches that touch in the photo:
    another thing of the same kind is likelier than a part that is cut off, which a second place can
    add.

    Args:
        elements: the set. Elements of a source that tells no objects are grown by affinity
            (:func:`eie.editing.region_growing.object_around`), and have no extents.
        row: the clicked element.
        among: (N,) bool, the elements that may belong to the thing.
        extent: which candidate; None for that of the tolerance.
        tolerance: as :func:`extent_of`, and of growing.
        apart: elements that growing leaves out.
        point: where the element was clicked; it counts where neither an extent nor a tolerance is
            asked for.

    Returns:
        rows in ascending order, `row` among them.

    Raises:
        UsageError: the element's source has neither objects nor affinity.
    """
    source = elements.sources[elements.table.source[row]]
    if source.objects is None:
        reach = TOLERANCE if tolerance is None else tolerance
        return object_around(elements, row, among, reach, apart=apart)
    rows = instance_rows(elements, row, among)  # (K,)
    patch = elements.table.patch
    if point is not None and extent is None and tolerance is None and _ranked(elements, row):
        click = _click_on(elements, ObjectClick(row, point, True))
        return rows[answer(ClickFacts.of(source), [click])[patch[rows]]]
    small, _ = thinned(source.label_map)
    clicked = int(patch[row])
    chosen = extent or (Extent.OBJECT if tolerance is None else extent_of(tolerance))
    inside = candidate(source.objects, clicked, areas(small, source.patches), chosen)
    inside = connected(inside, np.array([clicked]), touching_patches(small, source.patches))
    return rows[inside[patch[rows]]]


def objects_together(
    elements: ElementSet, clicks: Sequence[ObjectClick], among: RowMask
) -> dict[int, Rows]:
    """The things at elements that were clicked together, each click correcting the answer to those
    before (:func:`eie.editing.corrections.answer`).

    Args:
        clicks: in their order. Those on one instance of a source's objects are of one thing.
        among: (N,) bool, the elements that may belong to a thing.

    Returns:
        (K,) ascending rows for each row that joins and is not meant by itself, if others were
        clicked with it in a source that tells objects.
    """
    patch = elements.table.patch
    things: dict[int, Rows] = {}
    for click in clicks:
        source = elements.sources[elements.table.source[click.row]]
        asked = click.joins and not click.by_itself and click.row not in things
        if not asked or source.objects is None or len(clicks) == 1:
            continue
        rows = instance_rows(elements, click.row, among)  # (K,)
        mine = np.isin([other.row for other in clicks], rows)
        here = [other for other, is_mine in zip(clicks, mine, strict=True) if is_mine]
        if len(here) == 1:
            continue
        ordered, facts = joining_first(here), ClickFacts.of(source)
        on = [_click_on(elements, other) for other in ordered]
        ranked = _ranked(elements, ordered[0].row)
        inside = answer(facts, on, None if ranked else unranked(facts, on[0].patch))
        thing = rows[inside[patch[rows]]]
        things |= {c.row: thing for c in here if c.joins and not c.by_itself}
    return things


def _ranked(elements: ElementSet, row: int) -> bool:
    """Whether candidates are ranked by what was learnt of the embedded segmenter's: what a Segment
    Anything checkpoint says of its own is better founded, and its scores lie elsewhere."""
    segmenter = elements.decomposition.get("segmenter")
    return elements.table.source[row] != 0 or not str(segmenter).endswith(".pth")


def _click_on(elements: ElementSet, click: ObjectClick) -> PatchClick:
    """A click on an element, as one on its source, wherever the element was moved."""
    x, y = (float(at) for at in elements.transform(click.row).inverse(*click.point))
    return PatchClick(int(elements.table.patch[click.row]), (x, y), click.joins)


def joining_first(clicks: Sequence[ObjectClick]) -> list[ObjectClick]:
    """Clicks with the first one that joins before all others."""
    first = next(index for index, click in enumerate(clicks) if click.joins)
    return [clicks[first], *clicks[:first], *clicks[first + 1 :]]


def candidate(
    objects: ObjectMasks, patch: int, area: NDArray[np.integer], extent: Extent
) -> NDArray[np.bool_]:
    """One of a patch's candidates: (P,) bool.

    Args:
        area: (P,) pixels of every patch.
    """
    chosen = objects.by_extent(area, patch)[[*Extent].index(extent)]
    found: NDArray[np.bool_] = 2 * objects.chances[chosen, patch] > SURE
    return found
