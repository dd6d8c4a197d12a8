from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eie.errors import BadInputError, ResourceError, UsageError
from eie.files.streams import open_input, read_input, write_output


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def python(code: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, **streams)


def test_terminals_are_neither_read_nor_written() -> None:
    with pytest.raises(UsageError, match="standard input"):
        read_input(Terminal())
    with pytest.raises(UsageError, match=r"standard output: .* terminal"):
        write_output(b"data", Terminal())


def test_a_pseudo_terminal_is_a_terminal() -> None:
    main, other = os.openpty()
    with os.fdopen(other, "rb") as stream, pytest.raises(UsageError):
        read_input(stream)
    os.close(main)


def test_bytes_pass_unchanged() -> None:
    data = bytes(range(256)) * 1000
    code = "from eie.files.streams import *; write_output(read_input())"
    result = python(code, input=data, stdout=subprocess.PIPE)
    assert (result.returncode, result.stdout, result.stderr) == (0, data, b"")


def test_an_empty_input_is_told() -> None:
    with pytest.raises(BadInputError, match="nothing came in"):
        read_input(io.BytesIO())


def test_closed_streams_are_told() -> None:
    code = (
        "import os, sys; from eie.errors import *; from eie.files.streams import *\n"
        "try: {}\nexcept EieError as error: print(error, error.exit_code, file=sys.stderr)"
    )
    for call, redirect, words in (
        ("read_input()", "<&-", b"standard input: is closed 3"),
        ("write_output(b'a')", ">&-", b"standard output: is closed 5"),
    ):
        shell = f'"{sys.executable}" -c "{code.format(call)}" {redirect}'
        result = subprocess.run(["sh", "-c", shell], stderr=subprocess.PIPE, check=False)
        assert result.stderr.strip() == words


def test_a_full_device_is_an_error_of_the_disk() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(ResourceError) as caught:
        write_output(b"data", full)
    assert caught.value.exit_code == 5
    assert "No space left" in str(caught.value)


def test_a_reader_that_left_is_passed_over_in_silence() -> None:
    code = (
        "import sys; from eie.files.streams import *\n"
        "try: write_output(bytes(10_000_000))\nexcept BrokenPipeError: sys.exit(7)"
    )
    read, write = os.pipe()
    os.close(read)
    result = python(code, stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (7, b"")


def test_pipes_are_read_to_their_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"all of it"))
    writer.start()
    with open_input(tmp_path / "pipe") as handle:
        assert handle.seek(4) == 4
        assert handle.read() == b"of it"
    writer.join()


def test_devices_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="device"):
        open_input("/dev/zero")
    with open_input(os.devnull) as handle:
        assert handle.read() == b""
    _, terminal = os.openpty()
    with pytest.raises(UsageError, match="not typing"):
        open_input(os.ttyname(terminal))
    os.close(terminal)


def test_what_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eie.files.streams.MOST_PIPED", 10)
    with pytest.raises(BadInputError, match="GiB"):
        read_input(io.BytesIO(bytes(11)))
