"""The thing at a place, from what the file says that points on the patches stand for.

clicked patch            ⇒ one of its three candidates ⇒ the elements of the thing
several clicked patches  ⇒ an answer that each corrects (:mod:`eie.editing.corrections`)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from eie.editing.corrections import ClickFacts, PatchClick, answer
from eie.editing.growth import TOLERANCE, instance_rows, object_around
from eie.editing.picking import RowMask, Rows, areas
from eie.elements import SURE, ElementSet, ObjectMasks
from eie.patch_graph import connected, thinned, touching_patches


class Extent(Enum):
    """How much of what is there is meant: the smallest, the best-scored, the largest candidate."""

    PART = "part"
    OBJECT = "object"
    WHOLE = "whole"


def extent_of(tolerance: float) -> Extent:
    """What a tolerance in [0, 1] stands for where candidates are known: a third each."""
    if tolerance < 1 / 3:
        return Extent.PART
    return Extent.OBJECT if tolerance <= 2 / 3 else Extent.WHOLE


def object_at(
    elements: ElementSet,
    row: int,
    among: RowMask,
    *,
    extent: Extent | None = None,
    tolerance: float | None = None,
    clicks: Sequence[tuple[int, bool]] = (),
) -> Rows:
    """The elements of the thing that an element belongs to.

    By itself, a place stands for its best-scored candidate, or for that which `extent` names.
    What is not connected to it is left out, over patches that touch in the photo: another thing of
    the same kind is likelier than a part that is cut off, which a second place can add.
    Places that are asked for together, and apart from others, are answered together, each
    correcting the answer to those before (:func:`eie.editing.corrections.answer`).

    Args:
        elements: the set. Elements of a source that tells no objects are grown by affinity
            (:func:`eie.editing.growth.object_around`), and have no extents.
        row: the clicked element.
        among: (N,) bool, the elements that may belong to the thing.
        extent: which candidate; None for that of the tolerance.
        tolerance: as :func:`extent_of`, and of growing.
        clicks: rows that were clicked in their order, `row` among them, and whether each is of
            this thing or of another.

    Returns:
        rows in ascending order, `row` among them, unless a later click cut it off.

    Raises:
        UsageError: the element's source has neither objects nor affinity.
    """
    source = elements.sources[elements.table.source[row]]
    if source.objects is None:
        reach = TOLERANCE if tolerance is None else tolerance
        apart = np.array([other for other, joins in clicks if not joins and other != row])
        return object_around(elements, row, among, reach, apart=apart.astype(np.intp))
    rows = instance_rows(elements, row, among)  # (K,)
    patch = elements.table.patch
    chosen = extent or (None if tolerance is None else extent_of(tolerance))
    here = [PatchClick(int(patch[other]), joins) for other, joins in clicks if other in rows]
    if chosen is None and len(here) > 1:
        inside = answer(ClickFacts.of(source), joining_first(here))
        return rows[inside[patch[rows]]]
    small, _ = thinned(source.label_map)
    clicked = int(patch[row])
    size = areas(small, source.patches)  # (P,)
    inside = candidate(source.objects, clicked, size, chosen or Extent.OBJECT)
    inside = connected(inside, np.array([clicked]), touching_patches(small, source.patches))
    return rows[inside[patch[rows]]]


def joining_first(clicks: Sequence[PatchClick]) -> list[PatchClick]:
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
    masks = 2 * objects.chances[:, patch] > SURE  # (3, P)
    if extent is Extent.OBJECT:
        index = objects.scores[:, patch].argmax()
    else:
        size = masks @ area  # (3,)
        index = size.argmin() if extent is Extent.PART else size.argmax()
    found: NDArray[np.bool_] = masks[index]
    return found
