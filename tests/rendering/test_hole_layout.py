from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from eie.rendering.hole_layout import MISPLACED, Layout, misplacement
from eie.rendering.working_size import Offset, WorkingSize, neighbours


def wall_desk_and_bottle() -> tuple[WorkingSize, Layout]:
    """A wall above a desk, a hole across their border, and a bottle on the desk apart from it."""
    colour = np.full((40, 80, 3), 220, np.float32)
    colour[20:] = (120, 80, 40)
    colour[14:30, 60:66] = (20, 160, 60)
    patches = np.zeros((40, 80), dtype=int)
    patches[20:] = 1
    patches[14:30, 60:66] = 2
    hole = np.zeros((40, 80), dtype=bool)
    hole[12:28, 20:32] = True
    return WorkingSize.of(colour, ~hole, hole), Layout(patches, np.eye(3, dtype=np.float32))


def cost_at(offset: Offset, row: int, column: int) -> float:
    work, layout = wall_desk_and_bottle()
    return float(misplacement(work, layout, 1, [offset])[0, neighbours(work.hole)[0][row, column]])


def test_what_surrounds_a_hole_belongs_there_and_a_bottle_does_not():
    wall, desk = Offset(0, 20), Offset(12, 0)
    assert cost_at(wall, 13, 25) < 0.25 * MISPLACED
    assert cost_at(desk, 26, 25) < 0.25 * MISPLACED
    assert cost_at(Offset(0, 37), 15, 25) > 0.9 * MISPLACED  # the bottle


def test_a_wall_belongs_up_and_a_desk_below():
    assert cost_at(Offset(-10, 0), 13, 25) < cost_at(Offset(12, 0), 13, 25)
    assert cost_at(Offset(12, 0), 26, 25) < cost_at(Offset(-20, 0), 26, 25)


def test_affinity_tells_that_something_far_away_is_the_same():
    work, layout = wall_desk_and_bottle()
    akin = layout.affinity.copy()
    akin[0, 2] = 1  # the bottle is of the wall's thing, as that says
    bottle = Offset(0, 37)
    place = neighbours(work.hole)[0][15, 25]
    apart = misplacement(work, layout, 1, [bottle])[0, place]
    together = misplacement(work, Layout(layout.patches, akin), 1, [bottle])[0, place]
    assert together < 0.3 * apart
    assert_allclose(misplacement(work, Layout(layout.patches, None), 1, [bottle])[0, place], apart)


def test_a_wall_goes_on_farther_than_a_small_thing_beside_the_hole():
    colour = np.full((40, 80, 3), 220, np.float32)
    patches = np.zeros((40, 80), dtype=int)
    hole = np.zeros((40, 80), dtype=bool)
    hole[10:30, 30:50] = True
    colour[14:26, 50:58], patches[14:26, 50:58] = (20, 160, 60), 1  # a bottle, to its right
    work = WorkingSize.of(colour, ~hole, hole)
    wall, bottle = Offset(0, -25), Offset(0, 6)
    layouts = (Layout(patches, np.eye(2, dtype=np.float32)), Layout(patches, None))
    place = neighbours(work.hole)[0][20, 47]  # nearer to the bottle than to the wall
    known, unknown = (misplacement(work, each, 1, [wall, bottle])[:, place] for each in layouts)
    assert known[0] < known[1]
    assert unknown[0] > unknown[1]


def test_a_layout_is_taken_at_the_middle_of_each_pixel_and_goes_on_beyond_its_end():
    affinity = np.random.default_rng(0).random((99, 99), dtype=np.float32)
    reduced = Layout(np.arange(7)[None].repeat(5, axis=0) * 10, affinity).reduced(2, 3, 5)
    assert reduced.patches.tolist() == [[0, 1, 2, 3, 3]] * 3  # of 10, 30, 50 and 60
    there = [10, 30, 50, 60]
    assert_allclose(reduced.affinity, affinity[np.ix_(there, there)])


def test_where_nothing_is_known_wholly_all_costs_are_finite():
    hole = np.ones((8, 12), dtype=bool)
    work = WorkingSize.of(np.zeros((8, 12, 3), np.float32), ~hole, hole)
    layout = Layout(np.zeros((8, 12), dtype=int), np.ones((1, 1), np.float32))
    assert np.isfinite(misplacement(work, layout, 1, [Offset(0, 0)])).all()
