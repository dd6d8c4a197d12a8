from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eie.rendering.classical import ClassicalDecoder
from eie.rendering.hole_layout import Layout
from eie.rendering.lines import BEGUN, GOING_ON, Line, favour, lines_into
from eie.rendering.working_size import Offset, WorkingSize

from .conftest import noise

HOLE = np.s_[35:65, 45:85]


def with_line(degrees: float, *, until: float = np.inf) -> np.ndarray:
    """Grey grass with a white line through (65, 50), as far as `until` pixels to the right of it:
    (100, 130, 3) uint8."""
    y, x = np.mgrid[:100, :130]
    way = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    aside = abs((x - 65) * way[1] - (y - 50) * way[0])
    ahead = (x - 65) * way[0] + (y - 50) * way[1]
    photo = 90 + noise(100, 130, 3) // 8
    photo[(aside <= 2) & (ahead < until)] = 240
    return photo.astype(np.uint8)


def with_hole(photo: np.ndarray) -> WorkingSize:
    hole = np.zeros(photo.shape[:2], dtype=bool)
    hole[HOLE] = True
    return WorkingSize.of(np.where(hole[..., None], 0, photo).astype(np.float32), ~hole, hole)


@pytest.mark.parametrize("degrees", [0, 17, -30, 60])
def test_a_line_on_both_sides_of_a_hole_goes_on(degrees):
    lines = lines_into(with_hole(with_line(degrees)))
    assert len(lines) >= 2 and all(line.goes_on for line in lines)
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    assert all(abs(line.way @ way) > 0.99 for line in lines)


def test_a_line_on_one_side_only_has_begun():
    lines = lines_into(with_hole(with_line(10, until=0)))
    assert lines and not any(line.goes_on for line in lines)


def test_lines_that_pass_by_a_hole_do_not_run_into_it():
    photo = 90 + noise(100, 130, 3) // 8
    photo[20:24] = 240  # above it
    photo[:, 100:104] = 240  # right of it
    assert lines_into(with_hole(photo.astype(np.uint8))) == []


@given(degrees=st.floats(0, 360), inside=st.floats(8, 60), length=st.floats(8, 60))
def test_the_offset_of_a_line_keeps_to_it(degrees, inside, length):
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    down, right, mirrored = Line(np.zeros(2), way, length, inside).offset()
    assert not mirrored
    assert abs(right * way[1] - down * way[0]) < 0.5
    assert -(right * way[0] + down * way[1]) >= min(inside, length) + 0.5


def test_only_what_a_line_passes_gets_cheaper_and_only_by_its_own_offset():
    work = with_hole(with_line(0))
    line = Line(np.array([44.0, 50.0]), np.array([1.0, 0.0]), 40.0, 41.0, goes_on=True)
    along = line.offset()
    offsets = [along, along.shifted(0, 1), Offset(*along[:2], mirrored=True), Offset(30, 0)]
    cost = np.full((4, len(work)), 25, dtype=np.float32)
    favour(cost, work, [line], offsets)
    near = abs(work.rows - 50) <= 4
    assert (cost[:2, near] == 0).all() and (cost[2:, near] == 25 - GOING_ON).all()
    assert (cost[:, ~near] == 25).all()
    favour(begun := np.full_like(cost, 25), work, [line._replace(goes_on=False)], offsets)
    assert (begun[:2, near] == BEGUN).all()


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_thin_line_is_seen_on_behind_what_stood_on_it(degrees):
    photo = with_line(degrees)
    unknown = np.zeros(photo.shape[:2], dtype=bool)
    unknown[HOLE] = True
    patches = (photo[..., 0] > 200).astype(int)  # a line is a thing of its own, and a small one
    [fill] = ClassicalDecoder().fills(photo, unknown, Layout(patches, np.eye(2, dtype=np.float32)))
    on_line = unknown & (photo[..., 0] > 200)
    assert (fill[on_line].mean(axis=1) > 180).mean() > 0.85
