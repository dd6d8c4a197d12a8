"""Traces of what is gone, and what is like them and is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.rendering import render
from eie.rendering.anchored import dilation_of, stage
from eie.rendering.traces import REACH, without_traces
from tests.rendering.conftest import make_set, noise, with_rows

SIDE, RADIUS, DILATION = 300, 50, 4
"""Of photos, pixels; of the thing in their middle; and their usual dilation."""


def away() -> np.ndarray:
    """(SIDE, SIDE) how many pixels are from the thing, 0 within it."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (np.hypot(rows - SIDE / 2, columns - SIDE / 2) - RADIUS).clip(0)


def photo(beside: np.ndarray, wall: int = 150) -> np.ndarray:
    """(SIDE, SIDE, 3) a green thing on a wall with grain, to which levels are added beside it."""
    grain = noise(SIDE, SIDE, 1, seed=1) // 64 + np.float32(wall - 1.5)
    pixels = np.repeat(grain + beside[..., None], 3, axis=2).round().clip(0, 255)
    pixels[away() == 0] = (20, 250, 30)
    return pixels.astype(np.uint8)


def mended(pixels: np.ndarray) -> np.ndarray:
    return without_traces(pixels, away() == 0, DILATION)


@pytest.mark.parametrize("levels", [-45, -20, 20, 45])
def test_a_halo_or_a_soft_shadow_that_fades_is_taken_out_and_grain_stays(levels):
    pixels = photo(levels * np.exp(-away() / 5))
    beside = (away() > DILATION) & (away() < 2 * DILATION)
    before = abs(pixels[beside].mean() - 150)
    result = mended(pixels)
    assert before > 5
    assert abs(result[beside].mean() - 150) < 0.35 * before
    assert result[beside].std() > 0.7 * pixels[away() > 60].std()


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 7, 12])
def test_what_is_farther_than_stated_is_the_photos_own_at_any_size(pixels):
    """Sizes are told by the dilation, which grows with them."""
    unit = pixels / DILATION
    shadow = photo(-40 * np.exp(-away() / (6 * unit)))
    result = without_traces(shadow, away() == 0, pixels)
    assert (result != shadow).any() == (pixels > 1)
    assert_array_equal(result[away() > REACH * pixels], shadow[away() > REACH * pixels])
    assert_array_equal(result[away() == 0], shadow[away() == 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_is_mended_as_colour_is(channels):
    pixels = photo(-30 * np.exp(-away() / 5))
    assert_array_equal(mended(pixels[..., :channels]), mended(pixels)[..., :channels])


def unmended() -> dict[str, np.ndarray]:
    """What is no trace, by what it is."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    texture = 40.0 * ((rows // 3 + columns // 3) % 2)
    return {
        "calm": np.zeros((SIDE, SIDE)),
        "light that falls off all over": 0.3 * (columns - SIDE / 2),
        "texture": texture - 15 * np.exp(-away() / 5),
        "another thing's edge": -60.0 * (away() < 15) * (rows > 150),
        "a ring at a distance": -30.0 * (abs(away() - 14) < 3),
        "a thing beside it": -100 / (1 + np.exp(away() - 12)),
    }


@pytest.mark.parametrize("name", unmended())
def test_what_is_no_trace_stays(name):
    pixels = photo(unmended()[name])
    assert_array_equal(mended(pixels), pixels)


def test_a_short_change_of_the_border_is_no_trace():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    spot = np.exp(-(np.square(rows - 96) + np.square(columns - 150)) / 12)
    pixels = photo(-30 * spot)
    assert_array_equal(mended(pixels), pixels)


def test_nothing_and_everything_gone_stay_as_they_are():
    pixels = photo(np.zeros((SIDE, SIDE)))
    for gone in (np.zeros((SIDE, SIDE), dtype=bool), np.ones((SIDE, SIDE), dtype=bool)):
        assert_array_equal(without_traces(pixels, gone, DILATION), pixels)


def test_a_removed_thing_leaves_no_shadow_unless_a_dilation_is_chosen():
    pixels = photo(-40 * np.exp(-away() / 6))
    elements = with_rows(make_set(pixels, (away() == 0).astype(int)), 1, visible=False)
    usual = dilation_of(elements)
    done = render(elements)
    result = done.photo.pixels
    beside = (away() > usual) & (away() < 3 * usual)
    assert abs(result[beside].mean() - 150) < 0.25 * abs(pixels[beside].mean() - 150)
    assert abs(result[away() == 0].mean() - 150) < 6
    assert_array_equal(done.changed, (result != pixels).any(axis=2))
    assert_array_equal(result[away() > REACH * usual], pixels[away() > REACH * usual])
    assert done.provenance["eie:traces"] == str(REACH * usual)
    chosen = render(elements, dilation=usual)
    assert_array_equal(chosen.photo.pixels[away() > usual + 1], pixels[away() > usual + 1])
    assert "eie:traces" not in chosen.provenance
    assert_array_equal(stage(elements, dilation=usual).source, pixels)


def test_transparency_stays():
    pixels = np.dstack([photo(-40 * np.exp(-away() / 6)), np.full((SIDE, SIDE), 200, np.uint8)])
    elements = with_rows(make_set(pixels, (away() == 0).astype(int)), 1, visible=False)
    scene = stage(elements)
    assert (scene.source != pixels).any()
    assert_array_equal(scene.source[..., 3], 200)
