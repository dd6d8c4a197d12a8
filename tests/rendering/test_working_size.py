from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from eie.rendering.working_size import (
    Offset,
    WorkingSize,
    continued,
    neighbours,
    reduced_by,
)

from .conftest import noise

OFFSETS = st.builds(Offset, st.integers(-9, 9), st.integers(-9, 40), st.booleans())


@given(OFFSETS, st.integers(0, 20), st.integers(0, 20))
def test_a_doubled_offset_copies_the_same_place_at_twice_the_size(offset, row, column):
    """The pixels 2y, 2y + 1 of the larger size are the pixel y of the smaller one."""
    y, x = offset.source(np.array([row]), np.array([column]))
    fine = np.array([2 * row, 2 * row + 1]), np.array([2 * column, 2 * column + 1])
    rows, columns = offset.doubled().source(*fine)
    assert_array_equal(rows // 2, [y[0], y[0]])
    assert_array_equal(columns // 2, [x[0], x[0]])


def test_a_mirrored_offset_turns_left_and_right_round():
    colour = noise(4, 6, 3).astype(np.float32)
    hole = np.zeros((4, 6), dtype=bool)
    hole[1, 1:3] = True
    work = WorkingSize.of(colour, ~hole, hole)
    features, known = work.copied(Offset(1, 5, mirrored=True), work.rows, work.columns)
    assert known.all()
    assert_array_equal(features[:, :3], colour[2, [4, 3]])
    assert_array_equal(features[:, 3], -work.features[2, [4, 3], 3])


def test_copies_from_holes_and_from_outside_are_unknown():
    hole = np.zeros((5, 5), dtype=bool)
    hole[2, 1:4] = True
    work = WorkingSize.of(np.zeros((5, 5, 3), np.float32), ~hole, hole)
    assert_array_equal(work.copied(Offset(0, 1), work.rows, work.columns)[1], [False, False, True])
    assert not work.copied(Offset(3, 0), work.rows, work.columns)[1].any()


def test_neighbours_are_counted_once():
    hole = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    position, first, second = neighbours(hole)
    assert_array_equal(position, [[0, 1, -1], [-1, 2, 3]])
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(0, 1), (2, 3), (1, 2)}


def test_what_is_known_has_all_the_say_in_a_reduced_picture():
    planes = np.full((4, 4, 1), 200, np.uint8)
    known = np.ones((4, 4), dtype=bool)
    planes[0, 0], known[0, 0] = 0, False
    small, wholly, touched = reduced_by(2, planes, known, ~known)
    assert_allclose(small, 200)
    assert_array_equal(wholly, [[False, True], [True, True]])
    assert_array_equal(touched, ~wholly)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2), (33, 47)])
def test_what_is_continued_stays_between_what_is_known(size):
    rng = np.random.default_rng(3)
    planes = rng.uniform(20, 90, (*size, 2)).astype(np.float32)
    known = rng.random(size) < 0.3
    known.flat[0] = True
    made = continued(np.where(known[..., None], planes, 255), known)
    assert_allclose(made[known], planes[known], rtol=1e-5)
    assert made.min() >= planes[known].min() - 0.01 and made.max() <= planes[known].max() + 0.01
