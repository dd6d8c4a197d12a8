"""What selections are made of: each way to choose elements, and the text that says it.

:mod:`eie.editing.selection` states the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.editing.groups import LAST, group_members
from eie.editing.objects import Extent, object_at
from eie.editing.picking import RowMask, Rows, areas, row_at, rows_on_canvas
from eie.editing.region_growing import object_in_box
from eie.editing.units import Point
from eie.elements import Canvas, ElementSet
from eie.errors import UsageError
from eie.files.masks import fitted, load_mask
from eie.files.stores import path_of

if TYPE_CHECKING:
    from eie.files.photo import Photo

FILE_NAME = re.compile(
    r"(/dev/stdin|/(?:dev|proc/self)/fd/\d+|[^\"'\s].*?\.(?:png|jpe?g|webp|tiff?|bmp|avif|hei[cf]))"
    r"(?=\s*(?:[+-]|:\s*(?:grow|shrink|smooth|fill)|$))",
    re.IGNORECASE | re.DOTALL,
)
"""A file's name that needs no quotes."""

GROUP_NAME = re.compile(r"(\w[\w.]*)")
"""A group's name that needs no quotes."""


class Term(Protocol):
    """One way to choose elements; `str` gives it back as text."""

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        """Rows of the elements chosen, in the order they were asked for.

        Args:
            elements: the set.
            among: (N,) bool, the elements that can be chosen without their id.

        Raises:
            UsageError: the term means nothing in this set.
        """


@dataclass(frozen=True)
class Ids:
    """Elements by id: ranges (first, last)."""

    ranges: tuple[tuple[int, int], ...]

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:  # noqa: ARG002
        known = elements.table.id
        by_id = np.argsort(known)
        chosen = []
        for span in self.ranges:
            for end in span:
                if end not in known:
                    raise UsageError(f"there is no element {end}", hint=_known_ids(known))
            first, last = np.searchsorted(known[by_id], [span[0], span[1] + 1])
            chosen.append(by_id[first:last])
        return np.concatenate(chosen)

    def __str__(self) -> str:
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.ranges)


@dataclass(frozen=True)
class Everything:
    """All elements."""

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:  # noqa: ARG002
        return np.flatnonzero(among)

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True)
class At:
    """The front-most element at a place."""

    point: Point

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        return np.array([row_at_point(elements, self.point, among)])

    def __str__(self) -> str:
        return f"@{self.point}"


@dataclass(frozen=True)
class ObjectAt:
    """The object at a place; `tolerance` and `extent` None are the library's, one of them is."""

    point: Point
    tolerance: float | None = None
    extent: Extent | None = None

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        row = row_at_point(elements, self.point, among)
        place = self.place(elements)
        return object_at(elements, row, among, self.extent, self.tolerance, point=place)

    def place(self, elements: ElementSet) -> tuple[float, float]:
        """x and y in pixels of the canvas."""
        x, y = self.point.on(elements.canvas)
        return float(x), float(y)

    @property
    def by_itself(self) -> bool:
        """Whether it means one of three candidates, whatever else is asked for."""
        return self.extent is not None or self.tolerance is not None

    def __str__(self) -> str:
        if self.extent is not None:
            return f"object@{self.point}:{self.extent.value}"
        if self.tolerance is None:
            return f"object@{self.point}"
        return f"object@{self.point}~{np.format_float_positional(self.tolerance, trim='-')}"


@dataclass(frozen=True)
class Between:
    """What lies between two corners."""

    corner: Point
    opposite: Point

    def ends(self, canvas: Canvas) -> NDArray[np.float64]:
        """(2, 2) upper left and lower right corner, x and y in pixels of the canvas."""
        return np.sort([self.corner.on(canvas), self.opposite.on(canvas)], axis=0)


@dataclass(frozen=True)
class ObjectIn(Between):
    """The object between two corners."""

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        (x0, y0), (x1, y1) = self.ends(elements.canvas)
        return object_in_box(elements, among, (x0, y0, x1, y1))

    def __str__(self) -> str:
        return f"object@{self.corner},{self.opposite}"


@dataclass(frozen=True)
class Box(Between):
    """Elements whose centre lies between two corners."""

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        low, high = self.ends(elements.canvas)
        centre = elements.table.box[:, :2]
        return np.flatnonzero(among & ((centre >= low) & (centre <= high)).all(axis=1))

    def __str__(self) -> str:
        return f"box:{self.corner},{self.opposite}"


@dataclass(frozen=True)
class Mask:
    """Elements that lie under the white of a picture."""

    file: str

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        front = rows_on_canvas(elements, among)  # (H, W)
        visible = areas(front, len(elements))
        covered = areas(np.where(self.white(elements.canvas), front, -1), len(elements))
        return np.flatnonzero(2 * covered > visible)

    def white(self, canvas: Canvas) -> NDArray[np.bool_]:
        """(H, W) bool, the white of the picture.

        Raises:
            BadInputError: it cannot be read or does not fit the canvas.
        """
        if canvas not in self._white:
            self._white[canvas] = fitted(self._picture(canvas), canvas, self.file)
        return self._white[canvas]

    def _picture(self, canvas: Canvas) -> Photo:
        """Read but once: the file may be a pipe, and must not change between two looks at it."""
        if not self._read:
            self._read.append(load_mask(path_of(self.file), canvas))
        return self._read[0]

    @cached_property
    def _read(self) -> list[Photo]:
        """The picture, once it is read."""
        return []

    @cached_property
    def _white(self) -> dict[Canvas, NDArray[np.bool_]]:
        """What it marks on the canvases asked for; notes about it are told once."""
        return {}

    def __str__(self) -> str:
        return f"mask:{quoted(self.file, FILE_NAME)}"


@dataclass(frozen=True)
class Group:
    """The members of a named group."""

    group: str

    def rows(self, elements: ElementSet, among: RowMask) -> Rows:
        members = np.isin(elements.table.id, group_members(elements, self.group))
        if self.group == LAST and LAST not in elements.groups:
            return np.flatnonzero(members)  # deleted ones, too: they may be what it deleted
        return np.flatnonzero(among & members)

    def __str__(self) -> str:
        return f"group:{quoted(self.group, GROUP_NAME)}"


def quoted(name: str, unquoted: re.Pattern[str]) -> str:
    """The name as a selection must write it."""
    plain = unquoted.match(name)
    if plain and plain.group() == name and name == name.strip():
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


def row_at_point(elements: ElementSet, point: Point, among: RowMask) -> int:
    x, y = point.on(elements.canvas)
    height, width = elements.canvas
    if not (0 <= x <= width and 0 <= y <= height):
        raise UsageError(
            f"the point {point} is outside the canvas",
            hint=f"it is {width} pixels wide and {height} high",
        )
    row = row_at(elements, x, y, among)
    if row is None:
        raise UsageError(
            f"there is no element at {point}",
            hint="choose by id: eie show F.h5 --ids shows them, eie info F.h5 lists all",
        )
    return row


def _known_ids(known: NDArray[np.int32]) -> str:
    """What ids there are, in a few words."""
    if not len(known):
        return "the file has no elements"
    low, high = int(known.min()), int(known.max())
    if high - low + 1 == len(known):
        return f"ids go from {low} to {high}"
    return f"ids lie between {low} and {high}, some are missing; eie info F.h5 lists them"
