"""Workers that are actors of a Ray cluster, on whatever machine has room for them.

Plain actors and not Ray Data: the work is one call a photo with nothing to pass on, so that all
there is to say is who does which photo, and that is said here as it is for processes. A task is
handed out when a worker is free, which is all the back-pressure there can be; no photo and no
picture passes through Ray's object store; a photo that kills its workers is given up by name where
Ray Data would try the whole block again, or end the run.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast

import eie
from eie.batch.pool import Lost
from eie.batch.working import ONE_THREAD, Answer, Desk, Start, traceback_wanted
from eie.errors import MissingModelError
from eie.notes import tell

ADDRESS = "RAY_ADDRESS"
"""The environment variable that names a cluster; without it one is started on this machine."""

_PATIENCE = 30.0
"""Seconds without news and without a worker that is ready, after which it is told."""

_STORE_BYTES = 100 << 20
"""Of shared memory for a local start: answers are small."""

_PRINTER = "ray_listen_error_messages"
"""Ray's thread that prints on standard output."""

_TOKEN = "RAY_AUTH_MODE=token lets Ray show the token in ~/.ray/auth_token"
"""What helps where a cluster asks for a token, as those do of machines that have one. It cannot be
tried by itself: workers of a cluster that asks for none cannot talk to a driver that does."""

_QUIET = {
    "RAY_DEDUP_LOGS": "0",  # else it keeps some back, to print them from another thread at the end
    "RAY_USAGE_STATS_ENABLED": "0",  # else a local start would call home, and tell so
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns that this will be so one day
}


@contextmanager
def cluster(count: int | None = None, gpus: float = 0) -> Iterator[Cluster]:
    """An engine of Ray actors with one core and one thread each.

    Args:
        count: how many; None for as many as the cluster has cores.
        gpus: of each actor.

    Raises:
        MissingModelError: Ray is not installed, or the cluster cannot be reached.
    """
    with redirect_stdout(cast(TextIO, _Filtered(sys.stdout))):
        ours = _start(count)
        import ray

        engine = Cluster(count or max(1, _cores()), gpus)
        try:
            yield engine
        finally:
            engine.end()
            if ours:
                ray.shutdown()


class Cluster:
    """The engine, while it is open."""

    tries = 4
    """A machine may go away for no fault of the task's, and another one after it."""

    def __init__(self, count: int, gpus: float) -> None:
        self.count = count
        self._gpus = gpus
        self._heard = False
        self._hired: list[_Actor] = []

    def end(self) -> None:
        for actor in self._hired:
            actor.end()

    def hire(self, start: Start) -> _Actor:
        self._hired.append(actor := _Actor(start, self._gpus))
        return actor

    def news(self, workers: Sequence[_Actor]) -> Iterator[tuple[_Actor, Answer | Lost]]:
        import ray

        by_answer = {worker.answer: worker for worker in workers}
        ready, _ = ray.wait(list(by_answer), num_returns=1, timeout=_PATIENCE)
        if not ready and not self._heard:
            self._heard = True
            tell([f"waiting for Ray, which has {_cores()} cores, to start workers"])
        for answer in ready:
            self._heard = True
            try:
                yield by_answer[answer], ray.get(answer)
            except ray.exceptions.RayError as error:
                yield by_answer[answer], Lost(_cause(error))


class _Actor:
    """An actor and the answer that it is at."""

    def __init__(self, start: Start, gpus: float) -> None:
        import ray

        remote: Any = ray.remote(_RemoteDesk)
        actor = remote.options(
            num_cpus=1,
            num_gpus=gpus,
            max_restarts=0,  # another takes its place, and is told its start
            runtime_env={"env_vars": dict.fromkeys(ONE_THREAD, "1")},
        )
        self._actor = actor.remote(str(Path.cwd()), eie.__version__)
        self.answer: Any = self._actor.begin.remote(start)

    def give(self, task: Any) -> None:
        self.answer = self._actor.do.remote(task)

    def end(self) -> None:
        import ray

        with suppress(ray.exceptions.RayError):
            ray.kill(self._actor)


class _Filtered:
    """Standard output without what Ray prints there of lost workers, whatever it is told."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if threading.current_thread().name == _PRINTER:
            return len(text)
        written: int = self._stream.write(text)
        return written


class _RemoteDesk(Desk):
    """A worker on some machine, which should see the driver's files and have its eie."""

    def __init__(self, folder: str, version: str) -> None:
        super().__init__()
        with suppress(OSError):  # it may need no relative paths
            os.chdir(folder)
        self.version = version

    def _begin(self, start: Start) -> None:
        if eie.__version__ != self.version:
            raise MissingModelError(
                f"a machine of the cluster has eie {eie.__version__}, this one {self.version}",
                hint="install the same on all",
            )
        super()._begin(start)


def _start(cores: int | None) -> bool:
    """Connect to a cluster, or start one here; none of it is to be seen.

    Returns:
        Whether that was needed: a program may have done it before.

    Raises:
        MissingModelError: Ray is not installed, or the cluster cannot be reached.
    """
    for name, value in _QUIET.items():  # before the import, which reads them
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingModelError(
            "--engine ray needs Ray, which is not installed", hint='pip install "eie[ray]"'
        ) from error
    if ray.is_initialized():
        return False
    address = os.environ.get(ADDRESS) or "local"
    where = "Ray" if address == "local" else f"{ADDRESS}={address}"
    options: dict[str, Any] = {"logging_level": "CRITICAL", "log_to_driver": traceback_wanted()}
    if address == "local":
        options |= {
            "num_cpus": cores,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
        }
    try:
        _knock(address)
        ray.init(address, **options)
    except Exception as error:  # of many kinds: OSError, RuntimeError, ValueError …
        message = f"the cluster cannot be reached: {_first_line(error)}"
        hint = _TOKEN if isinstance(error, ConnectionError) and address != "local" else None
        raise MissingModelError(message, where=where, hint=hint) from error
    return True


def _knock(address: str) -> None:
    """Find out whether anybody is at an address HOST:PORT: Ray would try for ever.

    Raises:
        OSError: nobody is.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()


def _cores() -> int:
    import ray

    known: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(known.get("CPU", 0))


def _cause(error: Exception) -> str:
    """Why an actor is no more, without Ray's advice."""
    if found := re.search(r"Worker exit detail: ([^.]+\.[^.]*)\.", str(error)):
        return found[1]
    if "error raised in its creation task" in _first_line(error):  # the last line is the error
        last = str(error).strip().splitlines()[-1]
        return f"{last}; the same eie has to be on all machines" if "No module" in last else last
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
