from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eie.errors import BadInputError
from eie.files import read_photo
from eie.notes import Note
from eie.train.autoencoder.stage import train_autoencoder
from eie.train.core.images import Folder, read_training_images
from tests.odd_pictures import disc, scene


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
    others = read_training_images([Folder(data / "photos", 2, 1)], max_side=100).photos
    assert [photo.tobytes() for photo in others] == [everything[i].tobytes() for i in (0, 2)]


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("photos", Folder(Path("photos"))),
        ("photos:20", Folder(Path("photos"), 20)),
        ("photos:4+1", Folder(Path("photos"), 4, 1)),
        ("photos:4+4", Folder(Path("photos:4+4"))),
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


def test_sixteen_bits_keep_their_shades(tmp_path):
    deep = np.where(disc(96, 96, 48, 48, 25), 20_000, 30_000).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    with pytest.warns(Note, match="1 of these images: its 16 bits"):
        [photo] = read_training_images([Folder(tmp_path)], max_side=100).photos
    assert set(np.unique(photo)) == {78, 117} and photo.shape == (96, 96, 3)


def test_training_reads_what_decompose_reads(tmp_path):
    picture = Image.fromarray(scene(40, 30))
    picture.save(tmp_path / "a.bmp")
    picture.convert("CMYK").save(tmp_path / "b.jpg", quality=95)
    picture.quantize(256).save(tmp_path / "c.png")
    picture.convert("L").save(tmp_path / "d.tif")
    with pytest.warns(Note, match="CMYK"):
        photos = read_training_images([Folder(tmp_path)], max_side=100).photos
    for path, photo in zip(sorted(tmp_path.iterdir()), photos, strict=True):
        expected = read_photo(path).pixels
        assert np.array_equal(photo, np.broadcast_to(expected, photo.shape))


@pytest.mark.parametrize("alpha", [255, 252])
def test_an_opaque_alpha_channel_makes_no_cutout(tmp_path, alpha):
    opaque = np.full((30, 40, 1), alpha, np.uint8)
    Image.fromarray(np.dstack([scene(40, 30), opaque])).save(tmp_path / "a.png")
    images = read_training_images([Folder(tmp_path)], max_side=100)
    assert len(images.photos) == 1 and not images.cutouts
    assert images.photos[0].shape == (30, 40, 3)


def test_hidden_files_do_not_count(tmp_path):
    for name in ("a", "b", "c", "d"):
        Image.fromarray(scene(40, 30, ord(name))).save(tmp_path / f"{name}.png")
    before = read_training_images([Folder(tmp_path, 2)], max_side=100).photos
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"._{name}.png").write_bytes(b"\0\5\x16\7" + bytes(99))
    (tmp_path / ".thumbnails.png").mkdir()
    after = read_training_images([Folder(tmp_path, 2)], max_side=100).photos
    assert [photo.tobytes() for photo in after] == [photo.tobytes() for photo in before]


def test_folders_in_a_folder_are_told_of(tmp_path):
    (tmp_path / "cats").mkdir()
    Image.fromarray(scene(40, 30)).save(tmp_path / "cats" / "a.png")
    with pytest.raises(BadInputError, match=r"no images itself.*cats.*name these folders"):
        read_training_images([Folder(tmp_path)], max_side=100)
    Image.fromarray(scene(40, 30)).save(tmp_path / "b.png")
    with pytest.warns(Note, match="1 folders in it hold images that are not taken: cats"):
        assert len(read_training_images([Folder(tmp_path)], max_side=100).photos) == 1


def test_cutouts_alone_are_no_photos(data, tmp_path):
    with pytest.raises(BadInputError, match=r"no photos, but .* cut-out"):
        train_autoencoder([Folder(data / "objects")], tmp_path / "run")


def test_labels_are_numbers_not_brightness(tmp_path):
    """A palette's colours and the depth of a label map do not matter."""
    Image.fromarray(scene(40, 30)).save(tmp_path / "0.png")
    numbers = np.repeat(np.arange(30)[:, None] // 10, 40, axis=1)
    palette = Image.fromarray(numbers.astype(np.uint8)).convert("P")
    palette.putpalette([9, 9, 9] * 256)
    palette.save(tmp_path / "0.gt0.png")
    Image.fromarray((numbers * 1000).astype(np.uint16)).save(tmp_path / "0.gt1.png")
    [segmented] = read_training_images([Folder(tmp_path)], max_side=100).segmented
    for labels in segmented.segmentations:
        assert len(np.unique(labels)) == 3
        assert [len(np.unique(labels[rows])) for rows in (slice(0, 10), slice(10, 20))] == [1, 1]
