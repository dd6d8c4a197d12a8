"""What every method made of one case, and a folder that keeps it, so that an interrupted evaluation
goes on.

STORE/settings.json    what determines the results; compared when the store is used again
STORE/cases/ID.json    the scores; written last, so a case that has it is complete
STORE/cases/ID.K.png   its K-th picture
STORE/cases/ID.npz     its arrays, if it has any
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.files.atomic import write_atomically
from eie.files.run_folders import claim, make_folder

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB in [0, 255]."""

Mask = NDArray[np.bool_]
"""(H, W) bool."""

Labels = NDArray[np.integer]
"""(H, W) labels from 0."""

Scores = Mapping[str, Mapping[str, float]]
"""Method ⇒ measure ⇒ value; NaN where it could not be measured."""


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


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores as JSON knows them: None for those that could not be measured."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}


SETTINGS_FILE = "settings.json"

CASES_FOLDER = "cases"


def write_case(store: Path, result: CaseResult) -> None:
    """Write a result to a store; an interruption leaves it whole or absent."""
    from PIL import Image

    for index, pixels in enumerate(result.pictures.values()):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format="PNG", compress_level=1)
        _write(case_file(store, result.case, f"{index}.png"), stream.getvalue())
    if result.arrays:
        stream = io.BytesIO()
        arrays: dict[str, Any] = dict(result.arrays)
        np.savez(stream, **arrays)
        _write(case_file(store, result.case, "npz"), stream.getvalue())
    content = {
        "case": result.case,
        "scores": {method: finite(scores) for method, scores in result.scores.items()},
        "pictures": list(result.pictures),
        "arrays": sorted(result.arrays),
        "focus": result.focus,
    }
    text = json.dumps(content, indent=2) + "\n"
    _write(case_file(store, result.case, "json"), text.encode())


def read_case(store: Path, case: str) -> CaseResult:
    """Read a result from a store.

    Raises:
        BadInputError: it is missing or damaged.
    """
    path = case_file(store, case, "json")
    try:
        content = json.loads(path.read_bytes())
        scores = {
            method: {name: math.nan if value is None else value for name, value in found.items()}
            for method, found in content["scores"].items()
        }
        titles = content["pictures"]
        files = {title: case_file(store, case, f"{i}.png") for i, title in enumerate(titles)}
        arrays = _read_arrays(case_file(store, case, "npz")) if content["arrays"] else {}
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


def claim_store(store: Path, settings: Mapping[str, Any]) -> None:
    """Save the settings in a new store, or compare them with those it was made with."""
    claim(store / SETTINGS_FILE, settings, "results")
    make_folder(store / CASES_FOLDER)


def case_file(store: Path, case: str, suffix: str) -> Path:
    return store / CASES_FOLDER / f"{quote(case, safe=' ')}.{suffix}"


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as handle:
        handle.write(content)
