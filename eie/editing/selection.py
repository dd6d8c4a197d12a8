"""Selections: which elements an operation acts on.

    selection = term { ("+" | "-") term | ":" modifier }       from left to right
    term      = ids | "all" | "@" point | "object@" point [ "~" tolerance | ":" extent ]
              | "object@" point "," point | "box:" point "," point | "mask:" file | "group:" name
    extent    = "part" | "object" | "whole"
    modifier  = "grow" [ "=" n ] | "shrink" [ "=" n ] | "smooth" [ "=" n ] | "fill"
    ids       = id [ "-" id ] { "," id [ "-" id ] }
    point     = x "," y                            pixels of the canvas, or `%` of it

- `12`, `3,7,20-25`: elements by id. A `-` between two numbers without blanks is a range; it takes
  the elements that exist in it, and its ends must exist. `20-25 - 22` takes 22 away again.
- `@x,y`: the front-most element at that place, as the elements lie at the moment.
- `object@x,y`: the object in the middle of which the point lies, of all that the segmenter takes
  the element there to be in. Behind it, `:part` is the smallest, `:object` the likeliest and
  `:whole` the largest of the three things that the element by itself may stand for; `~0.2`, `~0.5`
  and `~0.8` say the same by a tolerance (:mod:`eie.editing.objects`). In a
  file that tells no objects, it is grown by element affinity over patches that touch in the photo,
  as far as the tolerance lets it (:func:`eie.editing.region_growing.grow`).
  Objects that are joined and cut off are asked for together: `object@a + object@b - object@c` says
  that the elements at a and b are of one thing, and the one at c is of another.
- `object@x0,y0,x1,y1`: the object in a box: of the elements in it, those that are more like each
  other than like what lies outside (:func:`eie.editing.region_growing.object_in_box`).
- `box:x0,y0,x1,y1`: elements whose centre lies in the box, its border included.
- `mask:FILE.png`: elements of which more than half of the visible area lies under the white of
  the picture. It must have the shape of the canvas; another size is stretched to it. An operation
  first parts the elements that the mask's border crosses (:mod:`eie.editing.parting`), so that it
  acts on just what is white.
- `group:NAME`: a named group; `group:last` is what the last operation made, as copies, or else
  changed. `all`: every element.

The operations of one command mean the picture as it was when the command began: `@120,80` is what
was seen there, wherever it is by then. Ids and groups are those of the moment.

`+` joins, `-` takes away. A modifier corrects all that stands before it, and sees the canvas as it
is at the moment (:mod:`eie.editing.modifiers`): elements are neighbours if they share a pixel side.

- `:grow=3` adds the neighbours of what is chosen, three times; `:grow` does so once.
- `:shrink=2` takes away, two times, the chosen elements beside others or beside a place where no
  element is; the photo's frame is no such place.
- `:smooth` lets elements join that have more than half of their border with chosen ones, and leave
  that have more than half of it with others, all at once; `:smooth=2` does so twice.
- `:fill` adds the elements in holes: from where no way over elements that are not chosen leads to
  the photo's frame, or to a place where no element is.

A file or group name ends at the first `+`, `-` or modifier behind its image suffix, or its last
letter, digit, `_` or `.`; a name with other signs in it stands in quotes: `group:"left-eye"`.

Everything but an id sees visible elements only; where deleted ones are asked for (`--restore`), it
sees the deleted ones only. An id always means its element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eie.editing.modifiers import Fill, Grow, Modifier, Shrink, Smooth
from eie.editing.objects import Extent, ObjectClick, object_at, objects_together
from eie.editing.picking import RowMask, Rows
from eie.editing.terms import (
    FILE_NAME,
    GROUP_NAME,
    At,
    Box,
    Everything,
    Group,
    Ids,
    Mask,
    ObjectAt,
    ObjectIn,
    Term,
    row_at_point,
)
from eie.editing.units import Reader, read_length, read_point
from eie.elements import ElementSet
from eie.errors import UsageError

GRAMMAR = (
    "a selection is made of 12 or 3,7,20-25, @x,y, object@x,y, object@x,y:part, object@x,y:object, "
    "object@x,y:whole, object@x0,y0,x1,y1, "
    "box:x0,y0,x1,y1, mask:FILE.png, group:NAME and all, joined by + and removed by -, corrected "
    "by :grow=N, :shrink=N, :smooth and :fill"
)

MOST_TIMES = 1000
"""The largest number that a modifier takes."""

_ALL = re.compile(r"all(?!\w)")
_OBJECT = re.compile("object@")
_AT = re.compile("@")
_BOX = re.compile("box:")
_MASK = re.compile("mask:")
_GROUP = re.compile("group:")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?(?![0-9])")
_COMMA = re.compile(",")
_TILDE = re.compile("~")
_EXTENT = re.compile(r":\s*(part|object|whole)(?!\w)")
_JOINER = re.compile(r"[+:-]")
_COUNTED = re.compile(r"(grow|shrink|smooth)(?!\w)")
_FILL = re.compile(r"fill(?!\w)")
_EQUALS = re.compile("=")
_COUNT = re.compile(r"[0-9]{1,9}(?![0-9])")
_QUOTED = re.compile(r'"([^"]+)"|\'([^\']+)\'')


@dataclass(frozen=True)
class Selection:
    """Terms, each with the sign that joins (`+`) or removes (`-`) it, and modifiers (`:`)."""

    terms: tuple[tuple[str, Term | Modifier], ...]

    def rows(
        self, elements: ElementSet, *, deleted: bool = False, picture: ElementSet | None = None
    ) -> Rows:
        """Rows of the elements chosen: each once, in the order they were asked for.

        Args:
            elements: the set.
            deleted: choose among the deleted elements instead of the visible ones.
            picture: the set, in the same rows, as it looked when places and objects were pointed
                out in it; None: as it is. Ids and groups are those of the set as it is.

        Raises:
            UsageError: an element or group is unknown, a place is empty, or nothing is left.
            BadInputError: a mask cannot be read or does not fit the canvas.
        """
        now = elements.table.visible ^ deleted
        seen = elements if picture is None else picture
        among = seen.table.visible ^ deleted
        still = now.copy()
        objects = self.objects(seen, among)
        chosen = np.empty(0, dtype=np.intp)
        for sign, term in self.terms:
            if isinstance(term, Modifier):
                chosen = _corrected(seen, among, chosen, term)
                continue
            if isinstance(term, (Ids, Group)):
                rows = term.rows(elements, now)
                still[rows] = True
            elif isinstance(term, ObjectAt):
                rows = next(objects)
            else:
                rows = term.rows(seen, among)
            if sign == "+":
                rows = rows[np.sort(np.unique(rows, return_index=True)[1])]
                chosen = np.concatenate([chosen, rows[~np.isin(rows, chosen)]])
            else:
                chosen = chosen[~np.isin(chosen, rows)]
        if picture is not None:
            chosen = chosen[still[chosen]]
        if not len(chosen):
            state = "deleted" if deleted else "visible"
            hint = f"it looks at {state} elements; eie show F.h5 --ids shows them"
            if picture is not None:
                hint = "it looks at the picture as it was when the command began; look looks again"
            raise UsageError(f"the selection {str(self)!r} is empty", hint=hint)
        return chosen

    def objects(self, elements: ElementSet, among: RowMask) -> Iterator[Rows]:
        """The rows of each term that asks for an object, in order: those that are joined and cut
        off are asked for together."""
        terms = [
            (sign, term, row_at_point(elements, term.point, among))
            for sign, term in self.terms
            if isinstance(term, ObjectAt)
        ]
        told = {
            side: objects_together(
                elements,
                [
                    ObjectClick(row, term.place(elements), sign == side, term.by_itself)
                    for sign, term, row in terms
                ],
                among,
            )
            for side in "+-"
        }
        nothing = np.empty(0, dtype=np.intp)
        # What belongs to what is joined was decided with all that is cut off in mind.
        kept = np.concatenate([nothing, *told["+"].values()])
        for sign, term, row in terms:
            rows = None if term.by_itself else told[sign].get(row)
            if rows is None:
                apart = [other for side, _, other in terms if side != sign and other != row]
                extent, tolerance = term.extent, term.tolerance
                yield object_at(
                    elements,
                    row,
                    among,
                    extent,
                    tolerance,
                    np.array(apart, np.intp),
                    term.place(elements),
                )
            else:
                yield rows if sign == "+" else rows[~np.isin(rows, kept)]

    @property
    def masks(self) -> list[Mask]:
        """The terms that are masks."""
        return [term for _, term in self.terms if isinstance(term, Mask)]

    def with_files(self, found: Callable[[str], str]) -> Selection:
        """The same, with the names of masks' files looked up."""
        terms = (
            (sign, Mask(found(term.file)) if isinstance(term, Mask) else term)
            for sign, term in self.terms
        )
        return Selection(tuple(terms))

    def with_tolerance(self, tolerance: float) -> Selection:
        """The same, with a tolerance for every `object@` that states none."""
        terms = (
            (sign, replace(term, tolerance=tolerance))
            if isinstance(term, ObjectAt) and term.tolerance is None and term.extent is None
            else (sign, term)
            for sign, term in self.terms
        )
        return Selection(tuple(terms))

    def __str__(self) -> str:
        """The text that parses to this selection."""
        text = str(self.terms[0][1])
        for (_, before), (sign, term) in zip(self.terms, self.terms[1:], strict=False):
            # `20 - 25` removes, `20-25` is a range.
            blank = " " if isinstance(before, Ids) and isinstance(term, Ids) else ""
            text += f"{blank}{sign}{blank}{term}"
        return text


def parse_selection(text: str) -> Selection:
    """Read a selection; the module's head states the grammar.

    Raises:
        UsageError: with the character at which the text stops being a selection.
    """
    reader = Reader(text, "selection", GRAMMAR)
    terms: list[tuple[str, Term | Modifier]] = [("+", _read_term(reader))]
    while not reader.done:
        sign = reader.expect(_JOINER, "+, - or a modifier").group()
        terms.append((sign, _read_modifier(reader) if sign == ":" else _read_term(reader)))
    return Selection(tuple(terms))


def select(elements: ElementSet, text: str, *, deleted: bool = False) -> NDArray[np.int32]:
    """The ids of the elements that a selection chooses.

    Args:
        elements: the set.
        text: the selection; the module's head states the grammar.
        deleted: choose among the deleted elements instead of the visible ones.

    Returns:
        (K,) int32 ids, K ≥ 1: each once, in the order they were asked for.

    Raises:
        UsageError: the text is no selection, or it means nothing in this set.
        BadInputError: a mask cannot be read or does not fit the canvas.
    """
    return elements.table.id[parse_selection(text).rows(elements, deleted=deleted)]


def _read_term(reader: Reader) -> Term:
    if reader.take(_ALL):
        return Everything()
    if reader.take(_OBJECT):
        point = read_point(reader)
        if reader.take(_COMMA):
            return ObjectIn(point, read_point(reader))
        if reader.take(_TILDE):
            return ObjectAt(point, tolerance=_read_tolerance(reader))
        extent = reader.take(_EXTENT)
        return ObjectAt(point, extent=Extent(extent[1]) if extent else None)
    if reader.take(_AT):
        return At(read_point(reader))
    if reader.take(_BOX):
        corner = read_point(reader)
        reader.expect(_COMMA, "a comma and the opposite corner")
        return Box(corner, read_point(reader))
    if reader.take(_MASK):
        return Mask(_read_name(reader, FILE_NAME, "a picture's name, as in mask:FILE.png,"))
    if reader.take(_GROUP):
        return Group(_read_name(reader, GROUP_NAME, "a group's name"))
    return _read_ids(reader)


def _read_modifier(reader: Reader) -> Modifier:
    if reader.take(_FILL):
        return Fill()
    name = reader.expect(_COUNTED, "grow, shrink, smooth or fill").group()
    return _COUNTED_MODIFIERS[name](_read_count(reader) if reader.take(_EQUALS) else 1)


_COUNTED_MODIFIERS: dict[str, Callable[[int], Modifier]] = {
    "grow": Grow,
    "shrink": Shrink,
    "smooth": Smooth,
}


def _read_count(reader: Reader) -> int:
    start = reader.position
    count = int(reader.expect(_COUNT, "a number of times").group())
    if not 1 <= count <= MOST_TIMES:
        reader.position = start
        reader.fail(f"the number is outside 1 to {MOST_TIMES}")
    return count


def _read_ids(reader: Reader) -> Ids:
    ranges = [_read_range(reader, "a selection's term")]
    while reader.take(_COMMA):
        ranges.append(_read_range(reader, "an element id"))
    return Ids(tuple(ranges))


def _read_range(reader: Reader, name: str) -> tuple[int, int]:
    start = reader.position
    first, last = reader.expect(_RANGE, name).groups()
    if last is not None and int(last) < int(first):
        reader.position = start
        reader.fail("the range runs backwards", hint=f"write {last}-{first}")
    return int(first), int(last or first)


def _read_tolerance(reader: Reader) -> float:
    start = reader.position
    tolerance = read_length(reader).of(1.0)
    if not 0 <= tolerance <= 1:
        reader.position = start
        reader.fail("the tolerance is outside 0 to 1", hint="0.6 is usual; larger takes more")
    return tolerance


def _read_name(reader: Reader, unquoted: re.Pattern[str], name: str) -> str:
    quoted = reader.take(_QUOTED)
    if quoted:
        return quoted[1] or quoted[2]
    return reader.expect(unquoted, name)[1]


def _corrected(elements: ElementSet, among: RowMask, rows: Rows, modifier: Modifier) -> Rows:
    """Rows corrected by a modifier: those that stay in their order, new ones behind."""
    before = np.zeros(len(elements), dtype=bool)
    before[rows] = True
    after = modifier.corrected(elements, among, before)
    return np.concatenate([rows[after[rows]], np.flatnonzero(after & ~before)])
