from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from eie.pictures import dilated, shrunk


def test_a_dilation_is_a_disc():
    mask = np.zeros((21, 21), dtype=bool)
    mask[10, 10] = True
    grown = dilated(mask, 4)
    assert grown[10, 6] and grown[6, 10] and not grown[10, 5] and not grown[6, 6]
    assert_array_equal(dilated(mask, 0), mask)
    wide = dilated(mask, 8)
    assert wide[10, 2] and not wide[10, 1] and not wide[3, 3]
    assert not dilated(np.zeros((5, 5), dtype=bool), 9).any()


def test_what_is_shrunk_keeps_its_proportions_and_transparent_colours_have_no_say():
    picture = np.zeros((60, 90, 4), dtype=np.uint8)
    picture[:, :45] = (200, 100, 50, 255)
    picture[:, 45:] = (0, 255, 0, 0)
    small = shrunk(picture, 30)
    assert small.shape == (20, 30, 4)
    assert_array_equal(small[5, 5], (200, 100, 50, 255))
    assert small[..., 3].min() == 0
    seen = small[small[..., 3] > 64].astype(int)
    assert (abs(seen[:, :3] - (200, 100, 50)) < 6).all()
    assert shrunk(picture, 90) is picture
    for channels in (1, 2, 3):
        assert shrunk(picture[..., :channels], 9).shape == (6, 9, channels)
    assert shrunk(np.zeros((1, 500, 3), dtype=np.uint8), 5).shape == (1, 5, 3)
