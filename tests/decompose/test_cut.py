from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from eie.decompose.connectivity import connect
from eie.decompose.cut import cut_along

SHAPE = (9, 11)
label_maps = arrays(np.int32, SHAPE, elements=st.integers(0, 5))
masks = arrays(np.bool_, SHAPE)


@given(label_maps, masks, st.integers(0, 30))
def test_every_element_is_one_piece_in_or_out_of_the_mask(labels, mask, minimum_area) -> None:
    whole, _ = connect(labels)
    count = whole.max() + 1
    affinity = np.random.default_rng(0).random((count, count), dtype=np.float32)
    before = affinity.copy()
    cut, parted = cut_along(whole, affinity, mask, minimum_area)
    np.testing.assert_array_equal(affinity, before)
    elements = cut.max() + 1
    assert parted.shape == (elements, elements)
    inside = np.empty(elements, bool)
    for element in range(elements):
        assert ndimage.label(cut == element)[1] == 1
        sides = np.unique(mask[cut == element])
        assert len(sides) == 1
        inside[element] = sides[0]
    assert (parted[np.ix_(inside, inside)] == 1).all()
    assert (parted[np.ix_(inside, ~inside)] == 0).all()
    assert (parted[np.ix_(~inside, inside)] == 0).all()
    assert np.isin(parted[np.ix_(~inside, ~inside)], before).all()


@given(label_maps, masks)
def test_without_a_smallest_area_elements_are_only_parted(labels, mask) -> None:
    whole, _ = connect(labels)
    cut, _ = cut_along(whole, np.zeros((whole.max() + 1,) * 2, np.float32), mask, 0)
    parts = np.unique(np.stack([cut, whole], axis=-1).reshape(-1, 2), axis=0)
    assert len(parts) == cut.max() + 1  # none reaches into two of the elements before


def test_slivers_join_their_side_and_affinity_is_that_of_the_parent() -> None:
    labels = np.zeros((8, 20), np.int32)
    labels[:, 10:] = 1
    affinity = np.array([[0.9, 0.2], [0.3, 0.8]], np.float32)
    mask = np.zeros(labels.shape, bool)
    mask[2:6, 2:11] = True  # one column of it lies in element 1: 4 pixels
    cut, parted = cut_along(labels, affinity, mask, 10)
    assert len(np.unique(cut[mask])) == 1
    assert len(parted) == 3
    outside = sorted(set(np.unique(cut)) - set(np.unique(cut[mask])))
    np.testing.assert_array_equal(parted[np.ix_(outside, outside)], affinity)


def test_a_small_mask_is_cut_out_all_the_same() -> None:
    mask = np.zeros((12, 12), bool)
    mask[4:6, 4:6] = True
    cut, _ = cut_along(np.zeros((12, 12), np.int32), np.ones((1, 1), np.float32), mask, 64)
    assert cut.max() == 1
    np.testing.assert_array_equal(cut == cut[4, 4], mask)


def test_an_empty_or_full_mask_cuts_nothing() -> None:
    labels = np.repeat(np.arange(3, dtype=np.int32), 4)[None].repeat(5, axis=0)
    affinity = np.eye(3, dtype=np.float32)
    for fill, expected in ((False, affinity), (True, np.ones((3, 3)))):
        cut, parted = cut_along(labels, affinity, np.full(labels.shape, fill), 0)
        np.testing.assert_array_equal(cut, labels)
        np.testing.assert_array_equal(parted, expected)
