"""Editing: selections, operations, edit scripts. No torch, and nothing heavy before it
is wanted, so that it starts in a blink.

    >>> changed = edit(elements, [Move("object@120,80", "+40,0"), Delete("33")])
    >>> undo(changed, 2).table.equals(elements.table)
    True

An edit changes numbers of the element table. Every operation is recorded in the set's history with
the state before it, so everything can be undone, and played again on another set as a script. Only
elements that a mask has parted stay parted, which does not show.

    selection, terms, modifiers, groups, units            what is typed ⇒ which elements
    picking, objects, region_growing                      what is meant by a place
    click_facts, candidate_ranking, corrections           what is meant by a click, and by several
    all_objects                                           the things at all elements at once
    click_simulation                                      a person who clicks, for evaluations
    parting                                               masks cut elements
    operations, table_changes                             what is done to them
    script, account                                       edits as JSON, and in words
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from eie.editing.account import account_of
from eie.editing.operations import (
    OPERATIONS,
    Appearance,
    Back,
    Copy,
    Delete,
    Drag,
    Flip,
    Front,
    Group,
    Look,
    Move,
    Operation,
    Paste,
    Reset,
    Restore,
    Rotate,
    Scale,
    Swap,
    To,
    Ungroup,
)
from eie.editing.region_growing import TOLERANCE
from eie.editing.script import is_later, names_masks, read_script, recorded, script_of
from eie.editing.selection import select
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
    "Look",
    "Move",
    "Operation",
    "Paste",
    "Reset",
    "Restore",
    "Rotate",
    "Scale",
    "Swap",
    "To",
    "Ungroup",
    "edit",
    "forget_undone",
    "read_script",
    "redo",
    "reset",
    "script_of",
    "select",
    "undo",
]


PARTED = "parted"
"""In how a photo was cut: whether masks of forgotten edits have parted elements since."""


def edit(
    elements: ElementSet,
    operations: Iterable[Operation],
    *,
    tolerance: float | None = None,
    intent: str | None = None,
    report: Callable[[str], None] | None = None,
    ids: bool = False,
) -> ElementSet:
    """Apply operations in the order given and record each in the history.

    Selections mean the picture as it is when the first operation is applied, or after the last
    :class:`Look` or :class:`Reset` among them: `@120,80` is what was seen there then, wherever it
    is by now. Ids and groups are those of the moment, and :class:`Restore` chooses from what is
    deleted by then.

    Args:
        elements: the set to edit.
        operations: what to do.
        tolerance: how unlike its object an element may be, in [0, 1], for every `object@` and
            drag that states none; it is recorded with the operation. None is :data:`TOLERANCE`.
        intent: what becomes of pasted colours that the photo's profile does not have: "relative"
            takes the nearest, "perceptual" moves all; it is recorded, too. None is "relative", or
            what a paste states itself.
        report: takes lines about each operation, when all are done: what it took, and warnings, as
            :func:`eie.editing.account.account_of` has them. None for no report.
        ids: whether these lines name the elements that were taken.

    Raises:
        UsageError: an operation means nothing in the set as it is by then; nothing is changed.
        BadInputError: a file that an operation names cannot be read.
    """
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise UsageError(f"the tolerance {tolerance:g} is outside 0 to 1")
    told: list[str] = []
    elements = forget_undone(elements)
    fresh = True  # whether the picture is the one that selections mean
    for operation in operations:
        if isinstance(operation, Look):
            fresh = True
            continue
        if tolerance is not None:
            operation = operation.with_tolerance(tolerance)
        if intent is not None and isinstance(operation, Paste):
            operation = replace(operation, intent=intent)
        account = None if report is None else told
        elements = _recorded(elements, operation, later=not fresh, told=account, ids=ids)
        fresh = isinstance(operation, Reset)
    if report is not None:
        for line in told:
            report(line)
    return elements


def undo(elements: ElementSet, steps: int = 1, *, redoable: bool = False) -> ElementSet:
    """Take the latest edits back: elements, groups and sources are exactly as they were before.

    Elements that a mask has parted stay parted, each part where its whole was.

    Args:
        redoable: keep what was taken back, for :func:`redo`; then the file is another than before.

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
    if not redoable:
        return replace(
            elements,
            table=before.table,
            groups=before.groups,
            sources=elements.sources[: before.sources],
            history=elements.history[:-steps],
            undone=(),
            decomposition=_cut(elements, (*elements.history[-steps:], *elements.undone)),
        )
    for _ in range(steps):
        elements = _stepped_back(elements)
    return elements


def redo(elements: ElementSet, steps: int = 1) -> ElementSet:
    """Do again what was taken back last; an edit since then forgets what was taken back.

    Raises:
        UsageError: there are not so many edits that were taken back.
    """
    if steps < 1:
        raise UsageError(f"{steps} edits cannot be done again", hint="redo 1 or more")
    if steps > len(elements.undone):
        raise UsageError(
            f"cannot redo {steps}: {len(elements.undone) or 'no'} edits were undone",
            hint="an edit after --undo forgets what was undone",
        )
    for after in elements.undone[: -steps - 1 : -1]:
        before = replace(
            after, table=elements.table, groups=elements.groups, sources=_sources_shown(elements)
        )
        elements = replace(
            elements,
            table=after.table,
            groups=after.groups,
            history=(*elements.history, before),
            undone=elements.undone[:-1],
        )
    return elements


def _stepped_back(elements: ElementSet) -> ElementSet:
    """The set before its last edit, which can be done again."""
    before = elements.history[-1]
    after = replace(
        before, table=elements.table, groups=elements.groups, sources=_sources_shown(elements)
    )
    return replace(
        elements,
        table=before.table,
        groups=before.groups,
        history=elements.history[:-1],
        undone=(*elements.undone, after),
    )


def _sources_shown(elements: ElementSet) -> int:
    """How many sources the state has, less those that only undone edits show."""
    if not elements.undone:
        return len(elements.sources)
    shown = [int(elements.table.source.max(initial=0)) + 1]
    return max(shown + [edit.sources for edit in elements.history])


def forget_undone(elements: ElementSet) -> ElementSet:
    """The set without what was taken back and can be done again."""
    if not elements.undone:
        return elements
    shown = elements.sources[: _sources_shown(elements)]
    cut = _cut(elements, elements.undone)
    return replace(elements, sources=shown, undone=(), decomposition=cut)


def _cut(elements: ElementSet, forgotten: Sequence[Edit]) -> dict[str, Any]:
    """How the photo was cut, without some edits: elements that masks parted stay parted, though
    nothing tells of it any more but this, for whoever wants to cut the photo alike."""
    masked = any(names_masks(edit.operation) for edit in forgotten)
    return {**elements.decomposition, **({PARTED: True} if masked else {})}


def reset(elements: ElementSet) -> ElementSet:
    """Go back to the unedited photo; recorded as an edit, so it can be undone."""
    return edit(elements, [Reset()])


def _recorded(
    elements: ElementSet,
    operation: Operation,
    *,
    later: bool,
    told: list[str] | None = None,
    ids: bool = False,
) -> ElementSet:
    """The set with an operation applied and recorded; lines about it are added to `told`.

    Args:
        later: whether its selections mean the picture before the last operation that is not later.
    """
    operation = replace(operation)  # what it has read of masks serves this once
    first = _first(elements) if later else None
    try:
        elements = operation.parted(elements, first)
        if first is not None:
            operation.look(elements, first)
        changed = operation.apply(elements)
        if told is not None:
            told += account_of(operation, elements, changed, ids=ids)
    except EieError as error:
        where = f"{operation}, {error.where}" if error.where else str(operation)
        raise type(error)(error.message, where=where, hint=error.hint) from error
    step = Edit(
        operation=recorded(operation, later=later),
        table=elements.table,
        groups=elements.groups,
        sources=len(elements.sources),
    )
    return replace(changed, history=(*elements.history, step))


def _first(elements: ElementSet) -> int | None:
    """The step of the history before which the last command began; None if it has none."""
    steps = enumerate(elements.history)
    return max((step for step, edit in steps if not is_later(edit.operation)), default=None)
