"""Where models run, and what their processes do with memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eie.models.devices import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from eie.models.devices import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(64 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
keep_freed_memory()
faults()  # the first ones make the memory grow
print(usual, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, check=True)
    usual, kept = map(int, done.stdout.split())
    assert kept < usual / 5


def test_other_c_libraries_are_left_alone(monkeypatch) -> None:
    def none(_: object) -> object:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", none)
    keep_freed_memory()
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    keep_freed_memory()
