"""The table of elements, the one thing that editing changes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.geometry import Boxes, boxes_around, frames

MAX_ELEMENTS = 65_535
"""Most elements of a table and most patches of a source; a label map then fits uint16."""

MAX_SHEAR = 2.0**30
"""Most that an element leans: as far as the largest box is wide, in one that is hardly high."""


@dataclass(frozen=True, eq=False)
class ElementTable:
    """The elements as columns; row order is creation order and carries no meaning.

    Attributes:
        id: (N,) int32, unique, ≥ 0; an id in the history is not given again.
        source: (N,) int32, index of the element's source.
        patch: (N,) int32, the patch of that source which the element shows.
        box: (N, 4) float64, (cx, cy, w, h) on the canvas in pixels, w and h > 0; may lie outside.
        z: (N,) int32, larger is nearer to the viewer; ties: see :attr:`ElementSet.paint_order`.
        visible: (N,) bool, False once deleted.
        flip: (N, 2) bool, mirrored (left-right, top-bottom) within its box.
        angle: (N,) float64 in (−180, 180], degrees by which the box, and what it shows, is turned
            about its centre, clockwise as seen.
        shear: (N,) float64, by how much it leans before it is turned; only what was turned and
            then scaled unevenly does.
    """

    id: NDArray[np.int32]
    source: NDArray[np.int32]
    patch: NDArray[np.int32]
    box: Boxes
    z: NDArray[np.int32]
    visible: NDArray[np.bool_]
    flip: NDArray[np.bool_]
    angle: NDArray[np.float64]
    shear: NDArray[np.float64]

    def __post_init__(self) -> None:
        for column in fields(self):
            getattr(self, column.name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def at_home(cls, source: int, home_box: Boxes, first_id: int = 0) -> ElementTable:
        """One visible element per patch of a source, where it was found; ids count up."""
        count = len(home_box)
        return cls(
            id=np.arange(first_id, first_id + count, dtype=np.int32),
            source=np.full(count, source, dtype=np.int32),
            patch=np.arange(count, dtype=np.int32),
            box=np.array(home_box, dtype=np.float64),
            z=np.zeros(count, dtype=np.int32),
            visible=np.ones(count, dtype=bool),
            flip=np.zeros((count, 2), dtype=bool),
            angle=np.zeros(count),
            shear=np.zeros(count),
        )

    @property
    def turned(self) -> NDArray[np.bool_]:
        """(N,) bool, whose boxes do not stand upright."""
        turned: NDArray[np.bool_] = (self.angle != 0) | (self.shear != 0)
        return turned

    @property
    def frame(self) -> NDArray[np.float64]:
        """(N, 2, 2) the frames of the boxes, see :mod:`eie.geometry`."""
        return frames(self.angle, self.shear)

    @property
    def upright_box(self) -> Boxes:
        """(N, 4) the smallest upright boxes around the elements' boxes, turned as they are."""
        return boxes_around(self.box, self.angle, self.shear)

    def take(self, rows: NDArray[Any]) -> ElementTable:
        """The rows chosen by an index or boolean array, in its order."""
        return ElementTable(**{c.name: getattr(self, c.name)[rows] for c in fields(self)})

    def set(self, rows: NDArray[Any], **values: Any) -> ElementTable:
        """A copy in which the named columns hold `values` at `rows`."""
        changed = {}
        for name, value in values.items():
            changed[name] = getattr(self, name).copy()
            changed[name][rows] = value
        return replace(self, **changed)

    def append(self, other: ElementTable) -> ElementTable:
        """These rows, then the other's."""
        return ElementTable(
            **{
                c.name: np.concatenate([getattr(self, c.name), getattr(other, c.name)])
                for c in fields(self)
            }
        )

    def equals(self, other: ElementTable) -> bool:
        """Whether all columns hold the same values."""
        return all(
            np.array_equal(getattr(self, c.name), getattr(other, c.name)) for c in fields(self)
        )


STATE = tuple(column.name for column in fields(ElementTable) if column.name != "id")
"""Columns that tell what an element is like; the other one tells which it is."""
