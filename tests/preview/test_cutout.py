from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from eie.errors import UsageError
from eie.preview.cutout import cutout
from tests.render.conftest import CHANNELS, blocks, make_set, moved, noise


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_cut_out_has_the_pixels_of_its_elements_and_nothing_else(channels):
    pixels = noise(40, 60, channels)
    elements = make_set(pixels, blocks(40, 60, 2, 3))
    cut = cutout(elements, [0, 4]).pixels
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
    alpha = cutout(elements, [0]).pixels[..., 3] > 0
    assert alpha[:20, 20:40].all()
    assert alpha.sum() == 400
    assert not cutout(elements, [1]).pixels.any()  # hidden behind it


def test_what_cannot_be_cut_out_is_told():
    elements = make_set(noise(40, 60, 3), blocks(40, 60, 2, 3))
    with pytest.raises(UsageError, match="no element 9"):
        cutout(elements, [9])
    without = replace(elements, sources=(replace(elements.sources[0], pixels=None),))
    with pytest.raises(UsageError, match="no pixels"):
        cutout(without, [1])
