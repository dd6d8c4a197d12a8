"""Worker processes that may die: each takes one task at a time, and what it held is tried again.

`concurrent.futures.ProcessPoolExecutor` breaks as a whole when a process dies, and gives up all
that was still to do. Here each worker has a pipe of its own: when it ends, another takes its place,
and only the task it had is concerned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from eie.errors import EieError, ResourceError, explained
from eie.notes import Note
from eie.processes import cause_of_death, leave_with_parent, no_main

Work = Callable[[Any], Any]
Start = Callable[[], Work]
"""What a worker calls once, and gives what it calls for every task; it can be pickled."""

TRIES = 2
"""How often a task is tried whose worker dies."""

_DEATHS = 3
"""Workers that may die in a row before one of them was ready."""

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Settings that libraries read when they are loaded: each worker has one core."""

_PATIENCE = 5.0
"""Seconds that a worker has to leave once it was told to."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: it.
        result: what the work gave; None if it failed.
        reason: why it failed, in a line; None if it did not.
        code: exit code of that.
        notes: what was told meanwhile.
    """

    task: Any
    result: Any = None
    reason: str | None = None
    code: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Start:
    """Whether a worker could start, and if not why."""

    reason: str | None = None
    code: int = 0


class _Worker:
    """A process, its pipe, and what it is at."""

    def __init__(self, start: Start) -> None:
        context = multiprocessing.get_context("spawn")  # alike on all systems; forks lock up
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(start, theirs), daemon=True
        )
        with _one_thread(), no_main():
            self.process.start()
        theirs.close()
        self.held: tuple[Any, int] | None = None
        self.ready = False

    def give(self, task: Any, tries: int) -> None:
        self.held = (task, tries)
        with suppress(OSError):  # it has died, as its pipe will tell
            self.pipe.send(task)

    def end(self) -> None:
        """Leave no process behind."""
        self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def run_tasks(start: Start, tasks: Iterable[Any], workers: int = 1) -> Iterator[Outcome]:
    """Do tasks in processes of one thread each, and give each one's outcome as it comes.

    The results do not depend on the number of workers, only their order does.

    Args:
        start: called once in each worker.
        tasks: can be pickled; they are taken as workers get free.
        workers: processes, at least 1.

    Raises:
        EieError: a worker could not start, of the kind that `start` raised.
        ResourceError: workers die again and again before they begin.
    """
    team = _Team(start, iter(tasks))
    try:
        for _ in range(workers):
            team.employ(None)
        while busy := team.busy:
            for pipe in wait(list(busy)):
                worker = busy[pipe]
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    outcome = team.replace(worker)
                else:
                    outcome = team.take(worker, answer)
                if outcome is not None:
                    yield outcome
    finally:
        team.end()


class _Team:
    """The workers and what they still have to do."""

    def __init__(self, start: Start, tasks: Iterator[Any]) -> None:
        self.start = start
        self.tasks = tasks
        self.again: deque[tuple[Any, int]] = deque()
        self.workers: list[_Worker] = []
        self.deaths = 0

    @property
    def busy(self) -> dict[Any, _Worker]:
        """The workers that have a task, by their pipes."""
        return {worker.pipe: worker for worker in self.workers if worker.held is not None}

    def employ(self, worker: _Worker | None) -> None:
        """Give a worker its next task; None for a new worker, if there is a task."""
        task = self.again.popleft() if self.again else next(((t, 0) for t in self.tasks), None)
        if task is None:
            return
        if worker is None:
            self.workers.append(worker := _Worker(self.start))
        worker.give(*task)

    def take(self, worker: _Worker, answer: Any) -> Outcome | None:
        """The outcome in a worker's answer, which gets its next task."""
        if isinstance(answer, _Start):
            if answer.reason is not None:
                raise _error(answer.reason, answer.code)
            worker.ready, self.deaths = True, 0
            return None
        task, _ = worker.held or (None, 0)
        worker.held = None
        self.employ(worker)
        return Outcome(task, *answer)

    def replace(self, worker: _Worker) -> Outcome | None:
        """Let another take a dead worker's place; the outcome of its task if that is given up."""
        self.workers.remove(worker)
        worker.process.join(_PATIENCE)
        code = worker.process.exitcode
        worker.end()
        self.deaths = 0 if worker.ready else self.deaths + 1
        if self.deaths >= _DEATHS:
            raise ResourceError(
                f"worker processes die as they start: {cause_of_death(code)}",
                hint="use fewer --workers",
            )
        lost = _lost(worker, code, self.again)
        self.employ(None)
        return lost

    def end(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.end()


def _lost(worker: _Worker, code: int | None, again: deque[tuple[Any, int]]) -> Outcome | None:
    """Put what a dead worker held on the list again, or give it up."""
    if worker.held is None:
        return None
    task, tries = worker.held
    if tries + 1 < TRIES:
        again.append((task, tries + 1))
        return None
    reason = f"the worker process died {TRIES} times at it: {cause_of_death(code)}"
    return Outcome(task, None, reason, ResourceError.exit_code)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that are started in the block have one thread each."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
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
    import logging

    # Ctrl-C reaches all processes of a terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)  # by an exception, so that no temporary file is left
    threading.Thread(target=leave_with_parent, daemon=True).start()
    logging.disable()
    with suppress(EOFError, OSError):
        work: Work | None = None
        while True:
            task = pipe.recv()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", Note)
                try:
                    if work is None:
                        _calm_opencv()
                        work = start()
                        pipe.send(_Start())
                    result, reason, code = work(task), None, 0
                except Exception as error:
                    _show(error)
                    result = None
                    reason, code = explained(error)
                    if work is None:
                        pipe.send(_Start(reason, code))
                        return
            notes = tuple(dict.fromkeys(" ".join(str(note.message).split()) for note in told))
            pipe.send((result, reason, code, notes))


def _show(error: Exception) -> None:
    """Print where an error came from, if that is wanted."""
    if os.environ.get("EIE_TRACEBACK", "0") not in ("", "0"):
        import traceback

        traceback.print_exception(error)


def _error(reason: str, code: int) -> Exception:
    """An error of the kind that has an exit code."""
    kinds = {kind.exit_code: kind for kind in EieError.__subclasses__()}
    return kinds[code](reason) if code in kinds else RuntimeError(reason)


def _leave(*_: Any) -> None:
    raise SystemExit(0)


def _calm_opencv() -> None:
    """OpenCV starts as many threads as there are cores, whatever the environment says."""
    import cv2

    cv2.setNumThreads(1)
