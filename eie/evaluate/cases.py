"""Cases of an evaluation: run one after the other or by several processes, and kept.

A case is one photo, scene or pair. What it gave is written to a *store*, a folder, as soon as it is
done, so that an interrupted evaluation goes on where it stopped:

    STORE/settings.json    what determines the results; compared when the store is used again
    STORE/cases/ID.json    the scores; written last, so a case that has it is complete
    STORE/cases/ID.K.png   its K-th picture
    STORE/cases/ID.npz     its arrays, if it has any
"""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, ResourceError, UsageError
from eie.files.atomic import write_atomically

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB in [0, 255]."""

Scores = Mapping[str, Mapping[str, float]]
"""Method ⇒ measure ⇒ value; NaN where it could not be measured."""

SETTINGS_FILE = "settings.json"
CASES_FOLDER = "cases"


@dataclass(frozen=True, eq=False)
class CaseResult:
    """What every method made of one case.

    Attributes:
        case: its name, unlike that of any other case of the evaluation.
        scores: method ⇒ measure ⇒ value; NaN where it could not be measured.
        pictures: title ⇒ (H, W, 3) uint8 RGB, for the contact sheet, in the order to be shown.
        arrays: name ⇒ array, what measures over the whole set are made of (features).
        focus: left, top, width and height in pixels of what is to be looked at in the pictures.
    """

    case: str
    scores: Scores
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    focus: tuple[int, int, int, int] | None = None


def run_cases(
    cases: Sequence[str],
    evaluate: Callable[[str], CaseResult],
    *,
    store: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int = 0,
    title: str = "",
) -> list[CaseResult]:
    """Evaluate cases, those left out that a store already holds.

    Args:
        cases: their names, each once.
        evaluate: makes the result of a case; with `workers` it must be picklable (a function of a
            module, a `functools.partial`, or a frozen dataclass with `__call__`).
        store: a folder for the results, created if need be; without one they are held in memory.
        settings: what determines the results, in terms of JSON; kept in the store.
        workers: processes; 0 for this one.
        title: of the progress bar on standard error, shown if that is a terminal.

    Returns:
        The results in the order of `cases`. Those from a store read their pictures when asked.

    Raises:
        UsageError: the store belongs to an evaluation with other settings, or holds other things.
        BadInputError: the store is damaged.
        ResourceError: the store cannot be written, or a worker ran out of memory.
    """
    if store is not None:
        _claim(store, dict(settings or {}))
    done: dict[str, CaseResult] = {}
    for case in cases:
        if store is not None and _file(store, case, "json").exists():
            done[case] = read_case(store, case)
    waiting = [case for case in cases if case not in done]
    with _progress(title, len(cases), len(done)) as advance:
        for result in _results(waiting, evaluate, workers):
            if store is None:
                done[result.case] = result
            else:
                write_case(store, result)
                done[result.case] = read_case(store, result.case)
            advance()
    return [done[case] for case in cases]


def write_case(store: Path, result: CaseResult) -> None:
    """Write a result to a store; an interruption leaves it whole or absent."""
    from PIL import Image

    for index, pixels in enumerate(result.pictures.values()):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format="PNG", compress_level=1)
        _write(_file(store, result.case, f"{index}.png"), stream.getvalue())
    if result.arrays:
        stream = io.BytesIO()
        arrays: dict[str, Any] = dict(result.arrays)
        np.savez(stream, **arrays)
        _write(_file(store, result.case, "npz"), stream.getvalue())
    content = {
        "case": result.case,
        "scores": {method: finite(scores) for method, scores in result.scores.items()},
        "pictures": list(result.pictures),
        "arrays": sorted(result.arrays),
        "focus": result.focus,
    }
    _write(_file(store, result.case, "json"), _json(content))


def read_case(store: Path, case: str) -> CaseResult:
    """Read a result from a store.

    Raises:
        BadInputError: it is missing or damaged.
    """
    path = _file(store, case, "json")
    try:
        content = json.loads(path.read_bytes())
        scores = {
            method: {name: math.nan if value is None else value for name, value in found.items()}
            for method, found in content["scores"].items()
        }
        titles = content["pictures"]
        files = {title: _file(store, case, f"{i}.png") for i, title in enumerate(titles)}
        arrays = _read_arrays(_file(store, case, "npz")) if content["arrays"] else {}
        left, top, width, height = content["focus"] or (0,) * 4
        focus = (left, top, width, height) if width else None
        return CaseResult(content["case"], scores, StoredPictures(files), arrays, focus)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"damaged result: {error}", where=str(path), hint="delete it to have it made again"
        ) from error


class StoredPictures(Mapping[str, Pixels]):
    """Pictures in files, by title; decoded when asked for."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def __getitem__(self, title: str) -> Pixels:
        from PIL import Image

        path = self._files[title]
        try:
            with Image.open(path) as image:
                return np.array(image.convert("RGB"))
        except OSError as error:
            raise BadInputError(f"damaged picture: {error}", where=str(path)) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores as JSON knows them: None for those that could not be measured."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}


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
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        bar = bars.add_task(title or "evaluating", total=total, completed=completed)
        yield lambda: bars.advance(bar)


def _claim(store: Path, settings: dict[str, Any]) -> None:
    """Save the settings in a new store, or compare them with those it was made with."""
    path = store / SETTINGS_FILE
    text = _json(settings)
    if not path.exists():
        if store.is_dir() and any(store.iterdir()):
            raise UsageError("the folder is not empty and holds no results", where=str(store))
        _make_folder(store / CASES_FOLDER)
        _write(path, text)
        return
    try:
        saved, asked = json.loads(path.read_bytes()), json.loads(text)
        different = sorted(
            name for name in saved.keys() | asked.keys() if saved.get(name) != asked.get(name)
        )
    except (OSError, ValueError, AttributeError) as error:
        raise BadInputError(f"damaged settings: {error}", where=str(path)) from error
    if different:
        raise UsageError(
            f"the results in it were made with other settings: {', '.join(different)}",
            where=str(store),
            hint="choose another folder, or repeat the command that made it",
        )


def _file(store: Path, case: str, suffix: str) -> Path:
    return store / CASES_FOLDER / f"{quote(case, safe=' ')}.{suffix}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot be made: {error.strerror or error}", where=str(folder)
        ) from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, default=str) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as handle:
        handle.write(content)
