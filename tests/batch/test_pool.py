"""Workers: one thread each, models once, and what becomes of a task whose worker dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eie.batch.pool import run_tasks
from eie.batch.processes import Processes
from eie.errors import MissingModelError, ResourceError, UsageError
from eie.notes import tell


def began(folder: Path) -> Callable[[Any], Any]:
    (folder / f"began-{os.getpid()}").touch()
    return partial(work, folder)


def work(folder: Path, task: str) -> Any:
    if task == "threads":
        return os.environ["OMP_NUM_THREADS"]
    if task == "note":
        tell(["as told"])
    if task == "bad":
        raise UsageError("this is bad")
    if task == "bug":
        raise KeyError("x")
    if task == "dies late":
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "dies" or (task == "dies once" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def no_start() -> Callable[[Any], Any]:
    raise MissingModelError("no such model")


def dead_start() -> Callable[[Any], Any]:
    os._exit(7)


def test_failures_and_deaths_concern_their_tasks_alone(tmp_path: Path) -> None:
    tasks = ["a", "bad", "dies once", "b", "dies", "bug", "note", "threads", "c"]
    found = {o.task: o for o in run_tasks(partial(began, tmp_path), tasks, Processes(2))}
    assert sorted(found) == sorted(tasks)
    good = {task: outcome.result for task, outcome in found.items() if outcome.reason is None}
    assert good == {name: name for name in ("a", "b", "c", "dies once", "note")} | {"threads": "1"}
    assert (found["bad"].reason, found["bad"].code) == ("this is bad", 2)
    assert found["dies"].code == 5
    assert "died 2 times at it: killed by SIGKILL" in found["dies"].reason
    assert found["bug"].code == 1
    assert "KeyError" in found["bug"].reason
    assert found["note"].notes == ("as told",)
    assert len(list(tmp_path.glob("began-*"))) <= 2 + 3  # two, and one for each death


def test_a_task_is_tried_again_by_who_has_nothing_else_to_do(tmp_path: Path) -> None:
    found = {
        o.task: o for o in run_tasks(partial(began, tmp_path), ["a", "dies late"], Processes(2))
    }
    assert {task: outcome.code for task, outcome in found.items()} == {"a": 0, "dies late": 5}


def test_what_no_worker_can_do_without_ends_the_run() -> None:
    with pytest.raises(MissingModelError, match="no such model"):
        list(run_tasks(no_start, ["a", "b"], Processes(2)))
    with pytest.raises(ResourceError, match="die as they start: exit code 7"):
        list(run_tasks(dead_start, ["a", "b", "c"], Processes(1)))


def test_no_worker_outlives_a_run_that_is_given_up(tmp_path: Path) -> None:
    run = run_tasks(partial(began, tmp_path), ["a", "b", "c"], Processes(2))
    next(run)
    run.close()
    for path in tmp_path.glob("began-*"):
        process = int(path.name.partition("-")[2])
        with pytest.raises(ProcessLookupError):
            for _ in range(50):
                os.kill(process, 0)
                time.sleep(0.1)
