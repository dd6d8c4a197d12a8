"""What an operation took, told to the person who typed it, and what may be wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from eie.editing.operations.base import Operation
from eie.editing.picking import Rows, areas
from eie.editing.selection import Selection
from eie.elements import ElementSet
from eie.geometry import common_box
from eie.patch_graph import likeness, thinned, touching_patches

MOST = 0.5
"""Share of the picture from which a selection is said to be most of it."""

SURE = 0.95
"""Mean likeness to what is chosen from which a neighbour is most likely of the same thing.

Of touching elements of COCO's photos that are so alike, one of them in a thing, 92 of 100 are in
the same thing.
"""

_NAMED = 3
"""Neighbours named at most."""


def account_of(
    operation: Operation, before: ElementSet, after: ElementSet, *, ids: bool = False
) -> Iterator[str]:
    """Lines about an operation that was applied: what it took, then warnings.

    Args:
        before: the set it was applied to, its elements parted along the operation's masks.
        after: what came out.
        ids: whether the first line names the elements.

    Yields:
        `deleted 3 elements, 120×80 px around 300,200; 14 % of the picture` and the like: the size
        and centre of their common box, and their area, hidden parts included, as a share of the
        canvas. Nothing for operations that take no elements.
    """
    taken = operation.taken(before, after)
    if taken is None:
        return
    elements, rows = taken
    named = f": {spans(elements.table.id[rows])}" if ids else ""
    yield f"{operation.done} {description(elements, rows, operation.manner)}{named}"
    chosen = list(operation.selections.values())
    for doubt in doubts(elements, rows, chosen, torn=operation.parts_things):
        yield f"warning: {doubt}"


def description(elements: ElementSet, rows: Rows, manner: str = "") -> str:
    """Elements in words: `3 elements, 120×80 px around 300,200; 14 % of the picture`.

    Args:
        manner: what stands behind their number, as in " by 30°".
    """
    share = share_of(elements, rows)
    return f"{_counted(rows)}{manner}, {_place(elements, rows)}; {_percent(share)}"


def share_of(elements: ElementSet, rows: Rows) -> float:
    """The area of elements, hidden parts included, as a share of the canvas."""
    return float(_areas_on_canvas(elements, rows).sum()) / math.prod(elements.canvas)


def doubts(
    elements: ElementSet, rows: Rows, selections: Sequence[Selection], *, torn: bool
) -> Iterator[str]:
    """What may be wrong with what selections chose, in lines.

    Args:
        torn: whether a thing is torn if it is not taken whole.
    """
    texts = [str(selection) for selection in selections]
    asked = any(text.startswith("all") for text in texts)
    signs = {sign for selection in selections for sign, _ in selection.terms}
    if share_of(elements, rows) > MOST and not asked:
        hint = "; ~0.3 behind object@x,y takes less" if any("object@" in t for t in texts) else ""
        yield f"that is most of the picture{hint}"
    # Who takes something away has looked at what is beside it.
    looked = not torn or "-" in signs
    alike = [] if looked else alike_neighbours(elements, rows)
    if alike:
        named = ",".join(map(str, alike[:_NAMED]))
        more = f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else ""
        verb, what = ("is", "it") if len(alike) == 1 else ("are", "them")
        yield (
            f"{named}{more}, next to that, {verb} most likely of the same thing; "
            f"+{named} adds {what}"
        )


def alike_neighbours(elements: ElementSet, rows: Rows) -> list[int]:
    """The ids of visible elements that touch chosen ones in the photo and are very alike.

    They lie to the chosen ones as in the photo, in a source that has affinity; the most alike
    first. What is alike is told by the mean likeness to all chosen elements of the source,
    weighted by area (:func:`eie.editing.region_growing.likeness`).
    """
    table = elements.table
    found: list[tuple[float, int]] = []
    for index in np.unique(table.source[rows]):
        source = elements.sources[index]
        own = rows[table.source[rows] == index]
        others = np.flatnonzero(table.visible & (table.source == index))
        others = others[~np.isin(table.patch[others], table.patch[own])]
        if source.affinity is None or not len(others):
            continue
        label_map, _ = thinned(source.label_map)
        chosen = np.unique(table.patch[own])
        touching = touching_patches(label_map, source.patches)[:, chosen]  # (P, C)
        others = others[touching[table.patch[others]].any(axis=1)]
        weight = areas(label_map, source.patches)[chosen] + 1
        patches = np.concatenate([table.patch[others], chosen])
        alike = likeness(source.affinity[np.ix_(patches, patches)])[: len(others), len(others) :]
        mean = alike @ weight / weight.sum()  # (K,)
        together = _lie_together(elements, others, own)
        found += [
            (-float(value), int(table.id[row]))
            for row, value, near in zip(others, mean, together, strict=True)
            if value >= SURE and near
        ]
    return [element for _, element in sorted(found)]


def _lie_together(elements: ElementSet, others: Rows, rows: Rows) -> NDArray[np.bool_]:
    """(K,) bool, which of the others were carried from the photo as one of the rows was."""
    transforms = elements.transforms(np.concatenate([rows, others]))
    places = set(transforms[: len(rows)])
    return np.array([there in places for there in transforms[len(rows) :]], dtype=bool)


def _areas_on_canvas(elements: ElementSet, rows: Rows) -> NDArray[np.float64]:
    """(K,) pixels of the canvas that elements cover, whether seen or not."""
    table = elements.table
    total = np.zeros(len(rows))
    for index in np.unique(table.source[rows]):
        source = elements.sources[index]
        label_map, step = thinned(source.label_map)
        own = table.source[rows] == index
        patch = areas(label_map, source.patches)[table.patch[rows[own]]] * step**2
        scale = table.box[rows[own], 2:] / elements.home_box[rows[own], 2:]
        total[own] = patch * scale.prod(axis=1)
    return total


def _place(elements: ElementSet, rows: Rows) -> str:
    x, y, width, height = common_box(elements.table.upright_box[rows])
    return f"{width:.0f}×{height:.0f} px around {x:.0f},{y:.0f}"


def spans(ids: NDArray[np.integer]) -> str:
    """Ids as a selection that chooses them: `3,7,20-25`."""
    ordered = np.unique(ids)
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return ",".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _counted(rows: Rows) -> str:
    return "1 element" if len(rows) == 1 else f"{len(rows)} elements"


def _percent(share: float) -> str:
    if share < 0.01:
        return "under 1 % of the picture"
    return f"{share:.0%}".replace("%", " % of the picture")
