"""Workers that may be lost: each takes one task at a time, and what it held is tried again.

`concurrent.futures.ProcessPoolExecutor` breaks as a whole when a process dies, and gives up all
that was still to do. Here, when a worker is lost, another takes its place, and only the task it had
is concerned. What a worker is an engine says: a process (:mod:`eie.batch.processes`), or an actor
on some machine of a cluster (:mod:`eie.batch.cluster`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from eie.batch.working import Answer, Start
from eie.errors import EieError, ResourceError

_DEATHS = 3
"""Workers that may be lost in a row before one of them was ready."""


@dataclass(frozen=True)
class Lost:
    """What there is to say of a worker that is no more, in a few words."""

    cause: str


class Worker(Protocol):
    """Who does one task after the other. The first answer tells whether the work could start."""

    def give(self, task: Any) -> None:
        """Let it do a task, which can be pickled; a worker that is lost meanwhile is news."""
        ...

    def end(self) -> None:
        """Leave nothing of it behind, whatever it is at."""
        ...


class Engine(Protocol):
    """Where workers come from."""

    @property
    def tries(self) -> int:
        """How often a task is tried whose worker is lost."""
        ...

    @property
    def count(self) -> int:
        """How many workers there are to be at most."""
        ...

    def hire(self, start: Start) -> Worker:
        """A new worker, which begins at once, or when there is room for it."""
        ...

    def news(self, workers: Sequence[Any]) -> Iterable[tuple[Worker, Answer | Lost]]:
        """What came of workers of one's own; waits until there is something."""
        ...


OpenEngine = AbstractContextManager[Engine]
"""An engine that starts and ends with a block, and leaves no worker behind."""


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


def run_tasks(start: Start, tasks: Iterable[Any], engine: OpenEngine) -> Iterator[Outcome]:
    """Do tasks by the workers of an engine, and give each one's outcome as it comes.

    The results do not depend on the number of workers, only their order does.

    Args:
        start: called once in each worker.
        tasks: can be pickled; they are taken as workers get free, no more at a time than these.

    Raises:
        EieError: a worker could not start, of the kind that `start` raised.
        ResourceError: workers are lost again and again before they begin.
    """
    with engine as opened:
        team = _Team(start, iter(tasks), opened)
        team.fill()
        while team.busy:
            yield from team.progress()


@dataclass(eq=False)
class _Seat:
    """A worker, and what it is at.

    Attributes:
        held: its task, and how often that was tried before.
    """

    worker: Worker
    held: tuple[Any, int] | None = None
    ready: bool = False


class _Team:
    """The workers and what they still have to do."""

    def __init__(self, start: Start, tasks: Iterator[Any], engine: Engine) -> None:
        self.start = start
        self.tasks = tasks
        self.engine = engine
        self.next: deque[tuple[Any, int]] = deque()
        self.seats: list[_Seat] = []
        self.deaths = 0

    @property
    def busy(self) -> bool:
        """Whether anything is done, or still to do."""
        return any(seat.held for seat in self.seats) or self._waits(1)

    def _waits(self, count: int) -> bool:
        """Whether so many tasks wait for a worker."""
        while len(self.next) < count:
            try:
                self.next.append((next(self.tasks), 0))
            except StopIteration:
                return False
        return True

    def fill(self) -> None:
        """Give tasks to who is free, and hire workers, no more than there are tasks for."""
        for seat in self.seats:
            if seat.ready and seat.held is None and self._waits(1):
                seat.held = self.next.popleft()
                seat.worker.give(seat.held[0])
        free = sum(seat.held is None for seat in self.seats)
        while len(self.seats) < self.engine.count and self._waits(free + 1):
            self.seats.append(_Seat(self.engine.hire(self.start)))
            free += 1

    def progress(self) -> Iterator[Outcome]:
        """The outcomes of what comes next, if any; those who are free get tasks."""
        at_work = {id(s.worker): s for s in self.seats if s.held is not None or not s.ready}
        for worker, answer in self.engine.news([seat.worker for seat in at_work.values()]):
            seat = at_work[id(worker)]
            outcome = self._lose(seat, answer) if isinstance(answer, Lost) else None
            if isinstance(answer, Answer):
                outcome = self._take(seat, answer)
            if outcome is not None:
                yield outcome

    def _take(self, seat: _Seat, answer: Answer) -> Outcome | None:
        """The outcome in the answer of a worker, which gets its next task."""
        held, seat.held = seat.held, None
        if held is None:
            if answer.reason is not None:
                raise _error(answer.reason, answer.code)
            seat.ready, self.deaths = True, 0
        self.fill()
        if held is None:
            return None
        return Outcome(held[0], answer.result, answer.reason, answer.code, answer.notes)

    def _lose(self, seat: _Seat, lost: Lost) -> Outcome | None:
        """Let another take a lost worker's place; the outcome of its task if that is given up."""
        self.seats.remove(seat)
        seat.worker.end()
        self.deaths = 0 if seat.ready else self.deaths + 1
        if self.deaths >= _DEATHS:
            raise ResourceError(
                f"worker processes die as they start: {lost.cause}",
                hint="if memory is short, use fewer --workers",
            )
        outcome = None
        if seat.held is not None:
            task, tries = seat.held[0], seat.held[1] + 1
            if tries < self.engine.tries:
                self.next.append((task, tries))
            else:
                reason = f"the worker process died {tries} times at it: {lost.cause}"
                outcome = Outcome(task, None, reason, ResourceError.exit_code)
        self.fill()
        return outcome


def _error(reason: str, code: int) -> Exception:
    """An error of the kind that has an exit code."""
    kinds = {kind.exit_code: kind for kind in EieError.__subclasses__()}
    return kinds[code](reason) if code in kinds else RuntimeError(reason)
