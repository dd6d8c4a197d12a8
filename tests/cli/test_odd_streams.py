"""Outputs and inputs that take nothing, never end, or are not what they are taken for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

import eie
from eie.cli.failures import explain
from eie.cli.input_output import note
from tests.odd_pictures import scene

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
def test_a_full_standard_error_does_not_cost_the_work(shell, file, element_bytes):
    assert shell("eie edit photo.h5 --delete 1 -o new.h5 2>/dev/full").code == 0
    assert shell("eie info missing.h5 2>/dev/full").code == 3
    assert len(eie.load(file.with_name("new.h5")).history) == 1


def test_a_reader_of_notes_may_go_away(shell, file):
    result = shell("eie edit photo.h5 --delete 1 -o new.h5 2>&1 | true; exit ${PIPESTATUS[0]}")
    assert result.code == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize(
    "named", ["mkfifo p; cat photo.h5 > p & eie edit p", "eie edit <(cat photo.h5)"]
)
def test_what_comes_through_a_named_pipe_goes_to_standard_output(shell, file, named):
    result = shell(f"{named} --delete 1")
    assert result.code == 0
    assert len(eie.load(result.out).history) == 1


def test_an_element_file_is_not_written_over_a_photo(run, tmp_path, file):
    photo = tmp_path / "p.JPG"
    Image.fromarray(scene(64, 48)).save(photo)
    before = photo.read_bytes()
    for words in (("decompose", photo), ("edit", file, "--delete", "1"), ("encode", file)):
        result = run(*words, "-o", photo)
        assert result.code == 2 and "eie render makes pictures" in result.err
    assert photo.read_bytes() == before


def test_names_do_not_command_the_terminal(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene(64, 48)).save("a\nb\x1b[1m.png")
    result = run("decompose", "a\nb\x1b[1m.png", "--segmenter", "slic", "-o", "a.h5")
    assert result.code == 0
    assert result.err.startswith(r"a\x0ab\x1b[1m.png: ") and result.err.count("\n") == 1


def test_notes_keep_letters_of_all_scripts(capsys):
    note("Größe ≤ 東京.h5")
    assert capsys.readouterr().err == "Größe ≤ 東京.h5\n"


@pytest.mark.parametrize(
    "said",
    [
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 512000032768 bytes.",
        "libtorch_cpu.so: failed to map segment from shared object",
        "OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes",
    ],
)
def test_libraries_that_lack_memory_are_no_bugs(said):
    line, code = explain(RuntimeError(said))
    assert code == 5 and line.startswith("out of memory")


def test_cuda_without_memory_is_no_bug():
    torch = sys.modules.get("torch") or pytest.importorskip("torch")
    assert explain(torch.OutOfMemoryError("CUDA out of memory"))[1] == 5


def test_what_may_not_be_looked_at_is_no_bug(run, photo, monkeypatch):
    def closed(path: Path, *_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    result = run("decompose", photo, "--segmenter", "models/sam.pth")
    assert result.code == 3
    assert result.err == "eie: models/sam.pth: cannot be opened: Permission denied\n"
