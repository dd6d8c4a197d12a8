"""The operation that adds elements of another file; their colours come into the photo's profile."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from eie.editing.operations.base import Operation, argument, parted_along
from eie.editing.picking import Rows
from eie.editing.selection import parse_selection
from eie.editing.table_changes import appended, centre_of, depths, far_to_near, shifted
from eie.editing.units import parse_point, whole_pixels
from eie.elements import ElementSet, Groups, Source
from eie.errors import BadInputError, UsageError
from eie.notes import tell

if TYPE_CHECKING:
    from eie.files.colours import Intent


INTENTS = ("relative", "perceptual")
"""What becomes of colours that the photo's profile does not have: the nearest are taken, or all
colours move together."""


def in_colours_of(host: Source, guest: Source, where: str, intent: str = INTENTS[0]) -> Source:
    """A source as it is to be shown among another's pixels.

    Args:
        host: the photo; without a profile its colours are sRGB.
        guest: what is added to it.
        where: the guest's file, for notes.
        intent: out of :data:`INTENTS`.

    Returns:
        The guest itself, where both profiles show the same colours; else with converted pixels, the
        host's profile and no embeddings, which are those of the old colours.
    """
    if guest.icc == host.icc:
        return guest
    from eie.files.colours import conversion, profile_name  # Pillow is slow to import

    if guest.pixels is None:
        tell([f"has no pixels to convert from {profile_name(guest.icc)}"], where)
        return guest
    target = host.icc if host.icc is not None and host.icc[16:20] == b"RGB " else None
    channels = guest.pixels.shape[2]
    chosen: Intent = "perceptual" if intent == "perceptual" else "relative"
    try:
        convert = conversion(guest.icc, target, chosen, colours=3 if channels > 2 else 1)
    except BadInputError as error:
        tell([f"{error.message}; its colours are taken for those of the photo"], where)
        return guest
    if convert is None:
        return guest
    tell(
        [
            f"its colours are converted from {profile_name(guest.icc)} to {profile_name(target)} "
            f"({intent})"
        ],
        where,
    )
    pixels: Any = convert(np.asarray(guest.pixels))
    return replace(guest, pixels=pixels, icc=target, embeddings=None)


def _parse_file(text: str) -> str:
    if not text or "\0" in text:
        raise UsageError(f"{text!r} is not the name of a file")
    return text


def _parse_intent(text: str) -> str:
    if text not in INTENTS:
        raise UsageError(f"{text!r} is no way to convert colours", hint=f"{' or '.join(INTENTS)}")
    return text


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
