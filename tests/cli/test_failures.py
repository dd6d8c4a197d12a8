"""Whatever goes wrong is one plain line, the right exit code, and no harm to existing files."""

from __future__ import annotations

import logging
import os
import pickle
import warnings
from pathlib import Path

import pytest

import eie
from eie.cli.failures import explain
from eie.errors import BadInputError, MissingModelError, ResourceError, UsageError


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    """One bit of the table of contents at the head of the file, turned around."""
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


ELEMENT_FILES = {
    "empty": lambda _: b"",
    "text": lambda _: b"dear diary\n" * 100,
    "truncated": truncated,
    "flipped": flipped,
    "zeros": lambda data: bytes(len(data)),
}


def assert_plain(result, code: int, *words: str) -> None:
    assert result.code == code, result.err
    assert result.out == b""
    assert result.err.startswith("eie: ")
    assert len(result.err.splitlines()) == 1
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


@pytest.mark.parametrize("damage", ELEMENT_FILES.values(), ids=ELEMENT_FILES)
@pytest.mark.parametrize(
    "command", [("edit", "--delete", "1"), ("render",), ("info",)], ids=lambda command: command[0]
)
def test_damaged_element_files(run, tmp_path, element_bytes, damage, command):
    file = tmp_path / "bad.h5"
    file.write_bytes(damage(element_bytes))
    assert_plain(run(*command, file), 3, "bad.h5")
    assert_plain(run(*command, stdin=file.read_bytes()), 3, "standard input")
    assert file.read_bytes() == damage(element_bytes)


def test_damaged_photos(run, tmp_path, photo, element_bytes):
    picture = tmp_path / "photo.png"
    old = tmp_path / "old.h5"
    old.write_bytes(element_bytes)
    rocket = photo.read_bytes()
    for content in (b"", b"dear diary", rocket[: len(rocket) // 2]):
        picture.write_bytes(content)
        result = run("decompose", picture, "--segmenter", "slic", "-o", old)
        assert_plain(result, 3, "photo.png")
        assert old.read_bytes() == element_bytes
    assert_plain(run("decompose", tmp_path, "-o", old), 3)


@pytest.mark.parametrize(
    "command",
    [
        ("decompose", "missing.jpg", "-o", "out.h5"),
        ("edit", "missing.h5", "--delete", "1"),
        ("edit", "--delete", "1", "-o", "out.h5", "missing.h5"),
        ("edit", "--script", "missing.json", "-o", "out.h5", "missing.h5"),
        ("render", "missing.h5", "-o", "out.png"),
        ("show", "missing.h5", "-o", "out.png"),
        ("info", "missing.h5"),
    ],
    ids=" ".join,
)
def test_missing_input(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert_plain(run(*command), 3, "missing.", "No such file")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places(run, file, photo, tmp_path):
    nowhere = tmp_path / "no" / "such" / "folder"
    assert_plain(run("edit", file, "--delete", "1", "-o", nowhere / "a.h5"), 2, "a.h5")
    assert_plain(run("render", file, "-o", tmp_path), 2)
    assert run("render", file, "-o", nowhere / "a.png").code == 2
    file.chmod(0o444)
    if os.geteuid():  # root may write everything
        assert_plain(run("edit", file, "--delete", "1"), 5, "photo.h5")


def test_full_disk_leaves_the_old_file(run, file, element_bytes, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eie.files.atomic.os.fsync", full)
    assert_plain(run("edit", file, "--delete", "1"), 5, "photo.h5", "No space left")
    assert file.read_bytes() == element_bytes
    assert [path.name for path in file.parent.iterdir()] == ["photo.h5"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("render", "--no-such-option"),
        ("render", "a.h5", "b.h5"),
        ("render", "--quality", "0"),
        ("render", "--quality", "many"),
        ("render", "--format", "gif"),
        ("render", "--decoder", "magic"),
        ("render", "-o", "out.xyz"),
        ("info", "--elements", "--script"),
        ("decompose", "--elements", "0"),
        ("decompose", "--elements", "x"),
        ("decompose", "--beta", "nan"),
    ],
    ids=" ".join,
)
def test_wrong_use(run, element_bytes, photo, arguments):
    data = photo.read_bytes() if arguments[0] == "decompose" else element_bytes
    slic = ("--segmenter", "slic") if arguments[0] == "decompose" else ()
    assert_plain(run(*arguments, *slic, stdin=data), 2)


def test_missing_model(run, photo):
    result = run("decompose", photo, "--segmenter", "nowhere/sam.pth")
    assert_plain(result, 4, "nowhere/sam.pth")


def test_a_pickle_that_is_no_checkpoint_is_one_line(run, photo, tmp_path):
    checkpoint = tmp_path / "sam.pth"
    checkpoint.write_bytes(pickle.dumps({"weights": 1}, protocol=4))
    assert_plain(run("decompose", photo, "--segmenter", checkpoint), 4, "sam.pth")


def test_libraries_do_not_talk_to_the_user(run, file, monkeypatch, caplog):
    def load(*_, **__):
        warnings.warn("this is deprecated", UserWarning, stacklevel=2)
        logging.getLogger("library").warning("retrying")
        raise BadInputError("damaged")

    monkeypatch.setattr(eie, "load", load)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert_plain(run("render", file), 3)
    assert not warned
    assert not caplog.records
    logging.getLogger("library").warning("heard again")
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "arguments", ["render photo.h5", "info photo.h5", "info --elements photo.h5"]
)
def test_closed_output(shell, file, arguments):
    assert_plain(shell(f"eie {arguments} >&-"), 5, "standard output")


def test_all_streams_closed(shell, file, element_bytes):
    assert shell("eie edit photo.h5 --delete 1 <&- >&- 2>&-").code == 0
    assert file.read_bytes() != element_bytes
    assert shell("eie render missing.h5 -o out.png <&- >&- 2>&-").code == 3


def test_unreadable_errors_are_bugs_and_bugs_are_one_line(run, file, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(eie, "load", broken)
    result = run("render", file)
    assert_plain(result, 1, "bug", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("how", ["--debug", "EIE_TRACEBACK"])
def test_tracebacks_on_request(run, monkeypatch, how):
    from eie.cli import main

    if how == "--debug":
        arguments = ["--debug", "info", "missing.h5"]
    else:
        monkeypatch.setenv(how, "1")
        arguments = ["info", "missing.h5"]
    with pytest.raises(BadInputError):
        main(arguments)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (BadInputError("x"), 3),
        (MissingModelError("x"), 4),
        (ResourceError("x"), 5),
        (MemoryError(), 5),
        (OSError(28, "No space left on device"), 5),
        (RuntimeError("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(error, code):
    line, found = explain(error)
    assert found == code
    assert line
    assert "\n" not in line


def test_bad_samples_are_refused(run):
    """The samples of what a stranger may send: formats/samples/bad."""
    samples = sorted((Path(__file__).parents[2] / "formats" / "samples" / "bad").glob("*.h5"))
    for sample in samples:
        result = run("render", sample)
        assert_plain(result, 3, sample.name)
