import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage

from eie.decomposition.connectivity import connect

label_maps = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 6)
)


def assert_one_piece_each(labels: NDArray[np.integer], count: int) -> None:
    assert sorted(np.unique(labels)) == list(range(count))
    for element in range(count):
        assert ndimage.label(labels == element)[1] == 1  # 4-connected by default


@given(label_maps, st.integers(0, 20))
def test_every_element_is_one_piece_and_none_is_missing(
    labels: NDArray[np.int32], minimum_area: int
) -> None:
    connected, origin = connect(labels, minimum_area=minimum_area)
    assert connected.shape == labels.shape
    assert_one_piece_each(connected, len(origin))
    assert (np.diff(origin) > 0).all()
    assert set(origin) <= set(np.unique(labels))


@given(label_maps)
def test_one_piece_of_every_label_stays_as_it_was(labels: NDArray[np.int32]) -> None:
    connected, origin = connect(labels)
    np.testing.assert_array_equal(origin, np.unique(labels))
    for element, label in enumerate(origin):
        stayed = (connected == element) & (labels == label)
        pieces, count = ndimage.label(labels == label)
        largest = ndimage.sum_labels(labels == label, pieces, np.arange(1, count + 1)).max()
        assert stayed.sum() >= largest


@given(label_maps, st.randoms(use_true_random=False))
def test_a_best_fit_is_followed(labels: NDArray[np.int32], random) -> None:
    taste = np.array([random.random() for _ in range(7)])
    connected, origin = connect(labels, fit=lambda rows, columns, label: taste[label])
    assert_one_piece_each(connected, len(origin))


def test_the_piece_with_the_query_point_is_kept_over_a_larger_one() -> None:
    labels = np.array([[0, 1, 0, 0, 0]])
    points = np.array([[0.5, 0.5], [1.5, 0.5]])
    connected, _ = connect(labels, points=points)
    assert connected.tolist() == [[0, 1, 1, 1, 1]]
    connected, _ = connect(labels)
    assert connected.tolist() == [[1, 1, 0, 0, 0]]


def test_an_orphan_goes_to_the_neighbour_that_fits_best_else_to_the_longest_border() -> None:
    labels = np.array(
        [
            [0, 0, 1, 1, 0],
            [0, 0, 1, 0, 0],
            [2, 2, 2, 2, 2],
        ]
    )
    by_border = connect(labels)[0]
    assert by_border[:2, 3:].tolist() == [[1, 1], [1, 1]]  # three pixel sides against two
    loves_two = connect(labels, fit=lambda rows, columns, label: np.where(label == 2, 1.0, 0.0))[0]
    loves_one = connect(labels, fit=lambda rows, columns, label: np.where(label == 1, 1.0, 0.0))[0]
    assert loves_two[:2, 3:].tolist() == [[1, 2], [2, 2]]
    assert loves_one[:2, 3:].tolist() == [[1, 1], [1, 1]]


def test_slivers_are_given_up_but_never_the_last_element() -> None:
    labels = np.zeros((8, 8), dtype=int)
    labels[3, 3:5] = 7
    connected, origin = connect(labels, minimum_area=3)
    assert origin.tolist() == [0]
    assert not connected.any()
    connected, origin = connect(labels, minimum_area=1000)
    assert origin.tolist() == [0]


def test_a_single_pixel() -> None:
    connected, origin = connect(np.array([[5]]))
    assert connected.tolist() == [[0]]
    assert origin.tolist() == [5]
