"""What was done, as it is typed."""

from __future__ import annotations

import shlex
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

import eie
from eie.cli.edit import changes_of, split_steps
from eie.editing import Copy, Delete, Flip, Group, Move, Paste, Reset, Scale, Swap, edit, undo
from eie.elements import ElementSet, Source
from eie.open.command_line import command_line, edits, text_of


@pytest.fixture
def elements() -> ElementSet:
    labels = np.arange(24).reshape(4, 6)
    label_map = np.kron(labels, np.ones((10, 10), dtype=int))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    source = Source.from_label_map(label_map, pixels=pixels)
    return ElementSet.from_source(source, decomposition={"segmenter": "tiny", "elements": 256})


def replayed(start: ElementSet, commands: list[list[str]]) -> ElementSet:
    """A set after `eie edit` with these options, one command after the other."""
    for words in commands:
        steps, others = split_steps(words)
        intent = others[1] if others else None
        assert others[:1] in ([], ["--intent"])
        for change in changes_of(steps, None, intent):
            start = change(start)
    return start


def test_every_operation_is_replayed(elements, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    eie.save(elements, "other: 1.h5")
    done = elements
    for operations in (
        [Move("3,4", "-5,+2"), Scale("3", "2,3"), Scale("4", "150%")],
        [Copy("7-9", "12,0"), Flip("group:last", "h"), Group("left-eye", "group:last")],
        [Delete("@5,5")],
        [Paste("other: 1.h5", "box:0,0,20,20 - 1", "50%,50%")],
        [Paste("other: 1.h5", "2", "9,9", "perceptual")],
        [Swap("10", "11"), Move("@55,35", "-1,-1")],
        [Reset(), Move("@15,5", "1,1")],
    ):
        done = edit(done, operations)
    again = replayed(elements, edits(done, "photo.h5"))
    assert again.table.equals(done.table)
    assert dict(again.groups) == dict(done.groups)
    told = [dict(step.operation) for step in again.history]
    expected = [dict(step.operation) for step in done.history]
    assert told[2:] == expected[2:]
    assert told[1]["factor"] == "2.0,3.0"
    # through the text, as a shell takes it apart
    line = command_line(done, "a b.h5", "a b.jpg")
    assert shlex.split(line)[:6] == ["eie", "decompose", "a b.jpg", "-o", "a b.h5", "&&"]
    words = shlex.split(line)
    parts = [list(g) for g in " ".join(shlex.quote(w) for w in words).split(" '&&' ")]
    assert len(parts) == len(edits(done, "photo.h5")) + 2


def test_what_is_undone_is_not_done(elements):
    done = undo(edit(elements, [Move("3", "1,0"), Delete("4")]), redoable=True)
    assert edits(done, "photo.h5") == [["--move", "3", "1,0"]]
    assert edits(elements, "photo.h5") == []


def test_undone_masks_are_undone_again(elements, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    white = np.zeros((40, 60), np.uint8)
    white[5:33, 7:44] = 255
    Image.fromarray(white).save("mask.png")
    done = edit(elements, [Move("3", "1,0")])
    done = edit(edit(done, [Delete("mask:mask.png")]), [Move("4", "1,0"), Move("@5,5", "0,1")])
    done = undo(done, 3, redoable=True)
    assert len(done) > len(elements)
    again = replayed(elements, edits(done, "photo.h5"))
    assert eie.dump(again) == eie.dump(done)


def test_unusual_decompositions_are_told(elements):
    slic = MappingProxyType({"segmenter": "slic", "elements": 40})
    line = command_line(replace(elements, decomposition=slic), "-a.h5", "-a.jpg")
    assert line == (
        "eie decompose ./-a.jpg --segmenter slic --elements 40 -o ./-a.h5 && "
        "eie render ./-a.h5 -o ./-a-edited.png"
    )
    sam = {"segmenter": "vit_b", "segmenter_hash": "0", "elements": 256, "beta": 32.5}
    made = replace(elements, decomposition=MappingProxyType(sam))
    assert command_line(made, "a.h5", "a.jpg") == "eie render a.h5 -o a-edited.png"
    named = command_line(made, "a.h5", "a.jpg", "/models/sam vit.pth")
    assert "--segmenter '/models/sam vit.pth' --beta 32.5" in named
    assert command_line(made, "a.h5", None) == "eie render a.h5 -o a-edited.png"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"operation": "move", "selection": "3,7", "shift": "+40,0"}, "--move 3,7 +40,0"),
        (
            {"operation": "delete", "selection": "mask:'a b.png'"},
            """--delete 'mask:'"'"'a b.png'"'"''""",
        ),
        ({"operation": "reset"}, "--reset"),
        ({"operation": "ungroup", "group": "a b"}, "--ungroup 'a b'"),
        (
            {"operation": "paste", "file": "o.h5", "selection": "all", "place": "1,2"},
            "--paste o.h5:all 1,2",
        ),
    ],
)
def test_entries_are_told_as_typed(entry, text):
    assert text_of(entry) == text
