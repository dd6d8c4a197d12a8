from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from eie.pictures import dilated
from eie.rendering.grabcut import told_by_colour

ORANGE, GREEN = (230, 120, 20), (60, 130, 70)


def picture(mask: np.ndarray, seed: int = 0, thing=ORANGE, ground=GREEN) -> np.ndarray:
    """(h, w, C) uint8, noisy colours within and around a mask."""
    colour = np.where(mask[..., None], thing, ground)
    noise = np.random.default_rng(seed).normal(0, 12, colour.shape)
    return (colour + noise).clip(0, 255).astype(np.uint8)


def square(side: int, low: int, high: int) -> np.ndarray:
    mask = np.zeros((side, side), dtype=bool)
    mask[low:high, low:high] = True
    return mask


def disc(side: int, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] + 0.5 - side / 2
    return np.hypot(rows, columns) < radius


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


MEMBERS = np.array([False, True])


@pytest.mark.parametrize("scale", [1, 5])  # 5: cut at a part of the size
@pytest.mark.parametrize("channels", [1, 3])
def test_ground_within_a_coarse_patch_is_found(scale, channels):
    side = 120 * scale
    thing, labels = disc(side, 14 * scale), square(side, 40 * scale, 80 * scale).astype(np.uint16)
    colour = picture(thing)[..., :channels]
    told = told_by_colour(colour, labels, MEMBERS, float(scale), 4.0 * scale)
    assert overlap(told, thing) > 0.95
    assert overlap(labels > 0, thing) < 0.5


@pytest.mark.parametrize(("radius", "stays"), [(2, True), (12, False)])
def test_small_spots_of_the_grounds_colour_are_the_things(radius, stays):
    thing = square(120, 40, 80)
    told = told_by_colour(
        picture(thing & ~disc(120, radius)), thing.astype(np.uint16), MEMBERS, 1.0, 0.0
    )
    assert told[60, 60] == stays
    assert overlap(told, thing if stays else thing & ~disc(120, radius)) > 0.97


def test_a_thing_goes_on_beside_its_patch_as_far_as_it_may():
    thing = square(120, 40, 80)
    labels = square(120, 43, 77).astype(np.uint16)
    told = told_by_colour(picture(thing), labels, MEMBERS, 1.0, 4.0)
    assert overlap(told, thing) > 0.98
    assert_array_equal(told_by_colour(picture(thing), labels, MEMBERS, 1.0, 0.0), labels > 0)


def test_a_whole_patch_is_kept_whatever_it_looks_like():
    thing = square(120, 40, 80)
    labels = thing.astype(np.uint16)
    labels[40:80, 60:80] = 2
    colour = picture(labels == 1)  # patch 2 looks like the ground
    told = told_by_colour(colour, labels, np.array([False, True, True]), 1.0, 0.0)
    assert_array_equal(told, thing)


def test_a_thing_that_looks_like_its_ground_stays_as_its_patches_say():
    mask = square(120, 40, 80)
    colour = picture(mask, ground=ORANGE)
    assert_array_equal(told_by_colour(colour, mask.astype(np.uint16), MEMBERS, 1.0, 4.0), mask)


@pytest.mark.parametrize("mask", [square(60, 30, 32), np.ones((60, 60), bool)])
def test_too_few_pixels_to_learn_from_leave_the_mask(mask):
    told = told_by_colour(picture(mask), mask.astype(np.uint16), MEMBERS, 1.0, 4.0)
    assert_array_equal(told, mask)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    most=st.integers(0, 6),
    shape=st.tuples(st.integers(12, 70), st.integers(12, 70)),
)
def test_what_is_told_is_near_the_patches_and_the_same_each_time(seed, most, shape):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 6, (5, 5)), np.ones((14, 14), int))
    labels = labels[: shape[0], : shape[1]].astype(np.uint16)
    members = rng.random(6) < 0.4
    colour = picture(rng.random(shape) < 0.3, seed)
    told = told_by_colour(colour, labels, members, 1.0, float(most))
    assert_array_equal(told, told_by_colour(colour, labels, members, 1.0, float(most)))
    if members[labels].any():
        assert not (told & ~dilated(members[labels], most)).any()
