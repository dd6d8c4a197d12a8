from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage import data

from eie.errors import MissingModelError
from eie.evaluate.baselines.inpainting import (
    INPAINTERS,
    edited_by,
    hole,
    patchmatch,
    patchmatch_cython,
    telea,
)
from eie.evaluate.cases.edit_case import EditCase
from eie.pictures import Window


@pytest.fixture
def photo() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:96, :128])


def moved(photo, target, kind="move") -> EditCase:
    """A red square of 20×20 at (10, 30), to be brought to `target`."""
    before = photo.copy()
    home = Window.at(10, 30, 20, 20)
    before[home.slices] = [255, 0, 0]
    truth, cover = photo.copy(), np.zeros(photo.shape[:2], np.uint8)
    cover[home.slices] = 255
    present = np.zeros(photo.shape[:2], bool)
    if target is not None:
        inside = target.clipped(Window.of(photo))
        truth[inside.slices] = [255, 0, 0]
        present[inside.slices] = True
    gone = cover > 0 if kind != "copy" else np.zeros_like(present)
    return EditCase("c", kind, before, truth, cover, gone, present, present & False, home, target)


def test_nothing_is_the_photo_before(photo):
    case = moved(photo, Window.at(60, 40, 20, 20))
    np.testing.assert_array_equal(edited_by("nothing", case), case.before)


@pytest.mark.parametrize("baseline", INPAINTERS)
def test_only_the_hole_and_the_object_change(photo, baseline):
    case = moved(photo, Window.at(60, 40, 20, 20))
    result = edited_by(baseline, case)
    np.testing.assert_array_equal(result[case.untouched], case.before[case.untouched])
    np.testing.assert_array_equal(result[case.object], case.truth[case.object])
    assert not (result[case.revealed] == case.before[case.revealed]).all(axis=1).any()


def test_an_object_that_overlaps_its_old_place_stays_whole(photo):
    case = moved(photo, Window.at(18, 34, 20, 20))
    result = edited_by("telea", case)
    np.testing.assert_array_equal(result[case.object], case.truth[case.object])


def test_a_copy_leaves_the_object_where_it_was(photo):
    case = moved(photo, Window.at(60, 40, 20, 20), kind="copy")
    result = edited_by("hole", case)
    assert (result[case.home.slices] == [255, 0, 0]).all()
    assert (result[case.target.slices] == [255, 0, 0]).all()


def test_a_larger_object_covers_its_larger_area(photo):
    case = moved(photo, Window.at(5, 25, 30, 30))
    result = edited_by("hole", case)
    assert (result[25:55, 5:35] == [255, 0, 0]).all()


def test_an_object_may_leave_the_photo_in_part(photo):
    case = moved(photo, Window.at(-8, 84, 20, 20))
    result = edited_by("hole", case)
    assert (result[84:96, 0:12] == [255, 0, 0]).all()


def test_a_removal_pastes_nothing(photo):
    case = moved(photo, None)
    assert (edited_by("hole", case)[case.gone] == 128).all()


def test_a_mask_leaves_what_is_more_the_scene_s(photo):
    case = moved(photo, None)
    case.cover[30, 10:30] = 100
    soft = edited_by("hole", case, solid=True)
    np.testing.assert_array_equal(soft[30], case.before[30])
    assert (soft[31:50, 10:30] == 128).all()
    assert (edited_by("hole", case)[30, 10:30] == 128).all()


def test_fills_of_a_plain_photo_are_plain():
    plain = np.full((64, 64, 3), [10, 200, 90], np.uint8)
    unknown = np.zeros((64, 64), bool)
    unknown[20:40, 20:40] = True
    np.testing.assert_allclose(telea(plain, unknown)[unknown], plain[unknown], atol=4)
    assert (hole(plain, unknown) == 128).all()


@pytest.mark.parametrize("fill", [patchmatch, patchmatch_cython])
def test_patchmatch_continues_stripes_and_repeats_itself(fill):
    """What Telea smears: a texture whose period the patches can see."""
    stripes = np.repeat((np.arange(128) // 4 % 2 * 200).astype(np.uint8)[None], 96, axis=0)
    photo = np.dstack([stripes] * 3)
    unknown = np.zeros((96, 128), bool)
    unknown[36:60, 50:74] = True
    damaged = photo.copy()
    damaged[unknown] = 0
    filled = fill(damaged, unknown)
    np.testing.assert_array_equal(filled, fill(damaged, unknown))
    error = [
        np.abs(made[unknown].astype(float) - photo[unknown]).mean()
        for made in (filled, telea(damaged, unknown))
    ]
    assert error[0] < 0.5 * error[1]


@pytest.mark.parametrize(
    ("baseline", "module", "word"),
    [
        ("patchmatch", "patchmatch", "PyPatchMatch"),
        ("patchmatch-cython", "patchmatch_cython", "patchmatch_cython"),
    ],
)
def test_a_missing_library_says_what_to_do(photo, monkeypatch, baseline, module, word):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingModelError, match=word) as caught:
        edited_by(baseline, moved(photo, None))
    assert "eie[eval]" in caught.value.hint
