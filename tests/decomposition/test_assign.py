import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from eie.decomposition.assign import assign, score_of_pixels
from eie.decomposition.point_grid import query_grid
from eie.decomposition.sam_transform import Frame


def naive_scores(
    logits: NDArray[np.floating], points: NDArray[np.float64], frame: Frame, beta: float
) -> NDArray[np.float32]:
    """(N, H, W): the paper's formula on logits brought to the photo as SAM's own code does."""
    photo = (frame.height, frame.width)
    square = (frame.img_size, frame.img_size)
    s = F.interpolate(torch.from_numpy(logits).float()[:, None], square, mode="bilinear")
    s = s[..., : frame.input_height, : frame.input_width]
    s = F.interpolate(s, photo, mode="bilinear")[:, 0]
    y, x = np.mgrid[: frame.height, : frame.width] + 0.5
    far = np.hypot(x - points[:, 0, None, None], y - points[:, 1, None, None])
    return s.numpy() - (beta * far / np.sqrt(frame.height * frame.width)).astype(np.float32)


def object_logits(
    points: NDArray[np.float64], frame: Frame, low: int, seed: int
) -> NDArray[np.float32]:
    """Logits like a segmenter's: high in the query's blob, low elsewhere, with noise."""
    random = np.random.default_rng(seed)
    field = F.interpolate(
        torch.from_numpy(random.normal(size=(1, 1, 6, 6))), (low, low), mode="bicubic"
    )[0, 0].numpy()
    spots = (frame.to_input(points) * low / frame.img_size).astype(int)
    at_query = field[spots[:, 1], spots[:, 0]] > 0
    logits = np.where(at_query[:, None, None], field, -field) * 12
    return (logits + random.normal(size=logits.shape) * 0.5).astype(np.float32)


@pytest.mark.parametrize(
    ("height", "width", "count", "img_size", "low"),
    [
        (128, 128, 36, 128, 32),
        (161, 121, 50, 256, 64),  # shrunk input rows lie in padding
        (40, 100, 30, 256, 64),  # enlarged
        (600, 50, 30, 256, 64),  # shrunk
        (1, 7, 5, 64, 16),
        (1, 1, 1, 64, 16),
    ],
)
@pytest.mark.parametrize("beta", [0.0, 64.0, 1000.0])
def test_labels_are_the_argmax_of_the_formula(
    height: int, width: int, count: int, img_size: int, low: int, beta: float
) -> None:
    frame = Frame(height, width, img_size)
    points = query_grid(height, width, count).points
    logits = object_logits(points, frame, low, seed=height)
    scores = naive_scores(logits, points, frame, beta)

    labels = assign(logits, points, frame, beta)

    best = scores.max(axis=0)
    chosen = np.take_along_axis(scores, labels[None].astype(np.intp), axis=0)[0]
    assert labels.shape == (height, width)
    np.testing.assert_allclose(chosen, best, atol=1e-3)  # a winner, up to rounding
    clear = np.sort(scores, axis=0)[-2:][0] < best - 1e-3 if len(points) > 1 else best > -np.inf
    np.testing.assert_array_equal(labels[clear], scores.argmax(axis=0)[clear])
    assert clear.mean() > 0.99


def test_without_logits_each_pixel_goes_to_the_nearest_query() -> None:
    points = query_grid(64, 64, 16).points
    labels = assign(np.zeros((16, 16, 16), np.float32), points, Frame(64, 64, 64), beta=64.0)
    cell = np.arange(64) // 16
    np.testing.assert_array_equal(labels, cell[:, None] * 4 + cell)


def test_logits_cut_to_the_photo_give_the_same_labels() -> None:
    frame = Frame(60, 200, 128)
    points = query_grid(60, 200, 40).points
    logits = object_logits(points, frame, 32, seed=0)
    rows = frame.vertical(32).shape[1]
    assert rows < 32
    whole = assign(logits, points, frame, 64.0)
    np.testing.assert_array_equal(assign(logits[:, :rows], points, frame, 64.0, low=32), whole)


def test_score_of_pixels_agrees_with_the_formula_up_to_interpolation() -> None:
    frame = Frame(48, 64, 64)
    points = query_grid(48, 64, 12).points
    logits = np.broadcast_to(np.arange(12.0)[:, None, None], (12, 16, 16)).astype(np.float32)
    scores = naive_scores(logits, points, frame, 64.0)
    rows, columns = np.array([0, 3, 47]), np.array([5, 63, 0])
    found = score_of_pixels(logits, points, frame, 64.0)(rows, columns, np.array([0, 4, 11]))
    np.testing.assert_allclose(found, scores[[0, 4, 11], rows, columns], atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(90, 4001), (3100, 100), (1, 5000), (3073, 3)])
def test_of_a_large_photo_only_what_is_thinner_than_a_cell_may_be_missed(
    height: int, width: int
) -> None:
    frame = Frame(height, width, 512)
    points = query_grid(height, width, 40).points
    # Of one object: by noise, pixels would change hands that lie in nobody's neighbourhood.
    logits = np.repeat(object_logits(points, frame, 256, seed=1)[:1], len(points), axis=0)
    logits *= np.linspace(0.5, 2, len(points), dtype=np.float32)[:, None, None]
    scores = naive_scores(logits, points, frame, 64.0)
    labels = assign(logits, points, frame, 64.0)
    chosen = np.take_along_axis(scores, labels[None].astype(np.intp), axis=0)[0]
    assert (chosen < scores.max(axis=0) - 1e-3).mean() < 1e-3
    assert len(np.unique(labels)) > len(points) / 4
