"""What all processes that do work for another one have in common."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait


@contextmanager
def no_main() -> Iterator[None]:
    """Keep processes that are started in the block from running the main script once more.

    They import it to find what is defined in it, which for an unguarded one means to run it; what
    workers are given is defined in eie.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def leave_with_parent() -> None:
    """End at once when the parent has: whoever goes on with its work is to find nobody at it.

    Blocks until then; for a thread of its own.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def cause_of_death(code: int | None) -> str:
    """The exit code of a process in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            memory = ", as systems do that run out of memory" if name == "SIGKILL" else ""
            return f"killed by {name}{memory}"
    return f"exit code {code}"
