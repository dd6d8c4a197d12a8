"""The thing at a place, from what the file says that points on the patches stand for.

clicked patches ⇒ their three candidates each ⇒ the elements of the thing
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from eie.editing.growth import TOLERANCE, instance_rows, object_around
from eie.editing.picking import RowMask, Rows, areas
from eie.elements import SHARPNESS, SURE, ElementSet, ObjectMasks
from eie.patch_graph import thinned, touching_patches

_DOUBT = 0.5
"""What is left of a candidate's weight, against 1.5, that surely has a place which is cut off."""


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
    joined: Rows,
    apart: Rows,
) -> Rows:
    """The elements of the thing that an element belongs to.

    By itself, a place stands for its best-scored candidate, or for that which `extent` names.
    What is not connected to it is left out, over patches that touch in the photo: another thing of
    the same kind is likelier than a part that is cut off, which a second place can add.
    Places that are asked for together, and apart from others, are answered together: an element
    belongs to the thing if it is likelier than not to be in it by any of the joined places, and
    not likelier to be in that of a place it is apart from; the candidates of each place count by
    their scores.

    Args:
        elements: the set. Elements of a source that tells no objects are grown by affinity
            (:func:`eie.editing.growth.object_around`), and have no extents.
        row: the clicked element.
        among: (N,) bool, the elements that may belong to the thing.
        extent: which candidate; None for that of the tolerance.
        tolerance: as :func:`extent_of`, and of growing.
        joined, apart: other clicked elements of this thing, and of others.

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
    with_it, against = (patch[rows[np.isin(rows, others)]] for others in (joined, apart))
    clicked = int(patch[row])
    chosen = extent or (None if tolerance is None else extent_of(tolerance))
    small, _ = thinned(source.label_map)
    start = np.array([clicked])
    if chosen is None and len(with_it) + len(against):
        start = np.append(with_it, clicked)
        inside = asked_together(source.objects, start, against)
    else:
        size = areas(small, source.patches)  # (P,)
        inside = candidate(source.objects, clicked, size, chosen or Extent.OBJECT)
    inside = connected(inside, start, touching_patches(small, source.patches))
    return rows[inside[patch[rows]]]


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


def asked_together(
    objects: ObjectMasks, joined: NDArray[np.integer], apart: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """(P,) bool, the thing that some patches belong to and others do not."""
    inside = 1 - np.prod(1 - _chance(objects, joined, apart), axis=0)  # (P,)
    outside = _chance(objects, apart, apart[:0]).max(axis=0, initial=0)  # (P,)
    together: NDArray[np.bool_] = (inside > 0.5) & (inside >= outside)
    together[apart] = False
    together[joined] = True
    return together


def connected(
    inside: NDArray[np.bool_], start: NDArray[np.integer], touching: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(P,) bool, what of a set of patches is connected to some patches, and these.

    Args:
        inside: (P,) bool.
        start: patches.
        touching: (P, P) bool, symmetric.
    """
    reached = np.zeros(len(inside), dtype=bool)
    further = reached.copy()
    further[start] = True
    while further.any():
        reached |= further
        further = touching[further].any(axis=0) & inside & ~reached
    return reached


def _chance(
    objects: ObjectMasks, patches: NDArray[np.integer], apart: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(K, P): how likely each patch is in the thing at each of some, all candidates considered.

    A candidate counts by its score, and the less the likelier patches are in it that are apart.
    """
    chance = objects.chances[:, patches] / SURE  # (3, K, P)
    weight = np.exp(SHARPNESS * objects.scores[:, patches].astype(np.float64))  # (3, K)
    weight *= np.prod(1 - chance[..., apart] + _DOUBT, axis=2)
    weight /= weight.sum(axis=0)
    mean: NDArray[np.float64] = np.einsum("ck,ckp->kp", weight, chance)
    return mean
