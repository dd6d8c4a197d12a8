"""Operations that change no element: names of groups, where selections look, back to the start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from eie.editing.groups import group_members, parse_group_name
from eie.editing.operations.base import Operation, argument
from eie.editing.selection import parse_selection
from eie.elements import ElementSet


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
