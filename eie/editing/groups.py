"""Named groups of elements, and the nameless one of what the last operation made or changed."""

from __future__ import annotations

import re

import numpy as np

from eie.elements import STATE, ElementSet, ElementTable
from eie.errors import UsageError

LAST = "last"
"""Name of what the last operation made or changed, unless there is a group of that name."""


def group_members(elements: ElementSet, group: str) -> tuple[int, ...]:
    """The ids of a group's members.

    Raises:
        UsageError: there is no such group.
    """
    if group == LAST and group not in elements.groups:
        return _last(elements)
    if group not in elements.groups:
        names = ", ".join(sorted(elements.groups))
        raise UsageError(
            f"there is no group {group!r}",
            hint=f"groups: {names}" if names else "make one with --group NAME SELECTION",
        )
    return elements.groups[group]


def _last(elements: ElementSet) -> tuple[int, ...]:
    """The ids of the elements that the last operation made, or else changed.

    Raises:
        UsageError: it changed none, or there was none.
    """
    after = elements.table
    for edit in reversed(elements.history):
        if not after.equals(edit.table):
            if isinstance(edit.operation.get("operation"), str):
                return _differing(edit.table, after)
            break
        if edit.operation.get("operation") not in ("group", "ungroup"):
            break
        after = edit.table
    raise UsageError(
        f"there is no group {LAST!r}", hint="it is what the last operation made or changed"
    )


def _differing(before: ElementTable, after: ElementTable) -> tuple[int, ...]:
    """The ids of the elements that are new in a table, or if there are none, other than before."""
    new = after.id[~np.isin(after.id, before.id)]
    if len(new):
        return tuple(new.tolist())
    where = {element: row for row, element in enumerate(before.id.tolist())}
    was = before.take(np.array([where[element] for element in after.id.tolist()]))
    other = np.zeros(len(after), dtype=bool)
    for name in STATE:
        differ = getattr(was, name) != getattr(after, name)
        other |= differ.reshape(len(after), -1).any(axis=1)
    return tuple(after.id[other].tolist())


def parse_group_name(text: str) -> str:
    """A name that a group can have: letters, digits, `_`, `.`, blanks and `-`, 1 to 64 of them.

    Raises:
        UsageError: it is something else.
    """
    if not re.fullmatch(r"\w(?:[\w. -]{0,62}[\w.-])?", text):
        raise UsageError(
            f"{text!r} cannot be a group's name",
            hint="letters, digits, _ . - and blanks, beginning with a letter or digit, at most 64",
        )
    return text
