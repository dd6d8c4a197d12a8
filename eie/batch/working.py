"""What goes on in a worker, wherever it is: one thread, and every error and note taken down."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eie.errors import explained
from eie.models.devices import keep_freed_memory
from eie.notes import Note

Work = Callable[[Any], Any]
Start = Callable[[], Work]
"""What a worker calls once, and gives what it calls for every task; it can be pickled."""

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Settings that libraries read when they are loaded: each worker has one core."""


@dataclass(frozen=True)
class Answer:
    """What a worker has to say of a task, or of its start.

    Attributes:
        result: what the work gave; None if it failed.
        reason: why it failed, in a line; None if it did not.
        code: exit code of that.
        notes: what was told meanwhile.
    """

    result: Any = None
    reason: str | None = None
    code: int = 0
    notes: tuple[str, ...] = ()


class Desk:
    """Where a worker sits: what its start gave is called for every task."""

    def __init__(self) -> None:
        self.work: Work | None = None

    def begin(self, start: Start) -> Answer:
        """Load what all tasks need."""
        logging.disable()
        return _taken_down(lambda: self._begin(start))

    def _begin(self, start: Start) -> None:
        _calm_opencv()
        keep_freed_memory()  # one photo takes what the one before took
        self.work = start()

    def do(self, task: Any) -> Answer:
        """Do a task."""
        work = self.work
        if work is None:
            raise RuntimeError("a task before the start")
        return _taken_down(lambda: work(task))


def _taken_down(call: Callable[[], Any]) -> Answer:
    """What a call gives, raises and tells."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", Note)
        try:
            result, reason, code = call(), None, 0
        except Exception as error:
            _show(error)
            result = None
            reason, code = explained(error)
    notes = tuple(dict.fromkeys(" ".join(str(note.message).split()) for note in told))
    return Answer(result, reason, code, notes)


def traceback_wanted() -> bool:
    """Whether it is to be shown where an error came from."""
    return os.environ.get("EIE_TRACEBACK", "0") not in ("", "0")


def _show(error: Exception) -> None:
    """Print where an error came from, if that is wanted."""
    if traceback_wanted():
        import traceback

        traceback.print_exception(error)


def _calm_opencv() -> None:
    """OpenCV starts as many threads as there are cores, whatever the environment says."""
    import cv2

    cv2.setNumThreads(1)
