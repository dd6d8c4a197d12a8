import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eie.decomposition.point_grid import query_grid
from eie.errors import BadInputError, UsageError


def test_the_papers_grid() -> None:
    grid = query_grid(512, 512, 256)
    assert (grid.rows, grid.columns) == (16, 16)
    assert grid.points[0].tolist() == [16, 16]
    assert grid.points[1].tolist() == [48, 16]  # row by row
    assert grid.points[-1].tolist() == [496, 496]


@pytest.mark.parametrize("size", [(481, 321), (321, 481)])
def test_bsds_photos_get_260_at_most(size: tuple[int, int]) -> None:
    assert 250 <= len(query_grid(*size, 256).points) <= 260


def test_a_small_photo_gets_one_query_per_pixel_at_most() -> None:
    assert len(query_grid(1, 1, 256).points) == 1
    assert len(query_grid(3, 5, 4096).points) == 15
    assert len(query_grid(1, 40, 256).points) == 40


@given(
    height=st.integers(100, 5000),
    aspect=st.floats(1 / 8, 8),
    count=st.integers(64, 4096),
)
@example(height=100, aspect=1.5, count=65)
def test_cells_are_near_square_and_count_is_near(height: int, aspect: float, count: int) -> None:
    width = max(64, round(height * aspect))
    if height * width < count:
        return
    grid = query_grid(height, width, count)
    assert len(grid.points) == grid.rows * grid.columns
    if min(height, width) >= 2 * count**0.5:
        assert abs(len(grid.points) / count - 1) < 0.07
        assert 0.66 < (width / grid.columns) / (height / grid.rows) < 1.5


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 4096))
def test_points_lie_in_pixels_of_their_own(height: int, width: int, count: int) -> None:
    points = query_grid(height, width, count).points
    pixels = np.floor(points).astype(int)
    assert (pixels >= 0).all()
    assert (pixels < [width, height]).all()
    assert len(np.unique(pixels, axis=0)) == len(points)


@pytest.mark.parametrize("count", [0, -3, 4097])
def test_counts_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="1 to 4096"):
        query_grid(512, 512, count)


def test_a_photo_without_pixels_is_refused() -> None:
    with pytest.raises(BadInputError):
        query_grid(0, 512, 256)
