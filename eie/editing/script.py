"""Edit scripts: the operations of one set as JSON, to be played again on another.

formats/edit-script.md describes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from eie.editing.operations import OPERATIONS, Look, Operation, Paste
from eie.elements import ElementSet
from eie.errors import BadInputError, UsageError
from eie.files.stores import AnyPath, in_folder

FORMAT = "eie-edits"
VERSION = 1

LOOK, BEFORE = "look", "before"
"""What the history adds to an operation whose selections mean the picture before an earlier one."""


def script_of(elements: ElementSet) -> dict[str, Any]:
    """The recorded edits of a set as an edit script (JSON values only).

    Where a command began, selections look at the picture anew.
    """
    operations: list[dict[str, Any]] = []
    for edit in elements.history:
        if operations and not is_later(edit.operation):
            operations.append({"operation": Look.name})
        operations.append(told(edit.operation))
    return {"format": FORMAT, "version": VERSION, "operations": operations}


def recorded(operation: Operation, *, later: bool) -> dict[str, str]:
    """An operation as an entry of the history.

    Args:
        later: whether its selections mean the picture before an earlier one, of the same command.
    """
    return {**operation.as_json(), **({LOOK: BEFORE} if later else {})}


def is_later(entry: Mapping[str, Any]) -> bool:
    """Whether the selections of an entry of the history mean the picture before an earlier one."""
    return entry.get(LOOK) == BEFORE


def told(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the history as one of a script."""
    return {name: value for name, value in entry.items() if name != LOOK}


def read_script(
    text: str | bytes, *, where: str = "edit script", folder: AnyPath | None = None
) -> list[Operation]:
    """The operations of an edit script.

    Selections are texts, and are looked up in the set that the operations are applied to.

    Args:
        text: the script's JSON.
        where: its file, for error messages.
        folder: where files that it names by relative paths are looked for first; None for
            nowhere but in the working folder.

    Raises:
        BadInputError: it is no edit script; the entry is named ("edits.json, operation 3").
    """
    hint = f'it begins {{"format": "{FORMAT}", "version": {VERSION}, "operations": ['
    script = read_document(text, where, "an edit script", FORMAT, VERSION, hint)
    entries = script.get("operations")
    if not isinstance(entries, list):
        raise BadInputError("its operations are not a list", where=where)
    read = [_read_entry(entry, f"{where}, operation {n}") for n, entry in enumerate(entries, 1)]
    return read if folder is None else [with_files(each, found_in(folder)) for each in read]


def read_document(
    text: str | bytes, where: str, noun: str, format: str, version: int, hint: str
) -> dict[str, Any]:
    """A JSON object that names its format and version, as edit scripts and recipes do.

    Args:
        where: its file, for error messages.
        noun: what it should be, with its article.
        format, version: those that are known.
        hint: for what is something else.

    Raises:
        BadInputError: it is none, of another format or of another version.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"this is not JSON: {error}", where=where) from error
    if not isinstance(document, dict) or document.get("format") != format:
        raise BadInputError(f"this is not {noun}", where=where, hint=hint)
    found = document.get("version")
    if type(found) is not int or found != version:
        raise BadInputError(
            f"its version is {found!r}, known is {version}",
            where=where,
            hint="a newer eie may read it",
        )
    return document


def found_in(folder: AnyPath) -> Callable[[str], str]:
    """Looks names up in a folder: gives the file there, or if there is none the name itself."""

    def found(file: str) -> str:
        beside = in_folder(folder, file)
        try:
            there = beside.is_file()
        except OSError:  # a name too long to be one, of which whoever opens it tells
            there = False
        return str(beside) if there else file

    return found


def with_files(operation: Operation, found: Callable[[str], str]) -> Operation:
    """An operation with the names of its masks and element files looked up."""
    texts = {
        name: str(selection.with_files(found))
        for name, selection in operation.selections.items()
        if selection.masks
    }
    if isinstance(operation, Paste):
        texts["file"] = found(operation.file)
    return replace(operation, **texts) if texts else operation


def files_of(operation: Operation) -> list[str]:
    """The masks and element files that an operation reads."""
    named = [mask.file for text in operation.selections.values() for mask in text.masks]
    return [*named, operation.file] if isinstance(operation, Paste) else named


def names_masks(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of an edit script names masks, by which elements may be parted."""
    return any("mask:" in str(text) for text in entry.values())


def _read_entry(entry: Any, where: str) -> Operation:
    try:
        return _operation_of(entry)
    except UsageError as error:
        inner = f"{where}, {error.where}" if error.where else where
        raise BadInputError(error.message, where=inner, hint=error.hint) from error


def _operation_of(entry: Any) -> Operation:
    """The operation of an edit script's entry.

    Raises:
        UsageError: it is no operation, or lacks or has too many fields, or a text cannot be read.
    """
    if not isinstance(entry, Mapping):
        raise UsageError(
            f"{str(entry)[:40]!r} is no operation",
            hint='write {"operation": "delete", "selection": "12"}',
        )
    by_name = {operation.name: operation for operation in OPERATIONS}
    name = entry.get("operation")
    if not isinstance(name, str) or name not in by_name:
        raise UsageError(f"{name!r} is no operation", hint=f"operations: {', '.join(by_name)}")
    operation = by_name[name]
    expected = {field.name for field in fields(operation)}
    needed = {field.name for field in fields(operation) if field.default is MISSING}
    given = set(entry) - {"operation"}
    for problem, names in (("lacks", needed - given), ("does not know", given - expected)):
        if names:
            raise UsageError(
                f"{name} {problem} {', '.join(map(repr, sorted(names)))}",
                hint=f"its fields: {', '.join(field.name for field in fields(operation))}",
            )
    return operation(**{field_name: entry[field_name] for field_name in given})
