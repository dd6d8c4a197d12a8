"""Small element sets, edited through the table alone: rendering knows nothing of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eie.elements import ElementSet, Source

CHANNELS = (1, 2, 3, 4)


def blocks(height: int, width: int, rows: int, columns: int) -> NDArray[np.integer]:
    """(height, width) label map of rows × columns rectangles."""
    y = np.arange(height) * rows // height
    x = np.arange(width) * columns // width
    return y[:, None] * columns + x


def noise(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def make_set(pixels: NDArray[np.uint8] | None, label_map: NDArray[np.integer]) -> ElementSet:
    return ElementSet.from_source(Source.from_label_map(label_map, pixels=pixels))


def with_rows(elements: ElementSet, rows: Any, **values: Any) -> ElementSet:
    return replace(elements, table=elements.table.set(np.atleast_1d(rows), **values))


def moved(elements: ElementSet, rows: Any, dx: float, dy: float) -> ElementSet:
    rows = np.atleast_1d(rows)
    return with_rows(elements, rows, box=elements.table.box[rows] + np.array([dx, dy, 0.0, 0.0]))


def scaled(elements: ElementSet, rows: Any, x: float, y: float) -> ElementSet:
    rows = np.atleast_1d(rows)
    return with_rows(elements, rows, box=elements.table.box[rows] * np.array([1.0, 1.0, x, y]))


def copied(elements: ElementSet, rows: Any, dx: float, dy: float) -> ElementSet:
    table, first = elements.table.take(np.atleast_1d(rows)), elements.next_id
    every = np.arange(len(table))
    table = table.set(every, id=first + every, box=table.box + np.array([dx, dy, 0.0, 0.0]))
    return replace(elements, table=elements.table.append(table))


@pytest.fixture
def disc() -> Callable[..., ElementSet]:
    """A photo of a soft-edged disc; element 1 is the disc, element 0 the ground."""

    def build(disc_colour: int, ground: int, side: int = 128, radius: int = 20) -> ElementSet:
        y, x = np.mgrid[:side, :side] + 0.5
        distance = np.hypot(y - side / 2, x - side / 2)
        cover = (radius + 0.5 - distance).clip(-1, 1) * 0.5 + 0.5  # antialiased, two pixels wide
        pixels = np.rint(ground + (disc_colour - ground) * cover).astype(np.uint8)
        return make_set(pixels[..., None], (distance <= radius).astype(int))

    return build


def cutout() -> ElementSet:
    """(80, 80, 4): element 1, opaque in the middle, and a transparent one around it."""
    pixels = np.zeros((80, 80, 4), dtype=np.uint8)
    pixels[30:50, 30:50] = (200, 50, 20, 255)
    label_map = np.zeros((80, 80), dtype=int)
    label_map[30:50, 30:50] = 1
    return make_set(pixels, label_map)
