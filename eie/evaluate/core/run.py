"""Cases of an evaluation: run one after the other or by several processes, and kept.

A case is one photo, scene or pair. What it gave is written to a store as soon as it is done.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eie.errors import ResourceError
from eie.evaluate.core.case_result import CaseResult, case_file, claim_store, read_case, write_case
from eie.evaluate.core.photos import chosen_files
from eie.files.folders import ImageFile


@dataclass(frozen=True)
class Run:
    """How an evaluation is run, whatever it measures.

    Attributes:
        every, limit: which photos, see :func:`eie.evaluate.core.photos.chosen_files`.
        store: a folder for the results, created if need be: cases that it holds already are not
            done again. Without one they are held in memory.
        pictures: whether cases draw what a report shows, for the store to keep.
        workers: processes; 0 for this one.
        command: the line that repeats the evaluation, for its report.
    """

    every: int | None = None
    limit: int | None = None
    store: Path | None = None
    pictures: bool = False
    workers: int = 0
    command: str = ""

    def photos(self, folder: Path) -> list[ImageFile]:
        """The photos of a folder that are evaluated, see `chosen_files`."""
        return chosen_files(folder, self.every, self.limit)

    def within(self, folder: str) -> Run:
        """The same with a part of the store."""
        return replace(self, store=None if self.store is None else self.store / folder)


def run_cases(
    cases: Sequence[str],
    evaluate: Callable[[str], CaseResult],
    run: Run = Run(),
    *,
    settings: Mapping[str, Any] | None = None,
    title: str = "",
) -> list[CaseResult]:
    """Evaluate cases, those left out that a store already holds.

    Args:
        cases: their names, each once.
        evaluate: makes the result of a case; with workers it must be picklable (a function of a
            module, a `functools.partial`, or a frozen dataclass with `__call__`).
        settings: what determines the results, in terms of JSON; kept in the store.
        title: of the progress bar on standard error, shown if that is a terminal.

    Returns:
        The results in the order of `cases`. Those from a store read their pictures when asked.

    Raises:
        UsageError: the store belongs to an evaluation with other settings, or holds other things.
        BadInputError: the store is damaged.
        ResourceError: the store cannot be written, or a worker ran out of memory.
    """
    store = run.store
    if store is not None:
        claim_store(store, dict(settings or {}))
    done: dict[str, CaseResult] = {}
    for case in cases:
        if store is not None and case_file(store, case, "json").exists():
            done[case] = read_case(store, case)
    waiting = [case for case in cases if case not in done]
    with _progress(title, len(cases), len(done)) as advance:
        for result in _results(waiting, evaluate, run.workers):
            if store is None:
                done[result.case] = result
            else:
                write_case(store, result)
                done[result.case] = read_case(store, result.case)
            advance()
    return [done[case] for case in cases]


def _results(
    cases: Sequence[str], evaluate: Callable[[str], CaseResult], workers: int
) -> Iterator[CaseResult]:
    """Results as they get ready."""
    if workers == 0:
        yield from map(evaluate, cases)
        return
    context = multiprocessing.get_context("spawn")  # forked threads of torch hang
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(
        workers, context, initializer=_share_processors, initargs=(threads,)
    ) as pool:
        futures = [pool.submit(evaluate, case) for case in cases]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise ResourceError(
                "a worker process was ended, probably because memory ran out",
                hint="give fewer --workers",
            ) from error
        finally:
            for future in futures:
                future.cancel()


def _share_processors(threads: int) -> None:
    """In a worker: leave the other processors to the other workers, unless told otherwise."""
    # torch reads it when it is imported, which no worker has done yet.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import cv2

    cv2.setNumThreads(threads)


@contextmanager
def _progress(title: str, total: int, completed: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, if that is a terminal; gives a function to call for every case."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        bar = bars.add_task(title or "evaluating", total=total, completed=completed)
        yield lambda: bars.advance(bar)
