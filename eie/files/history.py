"""The edit history in an element file: what each step changed, not a table per step.

Step t keeps the state before operation t. A column that equals the one of the next state (of step
t + 1, or the current table after the last step) is not stored again, and neither are equal groups:
a move costs one column, and neighbouring boxes deflate to little. Where nothing was ever turned,
angle and shear are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eie.elements import Edit, ElementTable, Groups
from eie.files import hdf5, values
from eie.files.schema import COLUMNS, HISTORY_ARRAYS, TURNS


def write_history(
    group: h5py.Group, history: Sequence[Edit], table: ElementTable, groups: Groups
) -> None:
    """Fill /history or /undone; `table` and `groups` are the current state."""
    tables = [*(edit.table for edit in history), table]
    grouped = [*(edit.groups for edit in history), groups]
    changed = np.array(
        [
            [not _same(getattr(before, name), getattr(after, name)) for name in COLUMNS]
            for before, after in pairwise(tables)
        ],
        dtype=np.uint8,
    )
    turned = any(getattr(state, name).any() for state in tables for name in TURNS)
    names = [name for name in COLUMNS if turned or name not in TURNS]
    lines = [
        None if dict(before) == dict(after) and list(before) == list(after) else before
        for before, after in pairwise(grouped)
    ]
    arrays: dict[str, NDArray[Any]] = {
        "operations": values.json_lines(edit.operation for edit in history),
        "sources": np.array([edit.sources for edit in history], dtype=np.int32),
        "rows": np.array([len(edit.table) for edit in history], dtype=np.int32),
        "groups": values.json_lines(lines),
        "changed": np.ascontiguousarray(changed[:, : len(names)]),
    }
    for index, name in enumerate(names):
        kept = [getattr(tables[step], name) for step in np.flatnonzero(changed[:, index])]
        arrays[name] = values.to_stored(name, kept)
    for name, array in arrays.items():
        hdf5.write_array(group, name, array, HISTORY_ARRAYS[name])


def read_history(folder: hdf5.SafeGroup, table: ElementTable, groups: Groups) -> tuple[Edit, ...]:
    """The edits of /history or /undone, in order; what did not change shares its memory."""
    operations = values.parse_json_lines(folder, "operations", dict)
    grouped = values.parse_json_lines(folder, "groups", (dict, type(None)))
    steps = len(operations)
    rows = _steps(folder, "rows", steps)
    sources = _steps(folder, "sources", steps)
    changed = _changed(folder, steps)
    if len(grouped) != steps:
        raise folder.refusal(f"{len(grouped)} lines for {steps} steps", "groups")
    if (rows < 0).any():
        raise folder.refusal("a row count is negative", "rows")
    columns = {
        name: _split(folder, name, np.where(changed[:, index], rows, 0))
        for index, name in enumerate([*COLUMNS][: changed.shape[1]])
    }
    edits: list[Edit] = []
    for step in reversed(range(steps)):
        kept = {
            name: column[step] if changed[step, index] else getattr(table, name)
            for index, (name, column) in enumerate(columns.items())
        }
        for name in COLUMNS.keys() - columns.keys():
            kept[name] = np.zeros(rows[step])
        if any(len(column) != rows[step] for column in kept.values()):
            raise folder.refusal(f"columns of step {step} differ in length", "changed")
        table = ElementTable(**kept)
        if grouped[step] is not None:
            groups = values.parse_groups(grouped[step], folder.node("groups"), folder.origin)
        edits.append(Edit(operations[step], table, groups, int(sources[step])))
    return tuple(reversed(edits))


def _steps(folder: hdf5.SafeGroup, name: str, steps: int) -> NDArray[Any]:
    """An array with one row per step."""
    plan = HISTORY_ARRAYS[name]
    return folder.array(name, replace(plan, shape=(steps, *plan.shape[1:])))


def _changed(folder: hdf5.SafeGroup, steps: int) -> NDArray[np.bool_]:
    """(T, columns) bool, which columns differ from those of the next state; of turns or without."""
    changed = _steps(folder, "changed", steps)
    widths = (len(COLUMNS) - len(TURNS), len(COLUMNS))
    if changed.shape[1] not in widths:
        either = " or ".join(str((steps, width)) for width in widths)
        raise folder.refusal(f"the shape is {changed.shape} instead of {either}", "changed")
    return np.asarray(changed != 0)


def _same(before: NDArray[Any], after: NDArray[Any]) -> bool:
    return before is after or np.array_equal(before, after)


def _split(folder: hdf5.SafeGroup, name: str, lengths: NDArray[np.integer]) -> list[NDArray[Any]]:
    """A column of all steps, cut into one view per step; empty where a step did not change it."""
    total = int(lengths.sum(dtype=np.int64))
    plan = HISTORY_ARRAYS[name]
    column = values.from_stored(folder, name, replace(plan, shape=(total, *plan.shape[1:])))
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    starts = [0, *ends[:-1]]
    return [column[start:end] for start, end in zip(starts, ends, strict=True)]
