from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from eie.rendering.blending import EDGE, copied, correction, enlarged_correction, softened_cuts
from eie.rendering.working_size import Offset

HOLE = np.zeros((40, 60), dtype=bool)
HOLE[15:25, 10:22] = True
COUNT = int(HOLE.sum())


def test_a_copy_from_a_darker_place_takes_the_light_of_the_border():
    """Light of +10 all around the hole: what was copied without it is lit, detail stays."""
    rows, columns = np.mgrid[:40, :60]
    planes = (90 + 8 * ((rows + columns) % 2))[..., None].astype(np.float32)
    lit = planes.copy()
    lit[:, :30] += 10
    label = np.zeros(COUNT, dtype=np.intp)
    offsets = [Offset(0, 30)]
    made = copied(lit, label, offsets, HOLE) + correction(lit, label, offsets, HOLE, ~HOLE)
    assert abs(made - lit[HOLE]).max() < 0.8
    assert abs(copied(lit, label, offsets, HOLE) - lit[HOLE]).min() > 9


def test_two_pieces_of_different_light_meet_without_a_step():
    planes = np.full((40, 60, 1), 100, np.float32)
    planes[:, 40:] = 112
    _, columns = np.nonzero(HOLE)
    label = (columns >= 16).astype(np.intp)
    offsets = [Offset(0, 15), Offset(0, 30)]  # the second from where it is lighter
    copy = copied(planes, label, offsets, HOLE)
    made = np.zeros((40, 60, 1), np.float32)
    made[HOLE] = copy + correction(planes, label, offsets, HOLE, ~HOLE)
    step = abs(made[15:25, 16] - made[15:25, 15]).max()
    assert step < 1.5 and np.ptp(copy) == 12


def test_an_edge_at_the_border_does_not_smear():
    planes = np.full((40, 60, 1), 100, np.float32)
    planes[:15] = 100 + 5 * EDGE  # above the hole stands something else
    label = np.zeros(COUNT, dtype=np.intp)
    made = correction(planes, label, [Offset(0, 30)], HOLE, ~HOLE)
    plane = np.zeros((40, 60, 1), np.float32)
    plane[HOLE] = made
    assert abs(plane[20:25, 10:22]).max() < 0.05 * 5 * EDGE


def test_a_correction_is_enlarged_within_its_pieces():
    label = (np.nonzero(HOLE)[1] >= 16).astype(np.intp)
    small = np.where(label == 1, 30, -10)[:, None].astype(np.float32)
    larger = HOLE.repeat(4, axis=0).repeat(4, axis=1)
    larger_label = (np.nonzero(larger)[1] >= 64).astype(np.intp)
    wide = enlarged_correction(small, HOLE, label, larger, larger_label)
    assert_allclose(wide[larger_label == 1], 30, atol=1e-3)
    assert_allclose(wide[larger_label == 0], -10, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_hole_without_any_border_is_left_as_copied(channels):
    planes = np.random.default_rng(0).uniform(0, 255, (6, 8, channels)).astype(np.float32)
    hole = np.ones((6, 8), dtype=bool)
    made = correction(planes, np.zeros(48, dtype=np.intp), [Offset(0, 1)], hole, ~hole)
    assert_allclose(made, np.zeros((48, channels)), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_cuts_are_softened_and_nothing_else(channels):
    filled = np.full((40, 60, channels), 100, np.uint8)
    filled[:, 16:22] = 160
    label = (np.nonzero(HOLE)[1] >= 16).astype(np.intp)
    made = filled.copy()
    made[HOLE] = softened_cuts(filled, HOLE, label, 3)
    row = made[20, :, 0].astype(int)
    assert 100 < row[15] <= 130 <= row[16] < 160
    assert row[12] == 100 and row[19] == 160  # three pixels away
