"""Small element sets to edit."""

from __future__ import annotations

import numpy as np
import pytest

from eie.elements import ElementSet, Source
from eie.files import save

ROWS, COLUMNS, CELL = 4, 6, 10


@pytest.fixture(scope="session")
def quilt() -> ElementSet:
    """60×40 pixels, 24 patches of 10×10, ids row by row; ids 7, 8, 13, 14 are one object."""
    return quilt_of(seed=0)


@pytest.fixture(scope="session")
def other_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An element file of another photo, its element 3 deleted, 9 moved by (0.5, 1)."""
    other = quilt_of(seed=1)
    box = other.table.box[9] + [0.5, 1, 0, 0]
    table = other.table.set(np.array([3]), visible=False).set(np.array([9]), box=box)
    path = tmp_path_factory.mktemp("other") / "other.h5"
    save(ElementSet(canvas=other.canvas, sources=other.sources, table=table), path)
    return str(path)


def quilt_of(seed: int) -> ElementSet:
    labels = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    label_map = np.kron(labels, np.ones((CELL, CELL), dtype=int))
    member = np.isin(np.arange(ROWS * COLUMNS), [7, 8, 13, 14])
    affinity = np.where(member[:, None] == member, 0.9, 0.1).astype(np.float32)
    pixels = np.random.default_rng(seed).integers(0, 256, (*label_map.shape, 3), dtype=np.uint8)
    return ElementSet.from_source(
        Source.from_label_map(label_map, pixels=pixels, affinity=affinity)
    )
