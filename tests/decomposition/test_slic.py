import cv2
import numpy as np
import pytest
from skimage import data

from eie.decomposition.connectivity import connect
from eie.decomposition.slic import WORKING_PIXELS, colour_affinity, slic_labels, upsample_labels


def test_superpixels_follow_a_colour_edge() -> None:
    photo = np.zeros((96, 96, 3), np.uint8)
    photo[:, 41:] = (250, 40, 40)
    labels = slic_labels(photo, 16)
    assert labels.shape == (96, 96)
    assert not set(np.unique(labels[:, :41])) & set(np.unique(labels[:, 41:]))


@pytest.mark.parametrize("shape", [(40, 100, 1), (60, 480, 3), (50, 50, 4), (30, 30, 2), (1, 1, 3)])
def test_any_photo_is_cut(shape: tuple[int, int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = slic_labels(photo, 16)
    assert labels.shape == shape[:2]
    assert labels.min() >= 0


def test_large_photos_are_cut_along_their_own_edges() -> None:
    """Twice the working size: a slanted edge is met to the pixel, not to the working pixel."""
    side = int(2 * WORKING_PIXELS**0.5)
    y, x = np.mgrid[:side, :side]
    right = x > 900 + 0.3 * y
    photo = np.where(right[..., None], (220, 200, 60), (20, 60, 120)).astype(np.uint8)
    labels = slic_labels(photo, 64)
    on_the_right = np.bincount(labels.ravel(), right.ravel()) / np.bincount(labels.ravel())
    assert ((on_the_right[labels] > 0.5) == right).mean() > 0.9998


def test_upsampling_gives_smooth_borders_where_colours_do_not_tell() -> None:
    y, x = np.mgrid[:40, :40]
    disc = (np.hypot(x - 20, y - 20) < 13).astype(np.int32)
    flat = np.full((40, 40, 3), 99, np.uint8)
    large = upsample_labels(disc, flat, np.full((320, 320, 3), 99, np.uint8))
    y, x = np.mgrid[:320, :320]
    assert (large == (np.hypot(x - 163.5, y - 163.5) < 8 * 12.9)).mean() > 0.985
    contour = cv2.findContours(large.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    assert len(contour) == 1


def test_colour_affinity_joins_alike_elements_that_touch() -> None:
    photo = np.zeros((20, 80, 3), np.uint8)
    photo[:, :40] = (200, 30, 30)  # elements 0 and 1 red, 2 blue, 3 red again but apart
    photo[:, 40:60] = (30, 30, 200)
    photo[:, 60:] = (200, 30, 30)
    labels = np.repeat(np.arange(4), 20)[None].repeat(20, axis=0)
    affinity = colour_affinity(photo, labels, 4)
    assert affinity.dtype == np.float32
    np.testing.assert_array_equal(affinity, affinity.T)
    np.testing.assert_array_equal(np.diag(affinity), 1)
    assert affinity[0, 1] > 0.99
    assert affinity[1, 2] < 0.1
    assert affinity[0, 3] < 0.1
    assert colour_affinity(photo, np.zeros((20, 80), int), 1).tolist() == [[1]]


def test_a_photos_superpixels_become_elements() -> None:
    photo = data.astronaut()
    labels, kept = connect(slic_labels(photo, 256), minimum_area=64)
    assert 150 < len(kept) <= 300
    assert np.bincount(labels.ravel()).min() >= 64
