from __future__ import annotations

import numpy as np

from eie.rendering.offsets import border_offsets, candidate_offsets, frequent_offsets
from eie.rendering.working_size import Offset, WorkingSize

from .conftest import noise


def with_hole(colour: np.ndarray, box: tuple[slice, slice]) -> WorkingSize:
    hole = np.zeros(colour.shape[:2], dtype=bool)
    hole[box] = True
    return WorkingSize.of(np.where(hole[..., None], 0, colour).astype(np.float32), ~hole, hole)


def test_the_period_of_a_texture_is_the_most_frequent_offset():
    tile = noise(16, 20, 3)
    work = with_hole(np.tile(tile, (6, 5, 1)), np.s_[30:50, 35:60])
    found = frequent_offsets(work)
    assert {(abs(o.down), abs(o.right)) for o in found[:4]} <= {(0, 20), (16, 0), (16, 20)}


def test_the_border_finds_the_copy_of_what_was_there():
    photo = noise(70, 90, 3)
    photo[45:65, 60:85] = photo[10:30, 15:40]  # a copy, 35 lower and 45 to the right
    work = with_hole(photo, np.s_[15:25, 20:33])
    assert Offset(35, 45) in border_offsets(work)


def test_the_border_finds_the_mirror_image_of_what_was_there():
    photo = noise(70, 90, 3)
    photo[45:65, 60:85] = photo[10:30, 15:40][:, ::-1]  # column 15 + k at 84 − k
    work = with_hole(photo, np.s_[15:25, 20:33])
    assert Offset(35, 99, mirrored=True) in border_offsets(work)


def test_candidates_are_the_same_each_time_and_without_repetitions():
    work = with_hole(noise(40, 50, 3), np.s_[10:20, 15:30])
    found = candidate_offsets(work)
    assert found == candidate_offsets(work) and len(found) == len(set(found)) > 10


def test_tiny_pictures_have_few_candidates_or_none():
    for height, width in [(1, 9), (2, 2), (5, 7)]:
        photo = noise(height, width, 3)
        work = with_hole(photo, np.s_[: max(1, height // 2), : width // 2])
        assert isinstance(candidate_offsets(work), list)
