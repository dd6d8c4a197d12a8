"""Modifiers: corrections of what a selection has chosen so far.

They see the canvas as it stands: which elements are next to each other, and by how long a border in
pixel sides. The photo's frame is no border; a place where no element is lies outside of what is
chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import RowMask, rows_on_canvas
from eie.elements import ElementSet

Chosen = NDArray[np.bool_]
"""(N,) whether each row of an element table is chosen."""


@dataclass(frozen=True)
class Grow:
    """Add the elements next to what is chosen, `rings` times."""

    rings: int = 1

    def corrected(self, elements: ElementSet, among: RowMask, chosen: Chosen) -> Chosen:
        borders = _borders(rows_on_canvas(elements, among), len(elements))
        for _ in range(self.rings):
            beside = borders.beside(np.append(chosen, False))[:-1]
            if not (beside & ~chosen).any():
                break
            chosen = chosen | beside
        return chosen

    def __str__(self) -> str:
        return _with_count("grow", self.rings)


@dataclass(frozen=True)
class Shrink:
    """Take away the elements at the edge of what is chosen, `rings` times."""

    rings: int = 1

    def corrected(self, elements: ElementSet, among: RowMask, chosen: Chosen) -> Chosen:
        borders = _borders(rows_on_canvas(elements, among), len(elements))
        for _ in range(self.rings):
            chosen = chosen & ~borders.beside(np.append(~chosen, True))[:-1]
        return chosen

    def __str__(self) -> str:
        return _with_count("shrink", self.rings)


@dataclass(frozen=True)
class Smooth:
    """Let every element follow its surroundings, `times` times.

    One that has more than half of its border with chosen elements joins, one that has more than
    half of it with others leaves; all at once.
    """

    times: int = 1

    def corrected(self, elements: ElementSet, among: RowMask, chosen: Chosen) -> Chosen:
        borders = _borders(rows_on_canvas(elements, among), len(elements))
        whole = borders.length_with(np.ones(len(elements) + 1, dtype=bool))[:-1]  # (N,)
        for _ in range(self.times):
            inside = borders.length_with(np.append(chosen, False))[:-1]  # (N,)
            chosen = np.where(2 * inside == whole, chosen, 2 * inside > whole)
        return chosen

    def __str__(self) -> str:
        return _with_count("smooth", self.times)


@dataclass(frozen=True)
class Fill:
    """Add what is enclosed: from where no way leads to the frame that avoids what is chosen."""

    def corrected(self, elements: ElementSet, among: RowMask, chosen: Chosen) -> Chosen:
        front = rows_on_canvas(elements, among)  # (H, W)
        borders = _borders(front, len(elements))
        seen, reached = np.zeros((2, len(elements) + 1), dtype=bool)  # −1 is the last
        seen[front] = True
        for edge in (front[0], front[-1], front[:, 0], front[:, -1]):
            reached[edge] = True
        reached[-1] = True
        free = np.append(~chosen, True)
        reached &= free
        further = reached
        while further.any():
            further = borders.beside(reached) & free & ~reached
            reached = reached | further
        filled: Chosen = chosen | (seen & ~reached)[:-1]
        return filled

    def __str__(self) -> str:
        return "fill"


Modifier = Grow | Shrink | Smooth | Fill
"""One way to correct a choice; `str` gives it back as text."""


class _Borders(NamedTuple):
    """The borders between rows of a map, each in both directions; the last row is no element.

    one, other: (E,) the rows on either side.
    length: (E,) in pixel sides.
    rows: N + 1.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    length: NDArray[np.int64]
    rows: int

    def length_with(self, chosen: Chosen) -> NDArray[np.float64]:
        """(N + 1,) how long a border each row has with the chosen ones, (N + 1,) bool."""
        length = self.length * chosen[self.other]
        total = np.bincount(self.one, weights=length, minlength=self.rows)
        return total.astype(np.float64)

    def beside(self, chosen: Chosen) -> Chosen:
        """(N + 1,) bool, the rows that have a border with the chosen ones, (N + 1,) bool."""
        beside = np.zeros(self.rows, dtype=bool)
        beside[self.one[chosen[self.other]]] = True
        return beside


def _borders(front: NDArray[np.int32], elements: int) -> _Borders:
    """The borders in a map of rows, (H, W) in [−1, elements)."""
    count = elements + 1
    keys = []
    for here, there in ((front[:, :-1], front[:, 1:]), (front[:-1], front[1:])):
        border = here != there
        one, other = (side[border].astype(np.int64) % count for side in (here, there))
        keys += [one * count + other, other * count + one]
    pairs, length = np.unique(np.concatenate(keys), return_counts=True)
    return _Borders(pairs // count, pairs % count, length, count)


def _with_count(name: str, count: int) -> str:
    return name if count == 1 else f"{name}={count}"
