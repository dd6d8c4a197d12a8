"""Operations that put elements elsewhere, or in other boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from eie.editing.operations.base import Operation, Selecting, argument
from eie.editing.picking import Rows
from eie.editing.selection import Selection, parse_selection
from eie.editing.table_changes import centre_of, placed, settled, shifted, stretched, turned
from eie.editing.terms import ObjectAt
from eie.editing.units import parse_angle, parse_factors, parse_point, parse_shift, whole_pixels
from eie.elements import ElementSet
from eie.errors import UsageError
from eie.geometry import normal_angle


def _parse_direction(text: str) -> str:
    if text not in ("h", "v"):
        raise UsageError(f"{text!r} is not h or v", hint="h swaps left and right, v top and bottom")
    return text


def _parse_grip(text: str) -> ObjectAt:
    """The object under a point: `x,y` or `x,y~tolerance`."""
    (_, grip), *more = parse_selection(f"object@{text}").terms
    if more or not isinstance(grip, ObjectAt):
        raise UsageError(f"{text!r} is not a point", hint="write x,y, for example 120,80")
    return grip


@dataclass(frozen=True)
class Move(Selecting):
    """Shift elements by dx,dy."""

    name = "move"
    done = "moved"
    parts_things = True
    shift: str = argument("dx,dy", parse_shift)

    def apply(self, elements: ElementSet) -> ElementSet:
        shift = parse_shift(self.shift).shift_on(elements.canvas)
        return shifted(elements, self.rows(elements), shift)


@dataclass(frozen=True)
class To(Selecting):
    """Move elements so that the centre of their common box comes to x,y.

    The way there is rounded to whole pixels, so that photo pixels are not blurred.
    """

    name = "to"
    done = "moved"
    parts_things = True
    place: str = argument("x,y", parse_point)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        target = parse_point(self.place).on(elements.canvas)
        return shifted(elements, rows, whole_pixels(target - centre_of(elements, rows)))


@dataclass(frozen=True)
class Scale(Selecting):
    """Resize elements by a factor f or fx,fy about the centre of their common box.

    Two factors stretch the picture along x and y: what is turned gets another angle and leans.
    """

    name = "scale"
    done = "scaled"
    parts_things = True
    factor: str = argument("f|fx,fy", parse_factors)

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        # Scripts are written by programs, whose numbers have points; people write 1,5 for 1.5.
        if len(arguments) == 2 and re.fullmatch(r"\s*\d+,\d+\s*", arguments[1]):
            across, down = arguments[1].strip().split(",")
            raise UsageError(
                f"{arguments[1]!r} may mean one number or two",
                hint=f"write {across}.{down} for one factor, {across}.0,{down}.0 for two",
            )
        return super().parse(arguments)

    def apply(self, elements: ElementSet) -> ElementSet:
        return stretched(elements, self.rows(elements), parse_factors(self.factor))


@dataclass(frozen=True)
class Rotate(Selecting):
    """Turn elements by degrees about the centre of their common box, clockwise if positive.

    Upright elements that are turned by 90° or 270° are put where whole pixels are, as far as half
    a pixel away, so that photo pixels are not blurred.
    """

    name = "rotate"
    done = "turned"
    parts_things = True
    angle: str = argument("DEGREES", parse_angle)

    @property
    def manner(self) -> str:
        return f" by {self.angle.strip().removesuffix('°').strip()}°"

    def apply(self, elements: ElementSet) -> ElementSet:
        return turned(elements, self.rows(elements), parse_angle(self.angle))


@dataclass(frozen=True)
class Drag(Operation):
    """Move the whole object under x0,y0 by the way from there to x1,y1.

    The way is rounded to whole pixels. `x0,y0~0.3` sets the object's tolerance.
    """

    name = "drag"
    done = "moved"
    parts_things = True
    start: str = argument("x0,y0", _parse_grip)
    end: str = argument("x1,y1", parse_point)

    def apply(self, elements: ElementSet) -> ElementSet:
        start = _parse_grip(self.start).point
        way = parse_point(self.end).on(elements.canvas) - start.on(elements.canvas)
        return shifted(elements, self.rows(elements), whole_pixels(way))

    @cached_property
    def selections(self) -> dict[str, Selection]:
        """The object under the start."""
        return {"selection": parse_selection(f"object@{self.start}")}

    def with_tolerance(self, tolerance: float) -> Self:
        grip = parse_selection(f"object@{self.start}").with_tolerance(tolerance)
        return replace(self, start=str(grip).removeprefix("object@"))


@dataclass(frozen=True)
class Swap(Selecting):
    """Exchange the places of two selections: each goes to the other's centre.

    The way is rounded to whole pixels; sizes stay.
    """

    name = "swap"
    done = "swapped"
    other: str = argument("SEL", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows, others = self.rows(elements), self.rows(elements, "other")
        both = np.intersect1d(rows, others)
        if len(both):
            raise UsageError(
                f"element {elements.table.id[both[0]]} is in both selections",
                hint="only selections that share no element can be swapped",
            )
        way = whole_pixels(centre_of(elements, others) - centre_of(elements, rows))
        return shifted(shifted(elements, rows, way), others, -way)

    def taken(self, before: ElementSet, after: ElementSet) -> tuple[ElementSet, Rows]:  # noqa: ARG002
        return before, np.concatenate([self.rows(before), self.rows(before, "other")])


@dataclass(frozen=True)
class Flip(Selecting):
    """Mirror elements about the centre of their common box: h left-right, v top-bottom."""

    name = "flip"
    done = "flipped"
    parts_things = True
    direction: str = argument("h|v", _parse_direction)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        axis = "hv".index(self.direction)
        table = elements.table
        box, flip = table.box[rows], table.flip[rows]
        box[:, axis] = 2 * centre_of(elements, rows)[axis] - box[:, axis]
        flip[:, axis] ^= True
        turn = {}
        if table.turned[rows].any():  # a mirror turns and leans the other way
            angle, shear = normal_angle(-table.angle[rows]), 0.0 - table.shear[rows]
            box, turn = settled(box, angle, shear), {"angle": angle, "shear": shear}
        return placed(elements, rows, box, flip=flip, **turn)
