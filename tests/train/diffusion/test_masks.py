"""The mask database."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eie.errors import BadInputError
from eie.train.core.images import Folder
from eie.train.diffusion.masks import MaskDatabase, build_masks, draw_mask, train_masks
from eie.train.diffusion.settings import (
    MaskSettings,
)


def test_masks_of_cutouts_and_of_what_people_outlined(data, tmp_path) -> None:
    train_masks([Folder(data / "objects"), Folder(data / "bsds")], tmp_path / "masks.npz")
    masks = MaskDatabase.load(tmp_path / "masks.npz")
    built = build_masks([Folder(data / "objects"), Folder(data / "bsds")])
    assert np.array_equal(masks.shapes, built.shapes)
    # 4 cut-outs 50×35; of 3 photos with 2 annotators the segments of a third of the area.
    assert len(masks) == 4 + 3 * 2
    assert masks.aspect[0] == pytest.approx(50 / 35)
    assert masks.aspect[4] == pytest.approx(0.5)
    assert masks.shapes[0].all()


def test_masks_of_pictures_and_of_plain_photos(photos, tmp_path) -> None:
    (tmp_path / "white").mkdir()
    picture = np.zeros((40, 60), np.uint8)
    picture[10:20, 10:50] = 255
    Image.fromarray(picture).save(tmp_path / "white" / "mask.png")
    masks = build_masks([Folder(tmp_path / "white")])
    assert len(masks) == 1
    assert masks.aspect[0] == pytest.approx(4.0)
    settings = MaskSettings(segmenter="slic", area=(0.0, 1.0), objects_of_photo=2)
    assert len(build_masks([Folder(photos)], settings)) == 8


def test_no_masks_is_an_error(photos, tmp_path) -> None:
    with pytest.raises(BadInputError, match="no object shapes"):
        build_masks([Folder(photos)], MaskSettings(segmenter="slic", area=(2.0, 3.0)))
    (tmp_path / "masks.npz").write_bytes(b"no database")
    with pytest.raises(BadInputError, match="mask database"):
        MaskDatabase.load(tmp_path / "masks.npz")


def test_drawn_masks_have_about_the_size_asked_for() -> None:
    rng = np.random.default_rng(0)
    sizes = [draw_mask(None, 128, (0.5, 0.5), rng).mean() for _ in range(200)]
    # An ellipse's area is at most π/4 of its box, of whose sides one is half of the crop's.
    assert 0.03 < np.mean(sizes) < np.pi / 16
    shape = np.zeros((1, 8, 8), bool)
    shape[:, :, :4] = True
    masks = MaskDatabase(shape, np.array([2.0], np.float32))
    drawn = draw_mask(masks, 100, (0.4, 0.4), rng)
    assert drawn.any(axis=0).sum() <= 21
    assert drawn.any(axis=1).sum() <= 21
