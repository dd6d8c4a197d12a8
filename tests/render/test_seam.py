"""Which pixels around a removed object are made anew."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.render import seam as module
from eie.render.seam import spoilt

SEAM = 5


def square(rim: int = 0, ground: int = 60, colour: int = 200, channels: int = 3):
    """A photo of a square whose picture reaches `rim` pixels beyond its mask."""
    random = np.random.default_rng(0)
    pixels = random.normal(ground, 3, (120, 120, 1))
    pixels[40 - rim : 80 + rim, 40 - rim : 80 + rim] = colour
    gone = np.zeros((120, 120), dtype=bool)
    gone[40:80, 40:80] = True
    return np.repeat(pixels, channels, axis=2).clip(0, 255).astype(np.uint8), gone


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_clean_surroundings_are_kept(channels: int) -> None:
    pixels, gone = square(channels=channels)
    plane = spoilt(pixels, gone, SEAM)
    assert (plane[gone] == 255).all()
    assert plane[60, 39] > 0 and plane[60, 80] > 0  # antialiasing is taken for granted
    assert not plane[60, :37].any() and not plane[60, 84:].any()


@pytest.mark.parametrize("rim", [2, 3, 4])
def test_a_rim_of_the_object_is_made_anew(rim: int) -> None:
    pixels, gone = square(rim)
    plane = spoilt(pixels, gone, SEAM)
    left = np.s_[50:70, 40 - rim : 40]
    assert (plane[left] > 0).all()
    assert (plane[50:70, 37:40][pixels[50:70, 37:40, 0] == 200] >= 128).all()


def test_nothing_beyond_the_seam_is_touched() -> None:
    pixels, gone = square(rim=12)
    plane = spoilt(pixels, gone, SEAM)
    assert not plane[:, : 40 - SEAM].any() and not plane[: 40 - SEAM].any()


def test_an_object_of_the_grounds_colour_spoils_nothing() -> None:
    pixels, gone = square(rim=4, colour=61)
    assert not spoilt(pixels, gone, SEAM)[60, :38].any()


def test_everything_gone_has_no_surroundings() -> None:
    pixels, _ = square()
    assert (spoilt(pixels, np.ones((120, 120), bool), SEAM) == 255).all()
    almost = np.ones((120, 120), bool)
    almost[:, :3] = False
    assert (spoilt(pixels, almost, SEAM)[:, :2] > 0).all()  # no way to tell: made anew


def test_bands_show_no_borders(monkeypatch) -> None:
    pixels, gone = square(rim=2)
    whole = spoilt(pixels, gone, SEAM)
    monkeypatch.setattr(module, "_BAND", 37)
    assert_array_equal(spoilt(pixels, gone, SEAM), whole)
