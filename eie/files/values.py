"""Columns, groups and JSON as arrays of an element file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.elements import Groups
from eie.errors import UsageError
from eie.files import hdf5
from eie.files.schema import BYTES, COLUMNS

BOOLEAN = ("visible", "flip")


def to_stored(name: str, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Column arrays of the table as one stored array; booleans become 0 and 1."""
    plan = COLUMNS[name]
    if not parts:
        return np.empty((0, *(size or 0 for size in plan.shape[1:])), dtype=plan.dtype)
    column = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return column.astype(np.uint8) if column.dtype == bool and name in BOOLEAN else column


def from_stored(folder: hdf5.SafeGroup, name: str, plan: hdf5.Array) -> NDArray[Any]:
    """A column array of the table."""
    column = folder.array(name, plan)
    if name not in BOOLEAN:
        return column
    if (column > 1).any():
        raise folder.refusal("a value is neither 0 nor 1", name)
    return column.view(np.bool_)


def json_text(value: Any, where: str) -> str:
    """Compact JSON in ASCII; the order of keys is kept."""
    try:
        return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"not a JSON value: {error}", where=where) from error


def parse_json(text: str | bytes, node: str, origin: str) -> Any:
    """The value of a JSON text; NaN and infinities are refused."""
    with hdf5.reading(node, origin):
        return json.loads(text, parse_constant=_no_constant)


def json_lines(items: Iterable[Any]) -> NDArray[np.uint8]:
    """One JSON value a line, as bytes."""
    text = "".join(json_text(item, "history") + "\n" for item in items)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def parse_json_lines(folder: hdf5.SafeGroup, name: str, kind: type | tuple[type, ...]) -> list[Any]:
    """The values of a `json_lines` array, each of the given type."""
    lines = folder.array(name, BYTES).tobytes().splitlines()
    parsed = [parse_json(line, folder.node(name), folder.origin) for line in lines]
    for number, value in enumerate(parsed):
        if not isinstance(value, kind):
            raise folder.refusal(f"line {number} is of the wrong kind", name)
    return parsed


def parse_groups(value: Any, node: str, origin: str) -> Groups:
    """Element ids by group name, from a JSON object of arrays of integers."""
    if not isinstance(value, dict) or not all(
        isinstance(members, list) and all(type(member) is int for member in members)
        for members in value.values()
    ):
        raise hdf5.refuse("expected lists of element ids by name", node, origin)
    return MappingProxyType({name: tuple(members) for name, members in value.items()})


def _plain(value: Any) -> Any:
    """Mappings of any kind as dict, so that read-only views can be written."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys must be text")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
