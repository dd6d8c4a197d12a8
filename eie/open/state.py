"""What is told of a document: its elements, groups and history, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.editing import script_of
from eie.editing.account import description, doubts, share_of
from eie.editing.all_objects import has_objects
from eie.editing.changes import centre_of, commonest_turn
from eie.editing.script import is_later, told
from eie.editing.selection import parse_selection
from eie.elements import ElementSet
from eie.geometry import common_box, corners
from eie.open.command_line import command_line, text_of

MOST_WITH_OBJECTS = 4096
"""Elements up to which the objects of all are told at once."""


def state_of(
    elements: ElementSet,
    *,
    identity: str,
    file: str,
    photo: str | None,
    revision: str,
    checkpoint: str | None = None,
) -> dict[str, Any]:
    """The whole state of a document.

    Args:
        elements: the set.
        identity, file, revision: of the document.
        photo: name of the photo it was made of, if that is in the workspace.
        checkpoint: path of the segmenter that photos are decomposed by, if it has no name.
    """
    pixels = elements.sources[0].pixels
    return {
        "id": identity,
        "file": file,
        "photo": photo,
        "revision": revision,
        "canvas": {"width": elements.canvas.width, "height": elements.canvas.height},
        "depth": 8,
        "alpha": pixels is not None and pixels.shape[2] in (2, 4),
        "elements": rows_of(elements),
        "groups": {name: list(members) for name, members in elements.groups.items()},
        "history": [_entry(edit.operation) for edit in elements.history],
        "undone": [_entry(edit.operation) for edit in reversed(elements.undone)],
        "has_objects": len(elements) <= MOST_WITH_OBJECTS and has_objects(elements),
        "command": command_line(elements, file, photo, checkpoint),
        "script": script_of(elements),
    }


def rows_of(elements: ElementSet) -> list[dict[str, Any]]:
    """The rows of the element table, each with its home box."""
    table = elements.table
    columns: dict[str, NDArray[Any]] = {
        "id": table.id,
        "source": table.source,
        "patch": table.patch,
        "box": table.box,
        "angle": table.angle,
        "shear": table.shear,
        "flip_x": table.flip[:, 0],
        "flip_y": table.flip[:, 1],
        "z": table.z,
        "visible": table.visible,
        "home": elements.home_box,
    }
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _entry(operation: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the history with its text, as it is typed, and whether it was done in one edit
    with the one before it."""
    entry = told(operation)
    return {**entry, "text": text_of(entry), "later": is_later(operation)}


def selection_of(
    elements: ElementSet, text: str, *, tolerance: float | None = None, deleted: bool = False
) -> dict[str, Any]:
    """What a selection takes.

    Raises:
        UsageError: it cannot be read, or means nothing in the set.
        BadInputError: a mask cannot be read or does not fit.
    """
    selection = parse_selection(text)
    if tolerance is not None:
        selection = selection.with_tolerance(tolerance)
    rows = selection.rows(elements, deleted=deleted)
    return {
        "ids": elements.table.id[rows].tolist(),
        "rows": rows.tolist(),
        "box": _edges(elements, rows).tolist(),
        "centre": centre_of(elements, rows).tolist(),
        "angle": commonest_turn(elements, rows)[0],
        "share": share_of(elements, rows),
        "text": description(elements, rows),
        "warnings": list(doubts(elements, rows, [selection], torn=not deleted)),
    }


def _edges(elements: ElementSet, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """(4,) x0, y0, x1, y1 of what is around elements on the canvas."""
    return corners(common_box(elements.table.upright_box[rows]))
