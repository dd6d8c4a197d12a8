"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from eie.batch.pool import Lost
from eie.batch.working import ONE_THREAD, Answer, Desk, Start
from eie.processes import cause_of_death, leave_with_parent, no_main

_PATIENCE = 5.0
"""Seconds that a worker has to leave once it was told to."""


class Processes:
    """An engine of processes with one thread each.

    Args:
        count: at least 1.
    """

    tries = 2
    """What kills a process twice is the task's fault."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._hired: list[_Process] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._hired:
            worker.process.terminate()
        for worker in self._hired:
            worker.end()

    def hire(self, start: Start) -> _Process:
        self._hired = [worker for worker in self._hired if worker.process.is_alive()]
        self._hired.append(worker := _Process(start))
        return worker

    def news(self, workers: Sequence[_Process]) -> Iterator[tuple[_Process, Answer | Lost]]:
        by_pipe = {worker.pipe: worker for worker in workers}
        for pipe in wait(list(by_pipe)):
            worker = by_pipe[pipe]  # type: ignore[index]  # wait gives what it was given
            try:
                yield worker, worker.pipe.recv()
            except (EOFError, OSError):
                yield worker, Lost(worker.cause())


class _Process:
    """A process and its pipe."""

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")  # alike on all systems; forks lock up
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(start, theirs), daemon=True
        )
        with _one_thread(), no_main():
            self.process.start()
        theirs.close()

    def give(self, task: Any) -> None:
        with suppress(OSError):  # it has died, as its pipe will tell
            self.pipe.send(task)

    def cause(self) -> str:
        """Why it has ended."""
        self.process.join(_PATIENCE)
        return cause_of_death(self.process.exitcode)

    def end(self) -> None:
        self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that are started in the block have one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(start: Start, pipe: Connection) -> None:
    """Life of a worker: tasks in, answers out, until the pipe ends or the parent does."""
    # Ctrl-C reaches all processes of a terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)  # by an exception, so that no temporary file is left
    sys.unraisablehook = _leave_after_all
    threading.Thread(target=leave_with_parent, daemon=True).start()
    desk = Desk()
    with suppress(EOFError, OSError):
        begun = desk.begin(start)
        pipe.send(begun)
        while begun.reason is None:
            pipe.send(desk.do(pipe.recv()))


def _leave_after_all(lost: Any) -> None:
    """Where an exception cannot be raised, as in a weak reference's callback, Python drops it."""
    if not isinstance(lost.exc_value, SystemExit):
        sys.__unraisablehook__(lost)
        return
    signal.signal(signal.SIGTERM, _leave)
    threading.Timer(0.01, signal.raise_signal, (signal.SIGTERM,)).start()  # once that is over


def _leave(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # told once is enough: others clean up, too
    raise SystemExit(0)
