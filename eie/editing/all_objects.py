"""The things at all elements at once, as :mod:`eie.editing.objects` has them for one.

For pages and programs that show what a click would take before there is one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.editing.objects import Extent
from eie.editing.picking import Rows, areas
from eie.editing.region_growing import instance_rows, object_around, objects_around_each
from eie.elements import SURE, ElementSet, ObjectMasks
from eie.patch_graph import thinned, touching_patches

EXTENTS = (*Extent,)
"""In this order they are given; the second is what a point means by itself."""

_EVERY = np.arange(len(EXTENTS))

Members = NDArray[np.bool_]
"""(N, 3, N): whether the element in the last axis is in the thing at that in the first."""


def has_objects(elements: ElementSet) -> bool:
    """Whether the photos of all elements that are seen tell what belongs together."""
    shown = np.unique(elements.table.source[elements.table.visible]).tolist()
    sources = [elements.sources[index] for index in shown]
    return all(source.objects is not None or source.affinity is not None for source in sources)


def all_objects(elements: ElementSet) -> Members:
    """What `object@` takes at each visible element: as :part, by itself, as :whole.

    In a source that tells no candidates all three are what is grown by affinity.

    Returns:
        (N, 3, N) bool; nothing at elements that are not visible.

    Raises:
        UsageError: a source has neither objects nor affinity.
    """
    count = len(elements)
    members = np.zeros((count, len(EXTENTS), count), dtype=bool)
    visible = elements.table.visible
    for index in np.unique(elements.table.source[visible]).tolist():
        rows = np.flatnonzero(visible & (elements.table.source == index))
        objects = elements.sources[index].objects
        if objects is None:
            _grown(members, elements, rows)
        else:
            _by_candidates(members, elements, rows, objects)
    return members


def _by_candidates(
    members: Members, elements: ElementSet, rows: Rows, objects: ObjectMasks
) -> None:
    """Fill in the rows of a source that tells candidates."""
    source = elements.sources[elements.table.source[rows[0]]]
    small, _ = thinned(source.label_map)
    touching = touching_patches(small, source.patches)
    inside = connected_candidates(objects, areas(small, source.patches), touching)  # (P, 3, P)
    patch = elements.table.patch[rows]
    if len(np.unique(patch)) == len(patch):
        members[np.ix_(rows, _EVERY, rows)] = inside[patch][:, :, patch]
        return
    for row in rows.tolist():  # where there are copies, each place has elements of its own
        own = instance_rows(elements, row, elements.table.visible)
        members[row][:, own] = inside[elements.table.patch[row]][:, elements.table.patch[own]]


def _grown(members: Members, elements: ElementSet, rows: Rows) -> None:
    """Fill in the rows of a source that tells no candidates."""
    patch = elements.table.patch[rows]
    if len(np.unique(patch)) == len(patch):
        members[np.ix_(rows, _EVERY, rows)] = objects_around_each(elements, rows)[:, None]
        return
    for row in rows.tolist():
        members[row][:, object_around(elements, row, elements.table.visible)] = True


def connected_candidates(
    objects: ObjectMasks, area: NDArray[np.integer], touching: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(P, 3, P) bool: of each patch's smallest, best-scored and largest candidate, what is
    connected to it.

    Args:
        area: (P,) pixels of every patch.
        touching: (P, P) bool, symmetric.
    """
    count = len(area)
    masks = 2 * objects.chances > SURE  # (3, P, P)
    inside = masks[objects.by_extent(area).T, np.arange(count)[:, None]]  # (P, 3, P)
    start = np.broadcast_to(np.eye(count, dtype=bool)[:, None], inside.shape)
    reached = _reached(
        inside.reshape(-1, count).T, start.reshape(-1, count).T, touching
    )  # (P, 3·P)
    connected: NDArray[np.bool_] = np.ascontiguousarray(reached.T).reshape(inside.shape)
    return connected


def _reached(
    inside: NDArray[np.bool_], start: NDArray[np.bool_], touching: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(P, Q): for each of Q questions, the patches to which a way leads from its start, over what
    is inside. The questions are bits, so that a step answers eight at once."""
    questions = inside.shape[1]
    allowed = np.packbits(inside | start, axis=1)  # (P, Q / 8)
    reached = np.packbits(start, axis=1)
    first, second = np.nonzero(touching)  # by first, ascending
    if not len(first):
        return start
    ends, begin = np.unique(first, return_index=True)
    while True:
        beside = np.bitwise_or.reduceat(reached[second], begin, axis=0)  # (E, Q / 8)
        further = reached.copy()
        further[ends] |= beside & allowed[ends]
        if np.array_equal(further, reached):
            return np.unpackbits(reached, axis=1, count=questions).astype(bool)
        reached = further
