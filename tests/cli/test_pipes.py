"""Commands compose by files, by `-` and by pipes, and all ways give the same bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MOVE = "--move box:306,105,336,410 -120,-10 --delete @500,40"


def test_pipes_files_and_dashes_give_the_same_bytes(shell, photo, tmp_path):
    cut = "--segmenter slic --elements 64"
    ways = {
        "pipe": f"eie decompose '{photo}' {cut} | eie edit {MOVE} | eie render > pipe.png",
        "files": f"eie decompose '{photo}' {cut} -o a.h5 && eie edit a.h5 {MOVE} && "
        "eie render a.h5 -o files.png",
        "mixed": f"eie decompose - {cut} -o - < '{photo}' > b.h5 && "
        f"eie edit b.h5 {MOVE} -o - | eie edit - --undo -o c.h5 && "
        "eie edit --delete @500,40 -o - < c.h5 | eie render - -o mixed.png",
    }
    for line in ways.values():
        result = shell(line)
        assert result.code == 0, result.err
        assert result.out == b""
    pictures = [(tmp_path / f"{way}.png").read_bytes() for way in ways]
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1] == pictures[2]


def test_element_files_are_the_same_by_every_way(run, photo, tmp_path):
    decompose = ("decompose", "--segmenter", "slic", "--elements", 30)
    run(*decompose, photo, "-o", tmp_path / "a.h5")
    expected = (tmp_path / "a.h5").read_bytes()
    assert run(*decompose, photo).out == expected
    assert run(*decompose, photo, "-o", "-").out == expected
    assert run(*decompose, stdin=photo.read_bytes()).out == expected
    assert run(*decompose, "-", stdin=photo.read_bytes()).out == expected


@pytest.mark.parametrize(
    "command",
    [
        ("edit", "--move", "1", "-4,0", "-o", "-"),
        ("render",),
        ("render", "--format", "webp"),
        ("show", "--no-ids"),
        ("info", "--script"),
        ("info", "--elements"),
        ("info", "--select", "@10,10"),
    ],
    ids=" ".join,
)
def test_argument_file_and_stdin_are_one(run, file, element_bytes, command):
    results = [
        run(*command, file),
        run(*command, "-", stdin=element_bytes),
        run(*command, stdin=element_bytes),
    ]
    assert [result.code for result in results] == [0, 0, 0]
    assert len(results[0].out) > 0
    assert results[0].out == results[1].out == results[2].out
    assert file.read_bytes() == element_bytes


def test_two_runs_give_the_same_bytes(run, file, photo):
    arguments = ("edit", file, "--scale", "@320,200", "1.5", "--flip", "3", "h", "-o", "-")
    first, second = run(*arguments), run(*arguments)
    assert first.out == second.out
    assert run("render", stdin=first.out).out == run("render", stdin=second.out).out


def test_without_edits_the_photo_comes_back(run, file, photo):
    rendered = Image.open(io.BytesIO(run("render", file).out))
    with Image.open(photo) as source:
        assert np.array_equal(np.asarray(rendered), np.asarray(source))
        assert rendered.info["icc_profile"] == source.info["icc_profile"]


def test_stdout_carries_the_payload_only(run, file, element_bytes):
    assert run("edit", "--undo", "--delete", "1", stdin=element_bytes).code == 2
    edited = run("edit", "--delete", "1", stdin=element_bytes)
    assert edited.out.startswith(b"\x89HDF")
    assert edited.err.startswith("deleted 1 element, ")
    rendered = run("render", stdin=edited.out)
    assert rendered.out.startswith(b"\x89PNG")
    assert "pixels changed" in rendered.err


def test_reader_that_stops_early_is_no_error(shell, file):
    for line in ("eie render photo.h5 2> err | true", "eie info photo.h5 2> err | true"):
        result = shell(f"{line}; echo ${{PIPESTATUS[0]}}; cat err")
        assert result.text.splitlines()[0] in ("0", "141")
        assert "Traceback" not in result.text
        assert "rror" not in result.text


def test_writer_that_failed_is_named(shell):
    result = shell("eie render missing.h5 | eie edit --delete 1 | eie render > out.png")
    lines = sorted(result.err.splitlines())
    assert result.code == 3
    assert len(lines) == 3
    assert all(line.startswith("eie: ") for line in lines)
    assert sum("did the command before it fail?" in line for line in lines) == 2


def test_full_disk_on_stdout(shell, file):
    for line in ("render photo.h5", "info photo.h5", "edit photo.h5 --delete 1 -o -", "--help"):
        result = shell(f"eie {line} > /dev/full")
        assert result.code == 5, line
        assert len([note for note in result.err.splitlines() if "changed" not in note]) == 1
        assert "Traceback" not in result.err


@pytest.mark.parametrize("command", [("render",), ("edit", "--delete", "1")], ids=" ".join)
def test_binary_never_goes_to_a_terminal(run, element_bytes, command):
    result = run(*command, stdin=element_bytes, terminal=True)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("eie: standard output: ")
    assert len(result.err.splitlines()) == 1


def test_files_are_not_left_behind(run, file, tmp_path: Path):
    run("edit", file, "--delete", "1")
    run("render", file, "-o", tmp_path / "out.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jpg", "photo.h5"]
