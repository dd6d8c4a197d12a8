"""The specification, its schema and its samples against the program."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import jsonschema
import numpy as np
import pytest

from eie.errors import BadInputError
from eie.files import dump, load
from eie.files.inspection import check_file, layout
from eie.notes import Note

ROOT = Path(__file__).parents[2]
FORMATS = ROOT / "formats"
SPECIFICATION = FORMATS / "element-file.md"
GOOD = sorted((FORMATS / "samples" / "good").glob("*.h5"))
REWRITTEN = sorted((FORMATS / "samples" / "rewritten").glob("*.h5"))
BAD = sorted((FORMATS / "samples" / "bad").glob("*.h5"))
MESSAGES = json.loads((FORMATS / "samples" / "bad" / "messages.json").read_text())


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that made the samples."""
    monkeypatch.syspath_prepend(FORMATS / "samples")
    return importlib.import_module("make")


@pytest.mark.parametrize("page", ["element-file.md", "reading.md"])
def test_the_sessions_on_the_page_are_true(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(FORMATS / page), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_every_must_is_named_by_a_test() -> None:
    rules = re.findall(r"^- \[(E\d\d)\] (.*)$", SPECIFICATION.read_text(), flags=re.MULTILINE)
    numbers = [number for number, _ in rules]
    assert len(set(numbers)) == len(numbers) > 30
    tested = {entry["rule"] for entry in MESSAGES.values()}
    for test in Path(__file__).parent.glob("test_*.py"):
        tested |= set(re.findall(r"\[(E\d\d)\]", test.read_text()))
    assert {number for number, text in rules if "MUST" in text} <= tested
    assert tested <= set(numbers)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_samples_are_read_and_written_unchanged(path: Path, differences) -> None:
    elements = load(path)
    # Since version 1.1 affinity is kept in 255 steps.
    coarse = ["source 0: affinity", "source 1: affinity"] if path.name.startswith("1.0") else []
    again = load(dump(elements))
    assert set(differences(elements, again)) <= set(coarse)
    assert dump(again) == dump(elements)
    report = check_file(path)
    assert report.valid and not report.findings


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_samples_have_the_layout_of_the_schema(path: Path) -> None:
    schema = json.loads((FORMATS / "element-file.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(layout(path), schema)


@pytest.mark.parametrize("path", REWRITTEN, ids=lambda path: path.stem)
def test_what_other_programs_write_anew_is_read_with_a_note(path: Path, differences) -> None:
    """[E14]"""
    with pytest.warns(Note, match=f"{path}: another program has written it anew"):
        elements = load(path)
    assert differences(elements, load(FORMATS / "samples" / "good" / "1.1-edited.h5")) == []
    report = check_file(path)
    assert report.valid and [finding.kind for finding in report.findings] == ["note"]
    assert load(dump(elements)).prompt == "a cat"  # and is whole again once it is written


def test_files_of_version_1_0_that_were_written_anew_are_read(
    make: ModuleType, differences
) -> None:
    """[E14]"""
    path = FORMATS / "samples" / "good" / "1.0-edited.h5"
    data = make.anew(path.read_bytes(), "latest")
    with pytest.warns(Note, match="another program"):
        assert differences(load(data), load(path)) == []


@pytest.mark.parametrize("name", ["unknown-node", "wrong-type", "wrong-shape", "unknown-filter"])
def test_the_schema_refuses_other_layouts(name: str) -> None:
    schema = json.loads((FORMATS / "element-file.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(layout(FORMATS / "samples" / "bad" / f"{name}.h5"), schema)


def test_every_bad_sample_has_its_message() -> None:
    assert {path.name for path in BAD} == set(MESSAGES)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_samples_are_refused_in_words(path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        for source in load(path).sources:
            np.asarray(source.pixels)
    message = str(caught.value)
    assert MESSAGES[path.name]["message"] in message
    assert str(path) in message and "\n" not in message
    assert not check_file(path).valid


def test_samples_are_what_their_script_makes(
    make: ModuleType, tmp_path: Path, differences, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.write_good(tmp_path / "good")
    make.write_bad(tmp_path / "bad")
    make.write_rewritten(tmp_path / "rewritten")
    assert len(list((tmp_path / "rewritten").iterdir())) == len(REWRITTEN)
    current = f"{make.VERSION[0]}.{make.VERSION[1]}-"
    for path in GOOD:
        if path.name.startswith(current):
            made = load(tmp_path / "good" / path.name)
            # The cut of a photo may change with scikit-image; its size and kind may not.
            assert made.canvas == load(path).canvas
            assert len(made.history) == len(load(path).history)
    assert {path.name for path in (tmp_path / "bad").glob("*.h5")} == set(MESSAGES)


def test_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in (*GOOD, *BAD, *REWRITTEN)) < 1_200_000
