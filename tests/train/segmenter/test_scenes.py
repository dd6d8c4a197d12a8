from __future__ import annotations

import numpy as np
import pytest

from eie.train.core.augmentation import FRAME
from eie.train.core.images import SegmentedPhoto, TrainingImages
from eie.train.core.settings import SceneSettings
from eie.train.segmenter.scenes import draw_batch

SMALL = SceneSettings(crop=64, batch=4, annotators=3)


def two_colours(size=96):
    """A photo whose left half is dark and whose right half is bright, segmented there."""
    pixels = np.full((size, size, 3), 40, np.uint8)
    pixels[:, size // 2 :] = 200
    segmentation = (pixels[None, ..., 0] > 100).astype(np.uint8)
    return SegmentedPhoto(pixels, segmentation)


def disc(side=60):
    """A red disc on a transparent ground."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    cutout = np.zeros((side, side, 4), np.uint8)
    cutout[..., 0] = 250
    cutout[..., 3] = 255 * (np.hypot(x, y) < side / 2)
    return cutout


@pytest.fixture(scope="module")
def images():
    grey = np.full((90, 140, 3), 120, np.uint8)
    return TrainingImages((two_colours(),), (grey,), (disc(),))


def test_a_batch_follows_from_seed_and_index(images):
    first, again, other = (draw_batch(images, SMALL, 1, index) for index in (5, 5, 6))
    for name in ("images", "labels", "points", "offsets"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.images, other.images)


def test_shapes_and_ranges(images):
    batch = draw_batch(images, SMALL, 0, 0)
    assert batch.images.shape == (4, 3, 64, 64)
    assert batch.images.dtype == np.uint8
    assert batch.labels.shape == (4, 3, 32, 32)
    assert batch.labels.max() < batch.segments
    assert batch.points.shape[0] == 4
    assert ((batch.points > 0) & (batch.points < 64)).all()
    assert (batch.offsets % 4 == 0).all()
    assert ((batch.offsets >= 0) & (batch.offsets + 64 <= FRAME)).all()


def test_segments_of_different_annotators_have_columns_of_their_own(images):
    labels = draw_batch(images, SMALL, 0, 0).labels
    for crop in labels:
        columns = [set(np.unique(label_map)) for label_map in crop]
        assert not columns[0] & columns[1]
        assert not columns[1] & columns[2]


def test_labels_follow_the_pixels_through_the_augmentation(images):
    settings = SceneSettings(crop=64, batch=8, annotators=1, segmented=1.0, pasted=0.0)
    compared = 0
    for index in range(10):
        batch = draw_batch(images, settings, 0, index)
        for crop, labels in zip(batch.images, batch.labels[:, 0], strict=True):
            grey = crop.mean(axis=0)[::2, ::2]
            if np.ptp(grey) < 60 or np.ptp(labels) == 0:
                continue
            bright = grey > (grey.min() + grey.max()) / 2
            agreement = (bright == (labels == labels.max())).mean()
            assert max(agreement, 1 - agreement) > 0.93
            compared += 1
    assert compared > 4


def test_only_crops_of_unsegmented_photos_have_an_unlabelled_background(images):
    settings = SceneSettings(crop=64, batch=4, segmented=0.0)
    assert draw_batch(images, settings, 0, 0).background.all()
    settings = SceneSettings(crop=64, batch=4, segmented=1.0)
    assert not draw_batch(images, settings, 0, 0).background.any()


def test_queries_are_as_far_apart_as_the_unit_says(images):
    batch = draw_batch(images, SMALL, 0, 3)
    cell = 64 * 64 / batch.points.shape[1]
    assert batch.unit == pytest.approx(np.sqrt(cell * SMALL.elements))
