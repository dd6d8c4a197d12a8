"""Things that the detector sees, and how elements stand to them."""

from __future__ import annotations

import numpy as np
import pytest

from eie.decomposition.affinity import Members
from eie.decomposition.detections import (
    SEEN_STRIDES,
    Detections,
    _likeliest,
    things_seen,
    together,
)
from eie.models.nanodet_weights import STRIDES

data = pytest.importorskip("skimage.data")


def nothing() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Levels of a 64 × 64 picture in which nothing is seen; boxes reach four pixels each way."""
    sides = [64 // stride for stride in STRIDES]
    kinds = [np.full((1, 80, side, side), -9, np.float32) for side in sides]
    return kinds, [np.full((1, 4, side, side), 4, np.float32) for side in sides]


def test_a_person_is_seen_where_she_is() -> None:
    photo = np.ascontiguousarray(data.astronaut()[:, :448])
    seen, things = things_seen(photo)
    for stride, level in zip(SEEN_STRIDES, seen, strict=True):
        assert level.shape[2] * stride >= 512
        assert level.shape[3] * stride >= 448
    left, top, right, bottom = things.boxes[things.chances.argmax()]
    assert things.chances.max() > 0.5
    assert left < 100
    assert top < 50
    assert right > 340
    assert bottom > 450


def test_of_one_thing_the_likeliest_box_is_kept() -> None:
    kinds, reach = nothing()
    kinds[0][0, 7, 2, 3], kinds[0][0, 7, 2, 4] = 3, 2  # middles at (28, 20) and (36, 20)
    reach[0][:, 0, 2, 3:5] = 14
    reach[0][:, 2, 2, 3:5] = 14
    reach[0][0, :, 2, 4] = [18, 4, 10, 4]  # alike
    found = _likeliest(kinds, reach, 2)
    np.testing.assert_allclose(found.chances, [1 / (1 + np.exp(-3))], rtol=1e-5)
    np.testing.assert_allclose(found.boxes, [[28, 32, 84, 48]])  # in pixels of the photo


def test_boxes_of_other_kinds_and_elsewhere_are_kept() -> None:
    kinds, reach = nothing()
    kinds[0][0, 7, 2, 3], kinds[0][0, 7, 6, 6], kinds[1][0, 9, 1, 1] = 3, 2, 1
    assert len(_likeliest(kinds, reach, 1).chances) == 3


def test_a_picture_without_things_shows_none() -> None:
    found = _likeliest(*nothing(), 1)
    assert found.chances.shape == (0,)
    assert found.boxes.shape == (0, 4)
    alone = Members(np.array([0, 1]), np.array([0, 1]))
    assert not together(found, alone, np.array([[1.0, 1.0], [5.0, 1.0]])).any()


def test_elements_of_one_thing_stand_together() -> None:
    """Three elements of one cell each; a thing of chance .8 has the first two."""
    seen = Detections(np.array([0.8], np.float32), np.array([[0, 0, 8, 4]], np.float32))
    cells = Members(np.arange(3), np.arange(3))
    both, share, apart, of_small = together(seen, cells, np.array([[2.0, 2], [6, 2], [10, 2]]))
    yes = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(both, 0.8 * yes, rtol=1e-6)
    np.testing.assert_allclose(apart, 0.8 * np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]]), rtol=1e-6)
    np.testing.assert_allclose(share, yes * 0.64 / 0.65, rtol=1e-5)
    np.testing.assert_allclose(of_small, yes, atol=0.01)
