from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eie.errors import BadInputError, UsageError
from eie.evaluate.core.photos import chosen_files, read_rgb, resized
from eie.train.core.images import Folder, photo_files


@pytest.fixture
def folder(tmp_path):
    for index in range(10):
        Image.fromarray(np.full((4, 6, 3), index, np.uint8)).save(tmp_path / f"{index}.png")
    Image.fromarray(np.ones((4, 6), np.uint8)).save(tmp_path / "3.gt0.png")
    (tmp_path / "notes.txt").write_text("about these photos")
    return tmp_path


def names(files) -> str:
    return "".join(file.path.stem for file in files)


def test_every_takes_what_training_leaves_out(folder):
    for every in (1, 2, 3, 7):
        taken = [file.path for file in chosen_files(folder, every=every)]
        trained = photo_files([Folder(folder, every)])
        assert sorted(taken + trained) == photo_files([Folder(folder)])
        assert not set(taken) & set(trained)


def test_a_limit_is_spread_over_the_files(folder):
    assert names(chosen_files(folder)) == "0123456789"
    assert names(chosen_files(folder, limit=5)) == "02468"
    assert names(chosen_files(folder, every=5, limit=1)) == "0"
    assert names(chosen_files(folder, limit=99)) == "0123456789"


def test_segmentations_belong_to_their_photo(folder):
    (file,) = [file for file in chosen_files(folder) if file.segmentations]
    assert file.path.name == "3.png"
    assert [path.name for path in file.segmentations] == ["3.gt0.png"]


@pytest.mark.parametrize("wrong", [{"every": 0}, {"limit": 0}])
def test_impossible_numbers_are_refused(folder, wrong):
    with pytest.raises(UsageError, match="from 1 up"):
        chosen_files(folder, **wrong)


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere: no such folder"):
        chosen_files(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="holds no images"):
        chosen_files(tmp_path)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_photos_are_read_as_rgb(tmp_path, mode):
    Image.new(mode, (6, 4), 77 if mode == "L" else tuple([77] * len(mode))).save(tmp_path / "a.png")
    pixels = read_rgb(tmp_path / "a.png")
    assert pixels.shape == (4, 6, 3)
    assert (pixels == 77).all()


def test_the_central_square_or_the_whole_photo():
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, 30:70] = 200
    assert (resized(pixels, 40) == 200).all()
    assert resized(pixels, 20).shape == (20, 20, 3)
    assert resized(pixels, 80).shape == (80, 80, 3)
    assert resized(pixels, 20, "keep").shape == (20, 50, 3)


def test_hidden_colours_are_not_measured(tmp_path):
    seen = []
    for hidden in (0, 255):
        pixels = np.full((8, 8, 4), 90, np.uint8)
        pixels[..., 3] = 255
        pixels[:, 4:] = (hidden, hidden, hidden, 0)
        Image.fromarray(pixels).save(tmp_path / "p.png")
        seen.append(read_rgb(tmp_path / "p.png"))
    assert np.array_equal(*seen) and (seen[0] == 90).all()
