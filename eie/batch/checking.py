"""Whether many element files are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eie.files.inspection import Report


def check_files(files: Sequence[str], workers: int = 1) -> Iterator[Report]:
    """Check element files, and give the report of each in their order, as soon as it is there.

    Args:
        workers: processes that share the work; one is this one.
    """
    from eie.files.inspection import check_file

    if workers == 1:
        yield from map(check_file, files)
        return
    from eie.batch.pool import run_tasks
    from eie.batch.processes import Processes
    from eie.files.inspection import Finding, Report

    early: dict[int, Report] = {}
    following = 0
    for outcome in run_tasks(_begin, enumerate(files), Processes(workers)):
        number, file = outcome.task
        failed = Report(file, (Finding("error", outcome.reason or ""),))
        early[number] = outcome.result or failed
        while following in early:
            yield early.pop(following)
            following += 1


def _begin() -> Callable[[tuple[int, str]], Report]:
    return _check


def _check(task: tuple[int, str]) -> Report:
    from eie.files.inspection import check_file

    return check_file(task[1])
