"""Operations on what is seen, how often and with which appearance; those that change no element.

The latter name groups, tell where selections look, and go back to the start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from eie.editing.groups import group_members, parse_group_name
from eie.editing.operations.base import Operation, Selecting, argument
from eie.editing.picking import Rows
from eie.editing.selection import parse_selection
from eie.editing.table_changes import appended, changed, depths, far_to_near, restacked, shifted
from eie.editing.units import parse_shift
from eie.elements import ElementSet
from eie.errors import UsageError


@dataclass(frozen=True)
class Delete(Selecting):
    """Take elements off the canvas; --restore brings them back."""

    name = "delete"
    done = "deleted"
    parts_things = True

    def apply(self, elements: ElementSet) -> ElementSet:
        return changed(elements, self.rows(elements), visible=False)


@dataclass(frozen=True)
class Restore(Selecting):
    """Bring deleted elements back, where they were when they were deleted."""

    name = "restore"
    done = "restored"

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
class Copy(Selecting):
    """Copy elements to dx,dy from themselves, in front of them.

    Copies get ids that were never used, from the farthest element to the nearest.
    """

    name = "copy"
    done = "copied"
    parts_things = True
    shift: str = argument("dx,dy", parse_shift)

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = far_to_near(elements, self.rows(elements))
        originals = elements.table.take(rows)
        above = int(originals.z.max())
        copied = appended(elements, originals, depths(elements, rows), above)
        added = np.arange(len(elements), len(copied))
        return shifted(copied, added, parse_shift(self.shift).shift_on(elements.canvas))


@dataclass(frozen=True)
class Front(Selecting):
    """Bring elements in front of all others."""

    name = "front"
    done = "brought to the front"

    def apply(self, elements: ElementSet) -> ElementSet:
        return restacked(elements, self.rows(elements), lambda others, _: int(others.max()) + 1)


@dataclass(frozen=True)
class Back(Selecting):
    """Put elements behind all others."""

    name = "back"
    done = "put behind all others"

    def apply(self, elements: ElementSet) -> ElementSet:
        rows = self.rows(elements)
        return restacked(elements, rows, lambda z, depth: int(z.min()) - 1 - int(depth.max()))


@dataclass(frozen=True)
class Appearance(Selecting):
    """Let elements show what others show, in their own boxes, turned as these are.

    One element gives its appearance to all; equally many give it pair by pair, in the order typed.
    """

    name = "appearance"
    done = "changed the appearance of"
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
