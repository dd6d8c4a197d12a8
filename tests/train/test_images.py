from __future__ import annotations

from pathlib import Path

import pytest

from eie.errors import BadInputError
from eie.train.images import Folder, read_training_images


def test_folders_are_told_apart_by_their_layout(data):
    folders = [Folder(data / name) for name in ("bsds", "photos", "objects")]
    images = read_training_images(folders, max_side=60)
    assert [s.segmentations.shape for s in images.segmented] == [(2, 80, 120)] * 3
    assert {photo.shape for photo in images.photos} == {(60, 47, 3)}
    assert {cutout.shape for cutout in images.cutouts} == {(40, 50, 4)}


def test_every_kth_file_is_left_out_from_the_first(data):
    everything = read_training_images([Folder(data / "photos")], max_side=100).photos
    kept = read_training_images([Folder(data / "photos", held_out=2)], max_side=100).photos
    assert [photo.tobytes() for photo in kept] == [everything[i].tobytes() for i in (1, 3)]


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("photos", Folder(Path("photos"))),
        ("photos:20", Folder(Path("photos"), 20)),
        ("a:b/photos", Folder(Path("a:b/photos"))),
        ("photos:0", Folder(Path("photos:0"))),
    ],
)
def test_held_out_files_are_written_behind_a_colon(text, folder):
    assert Folder.parse(text) == folder
    assert Folder.parse(str(folder)) == folder


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere"):
        read_training_images([Folder(tmp_path / "nowhere")], max_side=100)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(BadInputError, match="no images"):
        read_training_images([Folder(tmp_path)], max_side=100)


def test_a_damaged_image_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(BadInputError, match=r"broken\.png"):
        read_training_images([Folder(tmp_path)], max_side=100)


def test_a_label_map_of_another_size_is_named(data, tmp_path):
    for name in ("0.png", "0.gt0.png"):
        (tmp_path / name).write_bytes((data / "bsds" / name).read_bytes())
    (tmp_path / "0.gt1.png").write_bytes((data / "photos" / "0.png").read_bytes())
    with pytest.raises(BadInputError, match=r"0\.gt1\.png"):
        read_training_images([Folder(tmp_path)], max_side=100)
