"""The set: sources, table, groups and history together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements.element_table import ElementTable
from eie.elements.source import Source
from eie.geometry import Boxes, Transform, shared, transform_between


class Canvas(NamedTuple):
    """Size of the edited picture, in pixels."""

    height: int
    width: int


Groups = Mapping[str, tuple[int, ...]]
"""Element ids by group name."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One recorded operation and what it takes to undo it.

    Attributes:
        operation: the operation as in an edit script (JSON values only).
        table, groups: the set's state before it.
        sources: how many sources there were before it.
    """

    operation: Mapping[str, Any]
    table: ElementTable
    groups: Groups
    sources: int


@dataclass(frozen=True, eq=False)
class ElementSet:
    """A photo, or a composition of several, as editable image elements.

    Attributes:
        canvas: size of the picture; equal to the size of source 0.
        sources: at least one; source 0 is the photo that was decomposed, others were pasted.
        table: the elements in their current state.
        groups: named groups of element ids.
        history: the edits since decomposition, oldest first.
        undone: edits that were taken back and can be done again, the next one last; each with the
            state *after* it. What only they show stays among the sources.
        prompt: text that describes the picture, for decoders that read one; may be empty.
        decomposition: how source 0 was cut (segmenter, its weight hash, elements, beta, …);
            JSON values only.
    """

    canvas: Canvas
    sources: tuple[Source, ...]
    table: ElementTable
    groups: Groups = field(default_factory=lambda: MappingProxyType({}))
    history: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    prompt: str = ""
    decomposition: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_source(
        cls, source: Source, *, decomposition: Mapping[str, Any] | None = None, prompt: str = ""
    ) -> ElementSet:
        """The unedited set of one source."""
        return cls(
            canvas=Canvas(*source.label_map.shape),
            sources=(source,),
            table=ElementTable.at_home(0, source.home_box),
            prompt=prompt,
            decomposition=MappingProxyType(dict(decomposition or {})),
        )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def home_box(self) -> Boxes:
        """(N, 4) the elements' home boxes, each in pixels of its own source."""
        gathered = np.empty((len(self), 4), dtype=np.float64)
        for index, source in enumerate(self.sources):
            rows = self.table.source == index
            gathered[rows] = source.home_box[self.table.patch[rows]]
        return gathered

    @property
    def untouched(self) -> NDArray[np.bool_]:
        """(N,) bool: visible elements of source 0 that stand as they were at home."""
        table = self.table
        away = (table.box != self.home_box).any(axis=1) | (table.shear != 0)
        # Mirrored both ways is turned by half.
        both = table.flip.all(axis=1) & (table.angle == 180)
        away |= (table.flip.any(axis=1) | (table.angle != 0)) & ~both
        untouched: NDArray[np.bool_] = (table.source == 0) & table.visible & ~away
        return untouched

    @property
    def paint_order(self) -> NDArray[np.intp]:
        """(N,) rows from farthest to nearest: by z; within it untouched before touched, then id."""
        return np.lexsort((self.table.id, ~self.untouched, self.table.z))

    def transform(self, row: int) -> Transform:
        """The map of the element in `row` from pixels of its source to pixels of the canvas."""
        table = self.table
        home = self.sources[table.source[row]].home_box[table.patch[row]]
        turn = float(table.angle[row]), float(table.shear[row])
        return transform_between(home, table.box[row], table.flip[row], *turn)

    def transforms(self, rows: Sequence[int] | NDArray[np.integer]) -> list[Transform]:
        """The maps of several rows; elements of one source that were carried as one share one."""
        at = np.asarray(rows, dtype=np.intp)
        found = [self.transform(row) for row in at.tolist()]
        if all(transform.lattice for transform in set(found)):
            return found
        home = self.home_box
        for index in np.unique(self.table.source[at]).tolist():
            own = np.flatnonzero(self.table.source[at] == index)
            alike = shared([found[place] for place in own], home[at[own]])
            for place, transform in zip(own.tolist(), alike, strict=True):
                found[place] = transform
        return found

    @property
    def next_id(self) -> int:
        """An id that no element of the set or its history has."""
        seen = [self.table.id, *(edit.table.id for edit in self.history)]
        return 1 + max((int(ids.max()) for ids in seen if len(ids)), default=-1)
