from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage import data

from eie.evaluate.baselines.inpainting import has_patchmatch, patchmatch


def test_only_the_unknown_pixels_change_and_all_of_them_come_from_elsewhere():
    pytest.importorskip("patchmatch")
    photo = np.ascontiguousarray(data.astronaut()[:96, :128])
    unknown = np.zeros((96, 128), bool)
    unknown[30:60, 40:80] = True
    damaged = photo.copy()
    damaged[unknown] = [0, 255, 0]
    filled = patchmatch(damaged, unknown)
    np.testing.assert_array_equal(filled[~unknown], photo[~unknown])
    assert not (filled[unknown] == [0, 255, 0]).all(axis=1).any()


def test_without_the_package_it_is_not_available(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)
    assert not has_patchmatch()
