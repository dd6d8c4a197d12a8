from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from eie.pictures import dilated


def test_a_dilation_is_a_disc():
    mask = np.zeros((21, 21), dtype=bool)
    mask[10, 10] = True
    grown = dilated(mask, 4)
    assert grown[10, 6] and grown[6, 10] and not grown[10, 5] and not grown[6, 6]
    assert_array_equal(dilated(mask, 0), mask)
    wide = dilated(mask, 8)
    assert wide[10, 2] and not wide[10, 1] and not wide[3, 3]
    assert not dilated(np.zeros((5, 5), dtype=bool), 9).any()
