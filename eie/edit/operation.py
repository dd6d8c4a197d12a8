"""What all operations have in common: texts as fields, a command line form and a JSON form."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from eie.edit.parting import part
from eie.edit.picking import Rows
from eie.edit.selection import Selection, parse_selection
from eie.elements import ElementSet
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

    def parted(self, elements: ElementSet) -> ElementSet:
        """The set with elements parted along the masks that the selections name.

        Raises:
            UsageError: there would be too many elements.
            BadInputError: a mask cannot be read or does not fit the canvas.
        """
        for selection in self.selections.values():
            elements = parted_along(elements, selection)
        return elements

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


def parted_along(elements: ElementSet, selection: Selection) -> ElementSet:
    """The set with visible elements parted along a selection's masks."""
    for mask in selection.masks:
        elements = part(elements, mask.white(elements.canvas))
    return elements


def _is_text(value: object) -> bool:
    """Whether a value is a string that a file can hold: a name typed in bytes may be none."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
