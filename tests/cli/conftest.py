from __future__ import annotations

import importlib
import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import eie
from eie.cli import COMMANDS, main

for name in COMMANDS:  # a module that is imported while a test has changed another keeps the change
    importlib.import_module(f"eie.cli.{name}")

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code, stdout as bytes, stderr as text."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Run = Callable[..., Result]
Shell = Callable[[str], Result]


@pytest.fixture
def photo() -> Path:
    """A real photo of 640 × 427 pixels."""
    return EXAMPLES / "rocket.jpg"


@pytest.fixture(scope="session")
def element_bytes() -> bytes:
    """The content of an element file of that photo, about 60 elements."""
    return eie.dump(eie.decompose(EXAMPLES / "rocket.jpg", segmenter="slic", elements=64))


@pytest.fixture
def file(tmp_path: Path, element_bytes: bytes) -> Path:
    """An element file of one's own."""
    path = tmp_path / "photo.h5"
    path.write_bytes(element_bytes)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, its standard streams replaced."""

    def run(*arguments: str | Path, stdin: bytes = b"", terminal: bool = False) -> Result:
        streams = {name: io.BytesIO() for name in ("stdout", "stderr")} | {
            "stdin": io.BytesIO(stdin)
        }
        if terminal:
            streams["stdout"].isatty = lambda: True  # type: ignore[method-assign]
        texts = {n: io.TextIOWrapper(s, encoding="utf-8") for n, s in streams.items()}
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
            for name, text in texts.items():
                patch.setattr(sys, name, text)
            main([str(argument) for argument in arguments])
        for name in ("stdout", "stderr"):
            texts[name].flush()
        code = stop.value.code
        assert isinstance(code, int)
        return Result(code, streams["stdout"].getvalue(), streams["stderr"].getvalue().decode())

    return run


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a line of shell in `tmp_path`, `eie` being the command line under test."""
    prelude = f'set -o pipefail\neie() {{ "{sys.executable}" -m eie "$@"; }}\n'

    def shell(line: str) -> Result:
        done = subprocess.run(
            ["bash", "-c", prelude + line],
            cwd=tmp_path,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    return shell
