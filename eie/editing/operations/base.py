"""What all operations have in common: texts as fields, a command line form and a JSON form."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from eie.editing.parting import part
from eie.editing.picking import Rows
from eie.editing.selection import Selection, parse_selection
from eie.elements import STATE, Edit, ElementSet
from eie.errors import UsageError


def argument(metavar: str, parse: Callable[[str], object], default: str | None = None) -> Any:
    """A field that is typed as `metavar` and checked by `parse`.

    Args:
        default: its text where it is left out, of one that is not typed with the others.
    """
    metadata = {"metavar": metavar, "parse": parse}
    if default is None:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Operation(ABC):
    """One change of an element set.

    The first line of a subclass's docstring is its help text.

    Raises:
        UsageError: when it is made, if a text cannot be read.
    """

    name: ClassVar[str]
    done: ClassVar[str] = ""
    """What it did to the elements it took, as in "deleted"."""
    parts_things: ClassVar[bool] = False
    """Whether a thing is torn by it that is not taken whole."""

    @property
    def manner(self) -> str:
        """How it did so, as in " by 30°"."""
        return ""

    def __post_init__(self) -> None:
        for field_ in fields(self):
            text = getattr(self, field_.name)
            if not _is_text(text):
                raise UsageError(f"{self.name}'s {field_.name} is not a text: {text!r}")
            field_.metadata["parse"](text)

    @classmethod
    def metavars(cls) -> tuple[str, ...]:
        """The names of the arguments on the command line, in order."""
        return tuple(f.metadata["metavar"] for f in fields(cls) if f.default is MISSING)

    @classmethod
    def help(cls) -> str:
        """What it does, in one line."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Self:
        """Make the operation from the arguments typed.

        Raises:
            UsageError: too many, too few, or one that cannot be read.
        """
        if len(arguments) != len(cls.metavars()):
            raise UsageError(
                f"{cls.name} takes {' '.join(cls.metavars()) or 'no arguments'}",
                hint=f"{len(arguments)} given: {' '.join(arguments)}",
            )
        return cls(*arguments)

    def as_json(self) -> dict[str, str]:
        """The operation as an entry of an edit script."""
        texts = {field_.name: getattr(self, field_.name) for field_ in self._told()}
        return {"operation": self.name, **texts}

    def _told(self) -> list[Field[Any]]:
        """The fields that say something: those whose text is not their default."""
        return [f for f in fields(self) if getattr(self, f.name) != f.default]

    def with_tolerance(self, tolerance: float) -> Self:
        """The same, with a tolerance for every `object@` that states none."""
        texts = {
            name: str(selection.with_tolerance(tolerance))
            for name, selection in self.selections.items()
            if "object@" in getattr(self, name)
        }
        return replace(self, **texts)

    @cached_property
    def selections(self) -> dict[str, Selection]:
        """The selections among the arguments, by field."""
        return {
            field_.name: parse_selection(getattr(self, field_.name))
            for field_ in fields(self)
            if field_.metadata["parse"] is parse_selection
        }

    def parted(self, elements: ElementSet, first: int | None = None) -> ElementSet:
        """The set with elements parted along the masks that the selections name.

        Args:
            first: the masks lie on the picture before that step of the history; None: as it is.

        Raises:
            UsageError: there would be too many elements.
            BadInputError: a mask cannot be read or does not fit the canvas.
        """
        for selection in self.selections.values():
            elements = parted_along(elements, selection, first)
        return elements

    def look(self, elements: ElementSet, first: int) -> None:
        """Let the selections mean the picture as it was before a step of the history.

        Args:
            elements: the set that the operation is to be applied to.
            first: the step.
        """
        picture = picture_before(elements, first)
        for name, selection in self.selections.items():
            self._chosen[name, False] = elements, selection.rows(elements, picture=picture)

    def rows(self, elements: ElementSet, name: str = "selection", *, deleted: bool = False) -> Rows:
        """The rows that the selection in a field chooses, see :meth:`Selection.rows`."""
        chosen = self._chosen.get((name, deleted))
        if chosen is None or chosen[0] is not elements:
            chosen = elements, self.selections[name].rows(elements, deleted=deleted)
            self._chosen[name, deleted] = chosen
        return chosen[1]

    @cached_property
    def _chosen(self) -> dict[tuple[str, bool], tuple[ElementSet, Rows]]:
        """What selections chose the last time: applying asks, and telling what was taken does."""
        return {}

    def taken(self, before: ElementSet, after: ElementSet) -> tuple[ElementSet, Rows] | None:  # noqa: ARG002
        """The elements that it took: the set they are in and their rows; None for none.

        Args:
            before: the set it was applied to.
            after: what came out.
        """
        return (before, self.rows(before)) if "selection" in self.selections else None

    @abstractmethod
    def apply(self, elements: ElementSet) -> ElementSet:
        """The changed set; its history is left as it was.

        Raises:
            UsageError: the operation means nothing in this set, or goes beyond the limits.
            BadInputError: a file that it names cannot be read.
        """

    def __str__(self) -> str:
        return " ".join([self.name, *(getattr(self, field_.name) for field_ in self._told())])


@dataclass(frozen=True)
class Selecting(Operation):
    """An operation on what a selection chooses, which is typed first."""

    selection: str = argument("SEL", parse_selection)


def parted_along(
    elements: ElementSet, selection: Selection, first: int | None = None
) -> ElementSet:
    """The set with visible elements parted along a selection's masks.

    Args:
        first: the masks lie on the picture before that step of the history; None: as it is.
    """
    for mask in selection.masks:
        white = mask.white(elements.canvas)
        if first is None:
            elements = part(elements, white)
        else:
            # Tables of the history are parted as the current one is: so this one is one of them.
            now = Edit({}, elements.table, elements.groups, len(elements.sources))
            seen = replace(picture_before(elements, first), history=(*elements.history, now))
            seen = part(seen, white)
            *history, now = seen.history
            elements = replace(seen, table=now.table, groups=now.groups, history=tuple(history))
    return elements


def picture_before(elements: ElementSet, first: int) -> ElementSet:
    """The set as it looked before a step of its history, in the rows that it has now.

    Elements that have come since are invisible. Groups are those of now.
    """
    before, table = elements.history[first].table, elements.table
    order = np.argsort(before.id)
    place = np.searchsorted(before.id[order], table.id).clip(0, max(0, len(before) - 1))
    at = order[place] if len(before) else place
    there = before.id[at] == table.id if len(before) else np.zeros(len(table), dtype=bool)
    rows = np.flatnonzero(there)
    was = before.take(at[rows])
    shown = {name: getattr(was, name) for name in STATE}
    table = table.set(np.arange(len(table)), visible=False).set(rows, **shown)
    return replace(elements, table=table)


def _is_text(value: object) -> bool:
    """Whether a value is a string that a file can hold: a name typed in bytes may be none."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
