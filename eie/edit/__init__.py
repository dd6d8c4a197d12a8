"""Editing: selections, operations, edit scripts. NumPy only, so that it starts in a blink.

    >>> changed = edit(elements, [Move("object@120,80", "+40,0"), Delete("33")])
    >>> undo(changed, 2).table.equals(elements.table)
    True

An edit changes numbers of the element table. Every operation is recorded in the set's history with
the state before it, so everything can be undone, and played again on another set as a script. Only
elements that a mask has parted stay parted, which does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from eie.edit.account import account_of
from eie.edit.growth import TOLERANCE
from eie.edit.operation import Operation
from eie.edit.operations import (
    OPERATIONS,
    Appearance,
    Back,
    Copy,
    Delete,
    Drag,
    Flip,
    Front,
    Group,
    Move,
    Paste,
    Reset,
    Restore,
    Scale,
    Swap,
    To,
    Ungroup,
)
from eie.edit.script import read_script, script_of
from eie.edit.selection import select
from eie.elements import Edit, ElementSet
from eie.errors import EieError, UsageError

__all__ = [
    "OPERATIONS",
    "TOLERANCE",
    "Appearance",
    "Back",
    "Copy",
    "Delete",
    "Drag",
    "Flip",
    "Front",
    "Group",
    "Move",
    "Operation",
    "Paste",
    "Reset",
    "Restore",
    "Scale",
    "Swap",
    "To",
    "Ungroup",
    "edit",
    "read_script",
    "reset",
    "script_of",
    "select",
    "undo",
]


def edit(
    elements: ElementSet,
    operations: Iterable[Operation],
    *,
    tolerance: float | None = None,
    intent: str | None = None,
    report: Callable[[str], None] | None = None,
) -> ElementSet:
    """Apply operations in the order given and record each in the history.

    Args:
        elements: the set to edit.
        operations: what to do.
        tolerance: how unlike its object an element may be, in [0, 1], for every `object@` and
            drag that states none; it is recorded with the operation. None is :data:`TOLERANCE`.
        intent: what becomes of pasted colours that the photo's profile does not have: "relative"
            takes the nearest, "perceptual" moves all; it is recorded, too. None is "relative", or
            what a paste states itself.
        report: takes lines about each operation, when all are done: what it took, and warnings, as
            :func:`eie.edit.account.account_of` has them. None for no report.

    Raises:
        UsageError: an operation means nothing in the set as it is by then; nothing is changed.
        BadInputError: a file that an operation names cannot be read.
    """
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise UsageError(f"the tolerance {tolerance:g} is outside 0 to 1")
    told: list[str] = []
    for operation in operations:
        if tolerance is not None:
            operation = operation.with_tolerance(tolerance)
        if intent is not None and isinstance(operation, Paste):
            operation = replace(operation, intent=intent)
        elements = _recorded(elements, operation, None if report is None else told)
    if report is not None:
        for line in told:
            report(line)
    return elements


def undo(elements: ElementSet, steps: int = 1) -> ElementSet:
    """Take the latest edits back: elements, groups and sources are exactly as they were before.

    Elements that a mask has parted stay parted, each part where its whole was.

    Raises:
        UsageError: there are not so many edits.
    """
    if steps < 1:
        raise UsageError(f"{steps} edits cannot be undone", hint="undo 1 or more")
    recorded = len(elements.history)
    if steps > recorded:
        raise UsageError(
            f"cannot undo {steps}: {recorded or 'no'} edits are recorded",
            hint="eie info F.h5 lists them",
        )
    before = elements.history[-steps]
    return replace(
        elements,
        table=before.table,
        groups=before.groups,
        sources=elements.sources[: before.sources],
        history=elements.history[:-steps],
    )


def reset(elements: ElementSet) -> ElementSet:
    """Go back to the unedited photo; recorded as an edit, so it can be undone."""
    return edit(elements, [Reset()])


def _recorded(
    elements: ElementSet, operation: Operation, told: list[str] | None = None
) -> ElementSet:
    """The set with an operation applied and recorded; lines about it are added to `told`."""
    operation = replace(operation)  # what it has read of masks serves this once
    try:
        elements = operation.parted(elements)
        changed = operation.apply(elements)
        if told is not None:
            told += account_of(operation, elements, changed)
    except EieError as error:
        where = f"{operation}, {error.where}" if error.where else str(operation)
        raise type(error)(error.message, where=where, hint=error.hint) from error
    step = Edit(
        operation=operation.as_json(),
        table=elements.table,
        groups=elements.groups,
        sources=len(elements.sources),
    )
    return replace(changed, history=(*elements.history, step))
