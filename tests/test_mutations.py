"""Files with something wrong are read or refused, whatever it is; see :mod:`tests.mutations`."""

from __future__ import annotations

import subprocess
import sys

import pytest


def tried(count: int, first: int) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose memory is measured."""
    return subprocess.run(
        [sys.executable, "-m", "tests.mutations", str(count), "--first", str(first)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("count", "first"),
    [(30, 0), pytest.param(20_000, 1_000_000, marks=pytest.mark.slow)],
)
def test_mutated_files_are_read_or_refused(count: int, first: int) -> None:
    result = tried(count, first)
    assert result.returncode == 0, result.stdout + result.stderr
