"""Edit scripts: what is refused, and that code, page and schema tell the same."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from eie.editing import OPERATIONS, Delete, Move, edit, read_script, script_of
from eie.elements import ElementSet
from eie.errors import BadInputError

FORMATS = Path(__file__).parents[2] / "formats"
SCHEMA = json.loads((FORMATS / "edit-script.schema.json").read_text("utf-8"))
PAGE = (FORMATS / "edit-script.md").read_text("utf-8")


def script(*entries: object, **changes: object) -> str:
    return json.dumps({"format": "eie-edits", "version": 1, "operations": list(entries), **changes})


MOVE = {"operation": "move", "selection": "12", "shift": "+40,0"}


def test_a_script_is_a_list_of_operations() -> None:
    text = script(MOVE, {"operation": "delete", "selection": "33"})
    assert read_script(text) == [Move("12", "+40,0"), Delete("33")]
    assert read_script(text.encode("utf-8-sig")) == read_script(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\x89HDF\r\n", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an edit script"),
        ('{"format": "x"}', "not an edit script"),
        (script(version=2), "version is 2"),
        (script(version=True), "version is True"),
        (script(operations={}), "not a list"),
        (script(MOVE, 5), "operation 2: '5' is no operation"),
        (script(MOVE, {}), "operation 2: None is no operation.*move, to, scale"),
        (script({"operation": ["move"]}), "operation 1: .* is no operation"),
        (script({**MOVE, "shfit": "1,1"}), "operation 1: move does not know 'shfit'"),
        (script({"operation": "move", "selection": "12"}), "operation 1: move lacks 'shift'"),
        (script({**MOVE, "shift": [40, 0]}), "operation 1: move's shift is not a text"),
        (script({**MOVE, "shift": "40"}), "operation 1, shift '40': expected a comma"),
        (script({**MOVE, "selection": "x"}), "operation 1, selection 'x': expected"),
        (script({**MOVE, "selection": "\ud800"}), "operation 1: .*not a text"),
    ],
)
def test_what_is_no_script_is_refused_at_its_place(text: str | bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        read_script(text, where="edits.json")
    assert str(caught.value).startswith("edits.json")


def test_the_schema_knows_every_operation_and_nothing_else() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    described = {
        entry["properties"]["operation"]["const"]: list(entry["properties"])[1:]
        for entry in SCHEMA["$defs"]["operation"]["oneOf"]
    }
    assert described == {
        operation.name: [field.name for field in fields(operation)] for operation in OPERATIONS
    }


def test_the_schema_accepts_what_is_written_and_refuses_what_is_refused(quilt: ElementSet) -> None:
    jsonschema.validate(script_of(edit(quilt, [Move("1", "1,1"), Delete("2")])), SCHEMA)
    for entry in (5, {}, {**MOVE, "shfit": ""}, {"operation": "move", "selection": "12"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(script(entry)), SCHEMA)


def test_the_page_shows_a_script_that_can_be_read_and_a_line_per_operation() -> None:
    example = PAGE.split("```json\n")[1].split("```")[0]
    assert len(read_script(example)) > 3
    jsonschema.validate(json.loads(example), SCHEMA)
    for operation in OPERATIONS:
        named = ", ".join(f"`{field.name}`" for field in fields(operation)) or "–"
        assert f"| `{operation.name}` | {named} |" in PAGE


def test_a_name_too_long_to_be_one_is_told_when_it_is_opened(tmp_path, quilt) -> None:
    entry = {"operation": "delete", "selection": f"mask:{'é' * 300}.png"}
    script = json.dumps({"format": "eie-edits", "version": 1, "operations": [entry]})
    (operation,) = read_script(script, folder=tmp_path)
    with pytest.raises(BadInputError):
        edit(quilt, [operation])
