from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from eie.errors import BadInputError, UsageError
from eie.evaluate.cases.pairs import find_pairs, moved_area, paired, plan_pairs
from eie.pictures import Window

SCENE = np.ascontiguousarray(data.astronaut()[:120, :160])


def write_pair(folder, name, first, second, sides=(24, 24)):
    """Photos with a red square at (x, y), or without one for None."""
    for number, place, side in ((1, first, sides[0]), (2, second, sides[1])):
        photo, mask = SCENE.copy(), np.zeros(SCENE.shape[:2], np.uint8)
        if place:
            x, y = place
            photo[y : y + side, x : x + side] = [255, 0, 0]
            mask[y : y + side, x : x + side] = 255
        Image.fromarray(photo).save(folder / f"{name}_{number}.png")
        Image.fromarray(mask).save(folder / f"{name}_{number}_mask.png")


def cases_of(folder):
    return plan_pairs(find_pairs(folder))


def test_an_object_that_was_taken_away_gives_one_removal(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), None)
    [planned] = cases_of(tmp_path)
    case = paired(planned, 512)
    assert (planned.name, case.kind) == ("cup 1-2", "remove")
    np.testing.assert_array_equal(case.truth, SCENE)
    assert case.revealed.sum() == 32 * 32  # 4 more on every side
    assert case.revealed[26:58, 16:48].all()
    assert not case.object.any()


def test_a_moved_object_gives_both_removals_and_both_moves(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), (40, 44))
    planned = cases_of(tmp_path)
    assert [p.name for p in planned] == ["cup 1-2", "cup 2-1", "cup move 1-2", "cup move 2-1"]
    assert [p.kind for p in planned] == ["remove", "remove", "move", "move"]
    cases = [paired(p, 512) for p in planned]
    overlap = 12 * 18  # of squares grown to 32
    for case in cases:
        assert case.revealed.sum() == 32 * 32 - overlap
        np.testing.assert_array_equal(case.truth[case.revealed], SCENE[case.revealed])
        assert not (case.before != case.truth).any(axis=2)[case.untouched].any()
    for there, back in (cases[:2], cases[2:]):
        np.testing.assert_array_equal(there.before, back.truth)
        np.testing.assert_array_equal(there.truth, back.before)
    for move, home, target in ((cases[2], (20, 30), (40, 44)), (cases[3], (40, 44), (20, 30))):
        assert move.home == Window.at(*home, 24, 24)
        assert move.target == Window.at(*target, 24, 24)
        assert (move.truth[move.object] == [255, 0, 0]).all()
        assert move.object.sum() == 24 * 24


def test_a_move_scales_by_the_root_of_the_areas(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), (60, 20), sides=(24, 36))
    there, back = (paired(p, 512) for p in cases_of(tmp_path)[2:])
    assert (there.home, there.target) == (Window.at(20, 30, 24, 24), Window.at(60, 20, 36, 36))
    assert (back.home, back.target) == (Window.at(60, 20, 36, 36), Window.at(20, 30, 24, 24))


def test_a_move_goes_from_centroid_to_centroid():
    """By hand: an L of 3 squares of 10 loses one; the middle of its area moves along."""
    old, new = np.zeros((60, 60), bool), np.zeros((60, 60), bool)
    old[10:20, 10:20] = old[20:30, 10:30] = True  # middles (15, 15), (15, 25), (25, 25)
    new[30:40, 30:60] = True  # the same 300 pixels; middle (45, 35)
    x, y = 55 / 3, 65 / 3
    target = moved_area(Window.at(10, 10, 20, 20), old, new)
    assert target == Window.at(round(10 + 45 - x), round(10 + 35 - y), 20, 20)


def test_what_is_filled_is_a_margin_around_the_mask(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), None)
    [case] = [paired(p, 512) for p in cases_of(tmp_path)]
    for unknown in (case.unknown, case.unknown_by_mask):
        assert unknown.sum() == 30 * 30
        assert unknown[27:57, 17:47].all()


def test_an_object_only_in_the_second_photo_is_removed_from_that(tmp_path):
    write_pair(tmp_path, "cup", None, (20, 30))
    [planned] = cases_of(tmp_path)
    assert planned.name == "cup 2-1"
    np.testing.assert_array_equal(paired(planned, 512).truth, SCENE)


def test_photos_and_masks_are_scaled_down_alike(tmp_path):
    write_pair(tmp_path, "cup", (21, 31), None)
    case = paired(cases_of(tmp_path)[0], 80)
    assert case.before.shape == (60, 80, 3)
    changed = (case.before != case.truth).any(axis=2)
    assert changed[case.cover > 0].all()
    assert case.cover.sum() / 255 == pytest.approx(12 * 12, rel=0.01)
    assert not np.isin(case.cover[14:29, 9:24], (0, 255)).all()  # its border, at odd pixels
    assert not changed[case.untouched].any()


def test_a_limit_spreads_over_all(tmp_path):
    for name in "abcdef":
        write_pair(tmp_path, name, (20, 30), None)
    planned = plan_pairs(find_pairs(tmp_path), limit=3)
    assert [p.pair.name for p in planned] == ["a", "c", "e"]


def test_kinds_are_chosen(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), (40, 44))
    planned = plan_pairs(find_pairs(tmp_path), kinds=("move",))
    assert [p.name for p in planned] == ["cup move 1-2", "cup move 2-1"]
    with pytest.raises(UsageError, match="no edit 'resize'"):
        plan_pairs(find_pairs(tmp_path), kinds=("resize",))


def test_kinds_that_no_pair_gives(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), None)
    with pytest.raises(BadInputError, match="none of these edits: move"):
        plan_pairs(find_pairs(tmp_path), kinds=("move",))


def test_an_object_of_which_nothing_is_left(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), None, sides=(8, 8))
    with pytest.raises(BadInputError, match="too small at 4 pixels"):
        paired(cases_of(tmp_path)[0], 4)


@pytest.mark.parametrize(
    ("missing", "word"),
    [
        ("cup_2.png", "second photo"),
        ("cup_1_mask.png", "mask is missing"),
        ("cup_2_mask.png", "mask is missing"),
    ],
)
def test_missing_files_are_named(tmp_path, missing, word):
    write_pair(tmp_path, "cup", (20, 30), None)
    (tmp_path / missing).unlink()
    with pytest.raises(BadInputError, match=word) as caught:
        cases_of(tmp_path)
    assert missing.split(".")[0] in caught.value.where


def test_folders_without_pairs(tmp_path):
    with pytest.raises(BadInputError, match="no such folder"):
        find_pairs(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="no pairs"):
        find_pairs(tmp_path)


def test_a_pair_without_an_object(tmp_path):
    write_pair(tmp_path, "cup", None, None)
    with pytest.raises(BadInputError, match="neither mask"):
        cases_of(tmp_path)


@pytest.mark.parametrize("name", ["cup_2.png", "cup_2_mask.png"])
def test_files_of_different_sizes(tmp_path, name):
    write_pair(tmp_path, "cup", (20, 30), None)
    with Image.open(tmp_path / name) as image:
        image.crop((0, 0, 100, 100)).save(tmp_path / name)
    with pytest.raises(BadInputError, match="differs"):
        paired(cases_of(tmp_path)[0], 512)
