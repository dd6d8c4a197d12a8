"""The team of worker processes: who waits for one, who has one, and what is done with the dead.

Two processes do all work. A task that is cancelled has a moment to end by itself, as short ones do
while somebody drags; then its process is killed, as no decoder can be stopped halfway, and the
other one goes on at once while a new one starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from eie.errors import ResourceError
from eie.open.worker import Failure, Message, Progress, Result, Task, WorkerProcess

COUNT = 2
"""Processes. Short tasks may take both, long ones leave one for them."""

GRACE = 1.0
"""Seconds that a cancelled task has to end by itself: as long as it takes to start a process."""

HEAVY = 500
"""Megabytes that an idle process may hold for longer than :data:`RESTS`."""

RESTS = 30.0
"""Seconds after which an idle process that holds more makes place for a fresh one."""

Heard = Callable[[int, int], None]
"""Takes the steps done and all steps."""


class Workers:
    """A team, of one event loop."""

    def __init__(self) -> None:
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._short_waiting = 0
        self._received: dict[WorkerProcess, asyncio.Future[Message]] = {}  # or will be
        self._left: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._threads = ThreadPoolExecutor(2 * COUNT + 2, "worker")
        self._ended = False

    def start(self) -> None:
        """Start the processes, which are ready some time later."""
        self._idle = [WorkerProcess() for _ in range(COUNT)]

    async def end(self) -> None:
        """End all processes."""
        self._ended = True
        team = [*self._idle, *self._busy]
        self._idle = []
        for worker in team:
            worker.kill()
        await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in team))
        self._threads.shutdown(wait=False)

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [w.pid for w in [*self._idle, *self._busy] if w.pid is not None]

    async def run(
        self,
        make: Callable[[], Task],
        *,
        short: bool = False,
        started: Callable[[], None] | None = None,
        heard: Heard | None = None,
    ) -> Any:
        """Let a process do a task, when one is free; cancelling this kills the process.

        Args:
            make: gives the task when its turn has come; called in a thread.
            short: whether it may take the last process, and goes before those that may not.
            started: called when its turn has come.
            heard: takes how far it is.

        Raises:
            EieError: as the task, or the process died.
        """
        async with self._employed(short) as worker:
            if started is not None:
                started()
            loop = asyncio.get_running_loop()
            task = await asyncio.to_thread(make)
            self._received[worker] = loop.run_in_executor(self._threads, worker.asked, task)
            del task
            while True:
                message = await self._heard(worker)
                if isinstance(message, Result):
                    self._rest(worker, message.held)
                    return message.value
                if isinstance(message, Failure):
                    raise message.error
                if heard is not None:
                    heard(*message)

    async def _heard(self, worker: WorkerProcess) -> Any:
        """What a process says next; after progress there is more."""
        message = await asyncio.shield(self._received[worker])
        if isinstance(message, Progress):
            loop = asyncio.get_running_loop()
            self._received[worker] = loop.run_in_executor(self._threads, worker.receive)
        else:
            del self._received[worker]
        return message

    @asynccontextmanager
    async def _employed(self, short: bool) -> AsyncIterator[WorkerProcess]:
        """A free process for the block; one that is left in the middle of a task has a moment."""
        worker = await self._taken(short)
        try:
            yield worker
        except ResourceError:
            await self._back(worker, whole=False)  # it may have died
            raise
        except asyncio.CancelledError:
            leaving = asyncio.create_task(self._left_alone(worker))
            self._left.add(leaving)
            leaving.add_done_callback(self._left.discard)
            raise
        except Exception:
            await self._back(worker, whole=True)  # the task failed, not the process
            raise
        else:
            await self._back(worker, whole=True)

    async def _left_alone(self, worker: WorkerProcess) -> None:
        """Wait for a while until a process ends what nobody waits for any more."""
        whole = False
        with suppress(TimeoutError, ResourceError):
            async with asyncio.timeout(GRACE):
                while worker in self._received:
                    await self._heard(worker)
                whole = True
        await self._back(worker, whole=whole)

    async def _back(self, worker: WorkerProcess, *, whole: bool) -> None:
        """Take a process back, or let another take its place."""
        self._busy.discard(worker)
        if (last := self._received.pop(worker, None)) is not None:
            last.add_done_callback(lambda future: future.cancelled() or future.exception())
        if not self._ended:
            self._idle.append(worker if whole else self._replaced(worker))
        async with self._changed:
            self._changed.notify_all()

    async def _taken(self, short: bool) -> WorkerProcess:
        """A free process, when there is one."""
        async with self._changed:
            self._short_waiting += short
            try:
                await self._changed.wait_for(lambda: self._has_place(short))
            finally:
                self._short_waiting -= short
                self._changed.notify_all()  # who has waited for this one, may have a place
            worker = self._idle.pop(0)
            self._busy.add(worker)
            return worker

    def _has_place(self, short: bool) -> bool:
        """Whether a task may begin. A long one waits until no short one waits or is at work, whose
        time it would share; and leaves a process for those that come."""
        if short:
            return bool(self._idle)
        return bool(self._idle) and not self._short_waiting and not self._busy

    def _replaced(self, worker: WorkerProcess) -> WorkerProcess:
        worker.kill()
        self._threads.submit(worker.end)
        return WorkerProcess()

    def _rest(self, worker: WorkerProcess, held: int) -> None:
        """Let a process that holds much be replaced if nothing comes for it."""
        if held <= HEAVY:
            return

        def replace() -> None:
            with suppress(ValueError):
                if not self._ended:
                    self._idle[self._idle.index(worker)] = self._replaced(worker)

        asyncio.get_running_loop().call_later(RESTS, replace)
