"""The measures against their definitions, written out with loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eie.errors import BadInputError
from eie.evaluate.measures.superpixel_metrics import (
    achievable_accuracy,
    borders,
    boundary_recall,
    compactness,
    contingency_table,
    element_sizes,
    explained_variation,
    partition_scores,
    undersegmentation_error,
)

SHAPES = st.tuples(st.integers(2, 12), st.integers(2, 12))


@st.composite
def label_map_pairs(draw):
    shape = draw(SHAPES)
    maps = hnp.arrays(np.int32, shape, elements=st.integers(0, 5))
    return draw(maps), draw(maps)


def naive_undersegmentation(labels, truth):
    total = 0
    for segment in np.unique(truth):
        for element in np.unique(labels[truth == segment]):
            inside = int(((labels == element) & (truth == segment)).sum())
            outside = int(((labels == element) & (truth != segment)).sum())
            total += min(inside, outside)
    return total / labels.size


def naive_accuracy(labels, truth):
    right = 0
    for element in np.unique(labels):
        right += max(int((truth[labels == element] == s).sum()) for s in np.unique(truth))
    return right / labels.size


def naive_recall(labels, truth, tolerance):
    def is_border(a, y, x):
        right = x + 1 < a.shape[1] and a[y, x] != a[y, x + 1]
        below = y + 1 < a.shape[0] and a[y, x] != a[y + 1, x]
        return right or below

    pixels = [(y, x) for y in range(labels.shape[0]) for x in range(labels.shape[1])]
    own = [p for p in pixels if is_border(labels, *p)]
    wanted = [p for p in pixels if is_border(truth, *p)]
    found = sum(any(max(abs(y - v), abs(x - u)) <= tolerance for v, u in own) for y, x in wanted)
    return found / len(wanted) if wanted else 1.0


def naive_variation(labels, pixels):
    pixels = pixels.astype(float)
    mean = pixels.mean(axis=(0, 1))
    total = ((pixels - mean) ** 2).sum()
    explained = sum(
        (labels == n).sum() * ((pixels[labels == n].mean(axis=0) - mean) ** 2).sum()
        for n in np.unique(labels)
    )
    return explained / total if total else 1.0


@settings(deadline=None)
@given(label_map_pairs(), st.integers(0, 3))
def test_measures_equal_their_definitions(pair, tolerance):
    labels, truth = pair
    assert undersegmentation_error(labels, truth) == pytest.approx(
        naive_undersegmentation(labels, truth), abs=1e-6
    )
    assert achievable_accuracy(labels, truth) == pytest.approx(
        naive_accuracy(labels, truth), abs=1e-6
    )
    assert boundary_recall(labels, truth, tolerance) == pytest.approx(
        naive_recall(labels, truth, tolerance), abs=1e-6
    )


@settings(deadline=None)
@given(label_map_pairs(), st.integers(0, 2**32 - 1))
def test_explained_variation_equals_its_definition(pair, seed):
    labels, _ = pair
    pixels = np.random.default_rng(seed).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    assert explained_variation(labels, pixels) == pytest.approx(
        naive_variation(labels, pixels), abs=1e-6
    )


@given(label_map_pairs())
def test_contingency_table_counts_every_pixel_once(pair):
    labels, truth = pair
    table = contingency_table(labels, truth)
    assert table.sum() == labels.size
    assert table[labels[0, 0], truth[0, 0]] >= 1


def test_a_partition_equal_to_the_truth_is_perfect():
    truth = np.arange(4).reshape(2, 2).repeat(8, axis=0).repeat(8, axis=1)
    scores = partition_scores(truth, [truth, truth], np.zeros((16, 16, 3), np.uint8))
    assert (scores["elements"], scores["boundary_recall"]) == (4, 1.0)
    assert (scores["undersegmentation_error"], scores["achievable_accuracy"]) == (0.0, 1.0)


def test_squares_have_the_isoperimetric_quotient_of_a_square():
    labels = np.arange(4).reshape(2, 2).repeat(8, axis=0).repeat(8, axis=1)
    assert compactness(labels) == pytest.approx(np.pi / 4)


def test_borders_are_one_pixel_wide():
    labels = np.zeros((4, 6), dtype=int)
    labels[:, 3:] = 1
    assert borders(labels).sum() == 4


def test_sizes_leave_out_absent_labels():
    assert element_sizes(np.array([[0, 2], [2, 2]])).tolist() == [1, 3]


def test_label_maps_of_different_sizes_are_refused():
    with pytest.raises(BadInputError, match="differ in size"):
        undersegmentation_error(np.zeros((2, 2), int), np.zeros((2, 3), int))


def test_no_annotator_is_refused():
    with pytest.raises(BadInputError, match="human segmentation"):
        partition_scores(np.zeros((2, 2), int), [], np.zeros((2, 2, 3), np.uint8))
