"""The operations: what an edit does to an element set.

Each is a frozen dataclass whose fields are the texts typed on the command line, so that the command
line, the edit script and Python say the same: `--move 12 +40,0`, `{"operation": "move",
"selection": "12", "shift": "+40,0"}` and `Move("12", "+40,0")`. Texts are checked when the
operation is made; what they mean is found out when it is applied, in the set as it is by then.

An operation changes the element table and the groups, never a source (:class:`Paste` adds some); a
mask, however, parts elements before the operation takes place.
An element may come to lie partly or wholly outside the canvas.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import Self

import numpy as np

from eie.editing.changes import (
    appended,
    centre_of,
    changed,
    depths,
    far_to_near,
    placed,
    settled,
    shifted,
    stack,
    stretched,
    turned,
)
from eie.editing.colours import INTENTS, in_colours_of
from eie.editing.groups import group_members, parse_group_name
from eie.editing.operation import Operation, argument, parted_along
from eie.editing.picking import Rows
from eie.editing.selection import Selection, parse_selection
from eie.editing.terms import ObjectAt
from eie.editing.units import parse_angle, parse_factors, parse_point, parse_shift, whole_pixels
from eie.elements import ElementSet, Groups, Source
from eie.errors import UsageError
from eie.geometry import normal_angle


def _parse_direction(text: str) -> str:
    if text not in ("h", "v"):
        raise UsageError(f"{text!r} is not h or v", hint="h swaps left and right, v top and bottom")
    return text


def _parse_file(text: str) -> str:
    if not text or "\0" in text:
        raise UsageError(f"{text!r} is not the name of a file")
    return text


def _parse_intent(text: str) -> str:
    if text not in INTENTS:
        raise UsageError(f"{text!r} is no way to convert colours", hint=f"{' or '.join(INTENTS)}")
    return text


def _parse_grip(text: str) -> ObjectAt:
    """The object under a point: `x,y` or `x,y~tolerance`."""
    (_, grip), *more = parse_selection(f"object@{text}").terms
    if more or not isinstance(grip, ObjectAt):
        raise UsageError(f"{text!r} is not a point", hint="write x,y, for example 120,80")
    return grip


@dataclass(frozen=True)
class Move(Operation):
    """Shift elements by dx,dy."""

    name = "move"
    done = "moved"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
    shift: str = argument("dx,dy", parse_shift)

    def apply(self, elements: ElementSet) -> ElementSet:
        shift = parse_shift(self.shift).shift_on(elements.canvas)
        return shifted(elements, self.rows(elements), shift)


@dataclass(frozen=True)
class To(Operation):
    """Move elements so that the centre of their common box comes to x,y.

    The way there is rounded to whole pixels, so that photo pixels are not blurred.
    """

    name = "to"
    done = "moved"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
    place: str = argument("x,y", parse_point)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        target = parse_point(self.place).on(elements.canvas)
        return shifted(elements, rows, whole_pixels(target - centre_of(elements, rows)))


@dataclass(frozen=True)
class Scale(Operation):
    """Resize elements by a factor f or fx,fy about the centre of their common box.

    Two factors stretch the picture along x and y: what is turned gets another angle and leans.
    """

    name = "scale"
    done = "scaled"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
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
class Rotate(Operation):
    """Turn elements by degrees about the centre of their common box, clockwise if positive.

    Upright elements that are turned by 90° or 270° are put where whole pixels are, as far as half
    a pixel away, so that photo pixels are not blurred.
    """

    name = "rotate"
    done = "turned"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
    angle: str = argument("DEGREES", parse_angle)

    @property
    def manner(self) -> str:
        return f" by {self.angle.strip().removesuffix('°').strip()}°"

    def apply(self, elements: ElementSet) -> ElementSet:
        return turned(elements, self.rows(elements), parse_angle(self.angle))


@dataclass(frozen=True)
class Delete(Operation):
    """Take elements off the canvas; --restore brings them back."""

    name = "delete"
    done = "deleted"
    parts_things = True
    selection: str = argument("SEL", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        return changed(elements, self.rows(elements), visible=False)


@dataclass(frozen=True)
class Restore(Operation):
    """Bring deleted elements back, where they were when they were deleted."""

    name = "restore"
    done = "restored"
    selection: str = argument("SEL", parse_selection)

    def parted(self, elements: ElementSet, first: int | None = None) -> ElementSet:  # noqa: ARG002
        """The set as it is: masks part what is visible."""
        return elements

    def look(self, elements: ElementSet, first: int) -> None:
        """What is deleted is in no picture, so it is chosen as it is."""

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements, deleted=True)
        return changed(elements, rows, visible=True)

    def taken(self, before: ElementSet, after: ElementSet) -> tuple[ElementSet, Rows]:  # noqa: ARG002
        return before, self.rows(before, deleted=True)


@dataclass(frozen=True)
class Copy(Operation):
    """Copy elements to dx,dy from themselves, in front of them.

    Copies get ids that were never used, from the farthest element to the nearest.
    """

    name = "copy"
    done = "copied"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
    shift: str = argument("dx,dy", parse_shift)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = far_to_near(elements, self.rows(elements))
        originals = elements.table.take(rows)
        above = int(originals.z.max())
        copied = appended(elements, originals, depths(elements, rows), above)
        added = np.arange(len(elements), len(copied))
        return shifted(copied, added, parse_shift(self.shift).shift_on(elements.canvas))


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
class Swap(Operation):
    """Exchange the places of two selections: each goes to the other's centre.

    The way is rounded to whole pixels; sizes stay.
    """

    name = "swap"
    done = "swapped"
    selection: str = argument("SEL", parse_selection)
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
class Front(Operation):
    """Bring elements in front of all others."""

    name = "front"
    done = "brought to the front"
    selection: str = argument("SEL", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        others = np.delete(elements.table.z, rows)
        if not len(others):
            return elements
        return changed(elements, rows, z=stack(int(others.max()) + 1, depths(elements, rows)))


@dataclass(frozen=True)
class Back(Operation):
    """Put elements behind all others."""

    name = "back"
    done = "put behind all others"
    selection: str = argument("SEL", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        others = np.delete(elements.table.z, rows)
        if not len(others):
            return elements
        depth = depths(elements, rows)
        lowest = int(others.min()) - 1 - int(depth.max())
        return changed(elements, rows, z=stack(lowest, depth))


@dataclass(frozen=True)
class Flip(Operation):
    """Mirror elements about the centre of their common box: h left-right, v top-bottom."""

    name = "flip"
    done = "flipped"
    parts_things = True
    selection: str = argument("SEL", parse_selection)
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


@dataclass(frozen=True)
class Appearance(Operation):
    """Let elements show what others show, in their own boxes, turned as these are.

    One element gives its appearance to all; equally many give it pair by pair, in the order typed.
    """

    name = "appearance"
    done = "changed the appearance of"
    selection: str = argument("SEL", parse_selection)
    of: str = argument("FROM", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows, models = self.rows(elements), self.rows(elements, "of")
        if len(models) not in (1, len(rows)):
            raise UsageError(
                f"{len(rows)} elements cannot take the appearance of {len(models)}",
                hint="name one element, or as many as are to change",
            )
        shown = elements.table.take(models)
        return changed(elements, rows, source=shown.source, patch=shown.patch, flip=shown.flip)


@dataclass(frozen=True)
class Paste(Operation):
    """Add elements of another file, centred at x,y and in front of all.

    Their sources come along, unless the set has the same already, in the colours of the photo that
    they are added to: another profile's are converted. Size and layout stay, the way is rounded to
    whole pixels, deleted elements come visible. Groups come along, as far as elements of theirs do;
    where a name is taken, as NAME-2 and so on.
    """

    name = "paste"
    done = "pasted"
    file: str = argument("OTHER.h5", _parse_file)
    selection: str = argument("SEL", parse_selection)
    place: str = argument("x,y", parse_point)
    intent: str = argument("INTENT", _parse_intent, default=INTENTS[0])

    @classmethod
    def metavars(cls) -> tuple[str, ...]:
        return ("OTHER.h5:SEL", "x,y")

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        if len(arguments) != 2:
            return super().parse(arguments)
        file, selection = split_file_and_selection(arguments[0])
        return cls(file, selection, arguments[1])

    def parted(self, elements: ElementSet, first: int | None = None) -> ElementSet:  # noqa: ARG002
        """The set as it is: what is selected lies in the other file."""
        return elements

    def look(self, elements: ElementSet, first: int) -> None:
        """What is selected lies in the other file, so nothing is looked up."""

    def apply(self, elements: ElementSet) -> ElementSet:
        from eie.files import load  # h5py is slow to import and wanted by no other operation

        other = parted_along(load(self.file), self.selections["selection"])
        rows = far_to_near(other, self.rows(other))
        guests = other.table.take(rows)
        sources = list(elements.sources)
        index_here = np.zeros(len(other.sources), dtype=np.int32)
        for index in np.unique(guests.source):
            guest = in_colours_of(elements.sources[0], other.sources[index], self.file, self.intent)
            index_here[index] = _find_or_append(sources, guest)
        guests = replace(guests, source=index_here[guests.source])
        above = int(elements.table.z.max(initial=-1))
        host = replace(elements, sources=tuple(sources))
        pasted = appended(host, guests, depths(other, rows), above)
        added = np.arange(len(elements), len(pasted))
        here = dict(zip(guests.id.tolist(), pasted.table.id[added].tolist(), strict=True))
        pasted = replace(pasted, groups=_joined(elements.groups, other.groups, here))
        target = parse_point(self.place).on(elements.canvas)
        return shifted(pasted, added, whole_pixels(target - centre_of(pasted, added)))

    def taken(self, before: ElementSet, after: ElementSet) -> tuple[ElementSet, Rows]:
        return after, np.arange(len(before), len(after))


@dataclass(frozen=True)
class Group(Operation):
    """Name elements, for group:NAME; an older group of that name is replaced."""

    name = "group"
    done = "grouped"
    group: str = argument("NAME", parse_group_name)
    selection: str = argument("SEL", parse_selection)

    def apply(self, elements: ElementSet) -> ElementSet:
        members = elements.table.id[self.rows(elements)]
        groups = {**elements.groups, self.group: tuple(members.tolist())}
        return replace(elements, groups=MappingProxyType(groups))


@dataclass(frozen=True)
class Ungroup(Operation):
    """Forget a group; its elements stay."""

    name = "ungroup"
    group: str = argument("NAME", parse_group_name)

    def apply(self, elements: ElementSet) -> ElementSet:
        group_members(elements, self.group)
        groups = {name: ids for name, ids in elements.groups.items() if name != self.group}
        return replace(elements, groups=MappingProxyType(groups))


@dataclass(frozen=True)
class Look(Operation):
    """Look again: selections from here on mean the picture as it is by then."""

    name = "look"

    def apply(self, elements: ElementSet) -> ElementSet:
        return elements


@dataclass(frozen=True)
class Reset(Operation):
    """Go back to the unedited photo; an edit like others, so it can be undone."""

    name = "reset"

    def apply(self, elements: ElementSet) -> ElementSet:
        if not elements.history:
            return elements
        first = elements.history[0]
        return replace(elements, table=first.table, groups=first.groups)


OPERATIONS: tuple[type[Operation], ...] = (
    Move,
    To,
    Scale,
    Rotate,
    Delete,
    Restore,
    Copy,
    Drag,
    Swap,
    Front,
    Back,
    Flip,
    Appearance,
    Paste,
    Group,
    Ungroup,
    Look,
    Reset,
)
"""All operations, in the order in which help lists them."""


def split_file_and_selection(text: str) -> tuple[str, str]:
    """Take `OTHER.h5:SEL` apart, at the first `:` behind which a selection stands.

    So a file's name may hold colons (`C:\\photos\\dog.h5:object@120,80`).

    Raises:
        UsageError: there is none.
    """
    for colon in re.finditer(":", text):
        file, selection = text[: colon.start()], text[colon.end() :]
        try:
            parse_selection(selection)
        except UsageError:
            continue
        if file:
            return file, selection
    raise UsageError(
        f"{text!r} does not say what to paste", hint="write OTHER.h5:SELECTION, or OTHER.h5:all"
    )


def _joined(groups: Groups, others: Groups, here: Mapping[int, int]) -> Groups:
    """Groups and those of pasted elements.

    Args:
        here: the ids that pasted elements have got, by those they had.
    """
    joined = dict(groups)
    for name, members in others.items():
        came = tuple(here[member] for member in members if member in here)
        if came:
            joined[_free_name(name, joined)] = came
    return MappingProxyType(joined)


def _free_name(name: str, taken: Container[str]) -> str:
    """A name, or if it is taken, the first of NAME-2, NAME-3 … that is not."""
    if name not in taken:
        return name
    return next(free for n in count(2) if (free := f"{name[:58]}-{n}") not in taken)


def _find_or_append(sources: list[Source], guest: Source) -> int:
    """The index of a source in the list, to which it is added if it is new."""
    for index, source in enumerate(sources):
        if _same_photo(source, guest):
            return index
    sources.append(guest)
    return len(sources) - 1


def _same_photo(one: Source, other: Source) -> bool:
    """Whether two sources hold the same patches; pixels are read only if the label maps agree."""
    if one is other:
        return True
    if one.pixels is None or other.pixels is None:
        return False
    return np.array_equal(one.label_map, other.label_map) and np.array_equal(
        np.asarray(one.pixels), np.asarray(other.pixels)
    )
