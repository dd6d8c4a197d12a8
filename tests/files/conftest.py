"""Element sets to write, and the sample files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eie.elements import CANDIDATES, SURE, ElementSet, Embeddings, ObjectMasks, Source

SAMPLES = Path(__file__).parents[2] / "formats" / "samples"


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def make_set() -> Callable[..., ElementSet]:
    """Makes a set of noise in a grid of `patches` × `patches`, every optional part filled."""

    def make(height: int = 40, width: int = 60, patches: int = 4, seed: int = 0) -> ElementSet:
        rng = np.random.default_rng(seed)
        rows = np.arange(height)[:, None] * patches // height
        columns = np.arange(width)[None] * patches // width
        count = patches * patches
        source = Source.from_label_map(
            rows * patches + columns,
            pixels=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
            affinity=rng.integers(0, 256, (count, count)).astype(np.float32) / np.float32(255),
            objects=ObjectMasks(
                rng.integers(0, SURE + 1, (CANDIDATES, count, count), dtype=np.uint8),
                rng.random((CANDIDATES, count), dtype=np.float32),
            ),
            embeddings=Embeddings(
                rng.normal(size=(count, 8)).astype(np.float32), "tiny", "0123abcd" * 8
            ),
            icc=rng.bytes(20),
            exif=b"",
        )
        return ElementSet.from_source(source, decomposition={"beta": 64.0}, prompt="noise, größer")

    return make


@pytest.fixture
def differences() -> Callable[[ElementSet, ElementSet], list[str]]:
    """Tells which parts of two sets differ; [] if they are equal."""
    return _differences


def _differences(one: ElementSet, other: ElementSet) -> list[str]:
    found = [
        name
        for name in ("canvas", "prompt", "decomposition", "groups")
        if getattr(one, name) != getattr(other, name)
    ]
    if list(one.groups) != list(other.groups):
        found.append("order of groups")
    if not one.table.equals(other.table):
        found.append("table")
    counts = [(len(e.sources), len(e.history), len(e.undone)) for e in (one, other)]
    if counts[0] != counts[1]:
        return [*found, "number of sources or steps"]
    for index, (a, b) in enumerate(zip(one.sources, other.sources, strict=True)):
        found += [f"source {index}: {name}" for name in _source_differences(a, b)]
    mine, yours = ((*e.history, *e.undone) for e in (one, other))
    for step, (a, b) in enumerate(zip(mine, yours, strict=True)):
        same = a.operation == b.operation and a.groups == b.groups and a.sources == b.sources
        if not same or not a.table.equals(b.table):
            found.append(f"step {step}")
    return found


def _source_differences(a: Source, b: Source) -> list[str]:
    found = [name for name in ("icc", "exif") if getattr(a, name) != getattr(b, name)]
    for name in ("label_map", "home_box", "pixels", "affinity"):
        x, y = getattr(a, name), getattr(b, name)
        if (x is None) != (y is None) or (x is not None and not _equal(x, y)):
            found.append(name)
    x, y = a.objects, b.objects
    if (x is None) != (y is None):
        found.append("objects")
    elif x is not None and y is not None:
        same = _equal(x.chances, y.chances) and _equal(x.scores, y.scores)
        found += [] if same else ["objects"]
    x, y = a.embeddings, b.embeddings
    if (x is None) != (y is None):
        found.append("embeddings")
    elif x is not None and y is not None:
        named = (x.encoder, x.encoder_hash) == (y.encoder, y.encoder_hash)
        if not named or not _equal(x.values, y.values):
            found.append("embeddings")
    return found


def _equal(x: object, y: object) -> bool:
    a, b = np.asarray(x), np.asarray(y)
    return a.dtype == b.dtype and np.array_equal(a, b)
