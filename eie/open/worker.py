"""A worker process: it does one task after the other, and can be killed at any."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import eie
from eie.elements import ElementSet
from eie.errors import EieError, ResourceError, explained
from eie.files import read_photo
from eie.files.photo import Photo
from eie.processes import cause_of_death, leave_with_parent, no_main

Report = Callable[[int, int], None]
"""Takes the steps done and all steps."""


class Task(Protocol):
    """One piece of work; it can be pickled, and so can what it gives."""

    def work(self, report: Report) -> Any:
        """Do it.

        Raises:
            EieError: it cannot be done.
        """
        ...


@dataclass(frozen=True)
class Decompose:
    """A photo becomes an element file.

    Attributes:
        photo: its path.
        options: of :func:`eie.decompose`.
    """

    photo: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def work(self, report: Report) -> bytes:
        """The content of the element file."""
        photo = read_photo(self.photo, self.photo.name)
        return eie.dump(eie.decompose(photo, progress=report, **self.options))


@dataclass(frozen=True)
class Made:
    """A rendered picture.

    Attributes:
        photo: it.
        changed: share of its pixels that differ from the photo.
        provenance: what made it.
    """

    photo: Photo
    changed: float
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class Render:
    """An element set becomes pictures.

    Attributes:
        elements: the set, or the content of its element file.
        count: of variations.
        options: of :func:`eie.render`.
    """

    elements: ElementSet | bytes
    count: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def work(self, report: Report) -> list[Made]:
        """The variations, as many as there are."""
        from eie.rendering import variations

        elements = (
            self.elements if isinstance(self.elements, ElementSet) else eie.load(self.elements)
        )
        made = variations(elements, self.count, progress=report, **self.options)
        total = elements.canvas.height * elements.canvas.width
        return [Made(r.photo, r.changed_pixels / total, dict(r.provenance)) for r in made]


def prepare() -> None:
    """Load what every task needs, before there is one."""
    from importlib import import_module

    from eie.decomposition import preloaded

    for name in ("cv2", "scipy.ndimage", "scipy.sparse.linalg", "threadpoolctl", "eie.rendering"):
        import_module(name)
    preloaded("tiny")


_PATIENCE = 5.0
"""Seconds that a killed process has to be gone."""

_OFTEN = 0.1
"""Seconds between two reports."""


class Progress(NamedTuple):
    """How far a task is."""

    done: int
    total: int


class Result(NamedTuple):
    """What a task gave, and the megabytes that the process holds; 0 where that is not known."""

    value: Any
    held: int


class Failure(NamedTuple):
    """Why a task could not be done."""

    error: Exception


Message = Progress | Result | Failure


class WorkerProcess:
    """A process that is ready for tasks; they may be given before it is."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # alike on all systems; forks lock up
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with no_main():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def asked(self, task: Task) -> Message:
        """The first that is told of a task that it is given."""
        with suppress(OSError):  # it has died, as receiving will tell
            self._pipe.send(task)
        return self.receive()

    def receive(self) -> Message:
        """What comes next of a task; blocks until then.

        Raises:
            ResourceError: the process has died.
        """
        try:
            message: Message = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            raise ResourceError(
                f"the process that worked on it died: {cause_of_death(self._process.exitcode)}",
                hint="try it again, or a smaller photo",
            ) from None
        return message

    def kill(self) -> None:
        """End it at once, whatever it is at. Who waits for it is told that it has died."""
        self._process.kill()

    def end(self) -> None:
        """End it, and leave no process behind."""
        self.kill()
        self._process.join(_PATIENCE)
        with suppress(OSError):
            self._pipe.close()


def _serve(pipe: Connection) -> None:
    """Life of a worker: tasks in, messages out, until the pipe ends or the parent does."""
    from eie.models.model_cache import kept_models

    # Ctrl-C reaches all processes of a terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    logging.disable()
    warnings.simplefilter("ignore")
    with suppress(EOFError, OSError), kept_models():
        prepare()
        while True:
            pipe.send(_done(pipe.recv(), pipe))
            release_memory()


def _done(task: Task, pipe: Connection) -> Message:
    """Do a task, reporting how far it is."""
    try:
        return Result(task.work(_reporting(pipe)), held_megabytes())
    except EieError as error:
        return Failure(error)
    except Exception as error:
        line, code = explained(error)
        kinds = {kind.exit_code: kind for kind in EieError.__subclasses__()}
        return Failure(kinds[code](line) if code in kinds else RuntimeError(line))


def _reporting(pipe: Connection) -> Report:
    last = 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _OFTEN:
            last = time.monotonic()
            pipe.send(Progress(done, total))

    return report


def release_memory() -> None:
    """Give memory that was freed back to the system, where the C library is glibc."""
    import ctypes

    gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def held_megabytes() -> int:
    """Resident memory of this process in MB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    import resource

    return pages * resource.getpagesize() >> 20
