from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from eie.errors import BadInputError
from eie.evaluate.pairs import find_pairs, paired, plan_pairs

SCENE = np.ascontiguousarray(data.astronaut()[:120, :160])


def write_pair(folder, name, first, second):
    """Photos with a red square of 24×24 at (x, y), or without one for None."""
    for number, place in ((1, first), (2, second)):
        photo, mask = SCENE.copy(), np.zeros(SCENE.shape[:2], np.uint8)
        if place:
            x, y = place
            photo[y : y + 24, x : x + 24] = [255, 0, 0]
            mask[y : y + 24, x : x + 24] = 255
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
    assert case.revealed.sum() == 24 * 24
    assert not case.object.any()


def test_a_moved_object_gives_both_removals_and_the_move(tmp_path):
    write_pair(tmp_path, "cup", (20, 30), (40, 44))
    planned = cases_of(tmp_path)
    assert [p.name for p in planned] == ["cup 1-2", "cup 2-1", "cup move"]
    there, back, move = (paired(p, 512) for p in planned)
    np.testing.assert_array_equal(there.before, back.truth)
    np.testing.assert_array_equal(there.truth, back.before)
    overlap = 4 * 10
    for case in (there, back, move):
        assert case.revealed.sum() == 24 * 24 - overlap
        np.testing.assert_array_equal(case.truth[case.revealed], SCENE[case.revealed])
        assert not (case.before != case.truth).any(axis=2)[case.untouched].any()
    assert (move.home.left, move.home.top) == (20, 30)
    assert (move.target.left, move.target.top) == (40, 44)
    assert (move.truth[move.object] == [255, 0, 0]).all()
    assert move.object.sum() == 24 * 24


def test_an_object_only_in_the_second_photo_is_removed_from_that(tmp_path):
    write_pair(tmp_path, "cup", None, (20, 30))
    [planned] = cases_of(tmp_path)
    assert planned.name == "cup 2-1"
    np.testing.assert_array_equal(paired(planned, 512).truth, SCENE)


def test_photos_are_scaled_down_and_masks_stay_exact(tmp_path):
    write_pair(tmp_path, "cup", (21, 31), None)
    case = paired(cases_of(tmp_path)[0], 80)
    assert case.before.shape == (60, 80, 3)
    changed = (case.before != case.truth).any(axis=2)
    np.testing.assert_array_equal(changed, case.gone)


def test_a_limit_spreads_over_all(tmp_path):
    for name in "abcdef":
        write_pair(tmp_path, name, (20, 30), None)
    planned = plan_pairs(find_pairs(tmp_path), limit=3)
    assert [p.pair.name for p in planned] == ["a", "c", "e"]


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
