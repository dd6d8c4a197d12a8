from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.errors import UsageError
from eie.preview.cutout import cutout
from tests.rendering.conftest import CHANNELS, blocks, make_set, moved, noise, with_rows


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_cut_out_has_the_pixels_of_its_elements_and_nothing_else(channels):
    pixels = noise(40, 60, channels)
    elements = make_set(pixels, blocks(40, 60, 2, 3))
    cut = cutout(elements, [0, 4], edge="hard").pixels
    inside = np.isin(elements.sources[0].label_map, [0, 4])
    colours = 1 if channels < 3 else 3
    assert cut.shape == (40, 60, colours + 1)
    alpha = pixels[..., -1] if channels in (2, 4) else np.full((40, 60), 255)
    assert_array_equal(cut[..., -1], np.where(inside, alpha, 0))
    shown = cut[..., -1] > 0
    assert_array_equal(cut[shown][:, :colours], pixels[shown][:, :colours])
    assert not cut[~shown].any()


def test_what_moved_is_cut_out_where_it_is():
    elements = moved(make_set(noise(40, 60, 3), blocks(40, 60, 2, 3)), 0, 20, 0)
    alpha = cutout(elements, [0], edge="hard").pixels[..., 3] > 0
    assert alpha[:20, 20:40].all()
    assert alpha.sum() == 400
    assert not cutout(elements, [1], edge="hard").pixels.any()  # hidden behind it


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_soft_cut_out_has_the_pixels_of_its_elements_inside(channels):
    pixels = noise(40, 60, channels)
    elements = make_set(pixels, blocks(40, 60, 2, 3))
    cut = cutout(elements, [0, 4]).pixels
    colours = 1 if channels < 3 else 3
    assert cut.shape == (40, 60, colours + 1)
    for inside in ((slice(0, 14), slice(0, 14)), (slice(26, 40), slice(26, 34))):
        shown = pixels[inside].copy()
        if channels in (2, 4):
            shown[shown[..., -1] == 0] = 0
            assert_array_equal(cut[inside], shown)
        else:
            assert_array_equal(cut[inside][..., :-1], shown)
            assert (cut[inside][..., -1] == 255).all()
    assert not cut[:16, 24:].any() and not cut[24:, :16].any()  # nothing of the others
    assert not cut[cut[..., -1] == 0].any()


def test_what_is_turned_is_cut_out_as_it_stands():
    pixels = noise(40, 60, 3)
    elements = with_rows(make_set(pixels, blocks(40, 60, 2, 3)), 4, angle=90.0)
    for edge in ("hard", "soft"):
        cut = cutout(elements, [4], edge=edge).pixels
        inner = np.s_[24:36, 24:36]
        assert_array_equal(cut[inner][..., :3], np.rot90(pixels[20:, 20:40], -1)[4:16, 4:16])
        assert (cut[inner][..., 3] == 255).all()
        assert not cut[:15].any() and not cut[:, :15].any()


def test_a_soft_cut_out_has_the_colours_of_the_disc_alone():
    """Its rim holds its ground's black in the photo."""
    y, x = np.mgrid[:128, :128] + 0.5
    true = (20.5 - np.hypot(y - 64, x - 64)).clip(-1, 1) * 0.5 + 0.5
    elements = make_set(np.rint(true * 255).astype(np.uint8)[..., None], (true > 0.5).astype(int))
    cut = cutout(elements, [1]).pixels
    assert (cut[..., 1] == 0).any() and cut[cut[..., 1] > 8][:, 0].min() >= 245
    soft = abs(cut[..., 1] / 255 - true).sum()
    hard = abs(cutout(elements, [1], edge="hard").pixels[..., 1] / 255 - true).sum()
    assert soft < 0.2 * hard
    away = moved(elements, 1, 40, 0)
    assert_array_equal(cutout(away, [1]).pixels[:, 80:], cut[:, 40:-40])
    ground = cutout(away, [0]).pixels[..., 1]
    assert not ground[64, 100:108].any()  # hidden behind it
    assert ground[64, 5:40].all()


def test_there_are_two_edges():
    elements = make_set(noise(40, 60, 3), blocks(40, 60, 2, 3))
    with pytest.raises(UsageError, match="no edge 'blurred'"):
        cutout(elements, [1], edge="blurred")


def test_what_cannot_be_cut_out_is_told():
    elements = make_set(noise(40, 60, 3), blocks(40, 60, 2, 3))
    with pytest.raises(UsageError, match="no element 9"):
        cutout(elements, [9])
    without = replace(elements, sources=(replace(elements.sources[0], pixels=None),))
    with pytest.raises(UsageError, match="no pixels"):
        cutout(without, [1])
