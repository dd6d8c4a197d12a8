"""Parting elements along a mask: what someone has outlined need not follow the elements' borders.

    elements that the mask's border crosses ⇒ their patches in two ⇒ a second element for each

The set stays the same picture, cut finer: every element that shows a parted patch, in the table and
in every state of the history, becomes two, one in and one out of the mask. The one outside keeps
the id. So undoing an edit brings back what was seen before it, and leaves elements parted. (Where
edited elements of one z-order overlap, the one with the higher id is nearer: there a new part comes
to the front.)

What is in the mask and what is out of it are two things: elements have no affinity across its
border. Rendering takes that for a border that is known (:mod:`eie.rendering.anchored`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import Rows, areas, rows_on_canvas
from eie.elements import MAX_ELEMENTS, ElementSet, ElementTable, Groups, ObjectMasks, Source
from eie.errors import UsageError
from eie.geometry import Boxes, corners, patch_boxes

Patch = tuple[int, int]
"""Index of a source, and of a patch of it."""

LEAST = 4
"""Visible pixels that an element must have in the mask and out of it to be parted: fewer are no
patch, and hardly seen."""


def part(elements: ElementSet, white: NDArray[np.bool_]) -> ElementSet:
    """The set with the visible elements parted that a mask's border crosses, and told apart.

    Embeddings of sources that have parted patches are left out: they are of other patches.

    Args:
        elements: the set; elements of sources without pixels are left whole.
        white: (H, W) bool on the canvas.

    Raises:
        UsageError: there would be too many elements.
    """
    inside: dict[Patch, NDArray[np.bool_]] = {}
    visible, covered = _seen(elements, white)
    for row in _crossed(elements, visible, covered):
        patch = (int(elements.table.source[row]), int(elements.table.patch[row]))
        if patch not in inside:
            own, under = _under(elements, row, white)
            if 0 < np.count_nonzero(under) < np.count_nonzero(own):
                inside[patch] = under
    if inside:
        elements = _parted(elements, inside)
        visible, covered = _seen(elements, white)
    return _told_apart(elements, within=2 * covered > visible, seen=visible > 0)


def _seen(
    elements: ElementSet, white: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) visible pixels of each element, and (N,) those under a mask."""
    front = rows_on_canvas(elements, elements.table.visible)  # (H, W)
    return areas(front, len(elements)), areas(np.where(white, front, -1), len(elements))


def _crossed(elements: ElementSet, visible: NDArray[np.int64], covered: NDArray[np.int64]) -> Rows:
    """Rows of the elements that are visible both in and out of a mask."""
    with_pixels = np.array([source.pixels is not None for source in elements.sources])
    crossed = np.minimum(covered, visible - covered) >= LEAST
    return np.flatnonzero(crossed & with_pixels[elements.table.source])


def _told_apart(
    elements: ElementSet, within: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> ElementSet:
    """The set without affinity, and without objects, across a mask's border.

    Args:
        within, seen: (N,) bool. A patch that is seen both in and out is left as it is.
    """
    if not within.any():
        return elements
    sources = list(elements.sources)
    table = elements.table
    for index, source in enumerate(sources):
        own = seen & (table.source == index)
        one, other = (np.unique(table.patch[own & side]) for side in (within, ~within))
        both = np.intersect1d(one, other)
        one, other = (np.setdiff1d(patches, both) for patches in (one, other))
        if not len(one) or not len(other):
            continue
        affinity, objects = source.affinity, source.objects
        if affinity is not None:
            affinity = affinity.copy()  # (P, P)
            affinity[np.ix_(one, other)] = affinity[np.ix_(other, one)] = 0
        if objects is not None:
            chances = objects.chances.copy()  # (3, P, P)
            for here, there in ((one, other), (other, one)):
                chances[:, here[:, None], there] = 0
            objects = replace(objects, chances=chances)
        sources[index] = replace(source, affinity=affinity, objects=objects)
    return replace(elements, sources=tuple(sources))


def _window(source: Source, patch: int) -> tuple[slice, slice]:
    """The rows and columns of a source that a patch lies in."""
    left, top, right, bottom = (int(edge) for edge in corners(source.home_box[patch]))
    return slice(top, bottom), slice(left, right)


def _under(
    elements: ElementSet, row: int, white: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels of its window are of an element's patch, and which of these lie under a mask.

    Both (h, w) bool; what lies outside the canvas is under no mask.
    """
    source = elements.sources[elements.table.source[row]]
    patch = int(elements.table.patch[row])
    window = _window(source, patch)
    down, across = (np.arange(span.start, span.stop) + 0.5 for span in window)
    x, y = elements.transform(row).apply(across[None], down[:, None])
    column, line = np.floor(x), np.floor(y)  # (h, w), or (1, w) and (h, 1)
    height, width = white.shape
    within = (column >= 0) & (column < width) & (line >= 0) & (line < height)
    column, line = column.clip(0, width - 1), line.clip(0, height - 1)
    own = source.label_map[window] == patch
    return own, own & within & white[line.astype(np.intp), column.astype(np.intp)]


def _parted(elements: ElementSet, inside: Mapping[Patch, NDArray[np.bool_]]) -> ElementSet:
    """The set with patches parted.

    Args:
        inside: for each patch to part, the pixels of its window that its new part takes.
    """
    sources, children = list(elements.sources), []
    for index, source in enumerate(elements.sources):
        own = {patch: mask for (of, patch), mask in inside.items() if of == index}
        child = np.full(source.patches, -1, dtype=np.int32)  # (P,) the new part of each patch
        child[sorted(own)] = source.patches + np.arange(len(own))
        children.append(child)
        if own:
            sources[index] = _finer_source(source, own, child)
    finer = replace(elements, sources=tuple(sources))
    ids = _ids_of_parts(elements, children)
    history = []
    for edit in elements.history:
        table = _finer_table(edit.table, elements, finer, children, ids)
        history.append(replace(edit, table=table, groups=_finer_groups(edit.groups, table, ids)))
    table = _finer_table(elements.table, elements, finer, children, ids)
    groups = _finer_groups(elements.groups, table, ids)
    return replace(finer, table=table, groups=groups, history=tuple(history))


def _finer_source(
    source: Source, inside: Mapping[int, NDArray[np.bool_]], child: NDArray[np.int32]
) -> Source:
    """A source with patches parted; parts have the affinity of what they were part of."""
    label_map = source.label_map.copy()  # (H, W)
    for patch, mask in inside.items():
        label_map[_window(source, patch)][mask] = child[patch]
    count = source.patches + len(inside)
    affinity, objects = source.affinity, source.objects
    all_of = np.concatenate([np.arange(source.patches), np.flatnonzero(child >= 0)])
    if affinity is not None:
        affinity = affinity[np.ix_(all_of, all_of)]
    if objects is not None:
        chances = objects.chances[:, all_of][:, :, all_of]
        objects = ObjectMasks(chances, objects.scores[:, all_of])
    return replace(
        source,
        label_map=label_map,
        home_box=patch_boxes(label_map, count),
        affinity=affinity,
        objects=objects,
        embeddings=None,
    )


def _ids_of_parts(elements: ElementSet, children: Sequence[NDArray[np.int32]]) -> dict[int, int]:
    """The id of the new part of every element that shows a parted patch, now or in the history."""
    ids: dict[int, int] = {}
    free = elements.next_id
    for table in (*(edit.table for edit in elements.history), elements.table):
        if len(table) + len(_rows_to_part(table, children)) > MAX_ELEMENTS:
            raise UsageError(
                f"the mask would part the photo into more than {MAX_ELEMENTS} elements",
                hint="choose a plainer mask",
            )
        for element in table.id[_rows_to_part(table, children)].tolist():
            ids.setdefault(element, free + len(ids))
    return ids


def _rows_to_part(table: ElementTable, children: Sequence[NDArray[np.int32]]) -> Rows:
    """The rows that show a parted patch."""
    parted = np.zeros(len(table), dtype=bool)
    for index, child in enumerate(children):
        own = table.source == index
        parted[own] = child[table.patch[own]] >= 0
    return np.flatnonzero(parted)


def _finer_table(
    table: ElementTable,
    before: ElementSet,
    after: ElementSet,
    children: Sequence[NDArray[np.int32]],
    ids: Mapping[int, int],
) -> ElementTable:
    """A table with two elements for each that shows a parted patch."""
    rows = _rows_to_part(table, children)
    shown = table.take(rows)
    patches = list(zip(shown.source.tolist(), shown.patch.tolist(), strict=True))
    parts = [(source, int(children[source][patch])) for source, patch in patches]
    home = _homes(before, patches)
    parents = table.set(rows, box=_box_of_part(shown, home, _homes(after, patches)))
    return parents.append(
        replace(
            shown,
            id=np.array([ids[element] for element in shown.id.tolist()], dtype=np.int32),
            patch=np.array([patch for _, patch in parts], dtype=np.int32),
            box=_box_of_part(shown, home, _homes(after, parts)),
        )
    )


def _homes(elements: ElementSet, patches: Sequence[Patch]) -> Boxes:
    """(K, 4) the patches' home boxes."""
    boxes = [elements.sources[source].home_box[patch] for source, patch in patches]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _box_of_part(shown: ElementTable, whole: Boxes, part: Boxes) -> Boxes:
    """(K, 4) where a part lies on the canvas when its whole lies where the table says.

    Args:
        whole, part: (K, 4) home boxes.
    """
    scale = shown.box[:, 2:] / whole[:, 2:]
    way = np.where(shown.flip, -scale, scale) * (part[:, :2] - whole[:, :2])
    if shown.turned.any():
        way = (shown.frame @ way[:, :, None])[:, :, 0]
    return np.hstack([shown.box[:, :2] + way, scale * part[:, 2:]])


def _finer_groups(groups: Groups, table: ElementTable, ids: Mapping[int, int]) -> Groups:
    """Groups with the new parts of their members."""
    present = set(table.id.tolist())
    return MappingProxyType(
        {
            name: (*members, *(ids[i] for i in members if i in ids and ids[i] in present))
            for name, members in groups.items()
        }
    )
