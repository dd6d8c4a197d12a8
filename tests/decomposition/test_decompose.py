from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data

from eie.decomposition import decompose
from eie.elements import validate
from eie.errors import BadInputError, MissingModelError, UsageError
from eie.models.segmenter import Segmenter
from eie.models.tiny_sam import TinySamConfig, build_tiny_sam


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    """The tiny architecture with random weights."""
    torch.manual_seed(0)
    return Segmenter(build_tiny_sam(TinySamConfig(img_size=256)).eval(), "tiny", "f" * 64)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_photo_becomes_a_valid_set(segmenter: Segmenter) -> None:
    photo = data.astronaut()
    elements = decompose(photo, segmenter=segmenter, beta=32)
    validate(elements)
    source = elements.sources[0]
    assert elements.canvas == (512, 512)
    assert np.array_equal(np.asarray(source.pixels), photo)
    assert source.affinity is not None
    assert source.affinity.shape == (len(elements), len(elements))
    assert 0 <= source.affinity.min() <= source.affinity.max() <= 1
    assert dict(elements.decomposition) == {
        "segmenter": "tiny",
        "segmenter_hash": "f" * 64,
        "elements": 256,
        "beta": 32,
    }


def test_elements_are_connected_and_few_are_small(segmenter: Segmenter) -> None:
    labels = decompose(data.astronaut(), segmenter=segmenter).sources[0].label_map
    area = np.bincount(labels.ravel())
    assert area.mean() == pytest.approx(1024, rel=0.1)
    assert (area < 64).mean() < 0.02
    for element in range(len(area)):
        assert ndimage.label(labels == element)[1] == 1


@pytest.mark.parametrize("cutter", ["tiny", "slic"])
@pytest.mark.parametrize(
    "shape",
    [(40, 100, 3), (64, 512, 3), (50, 60), (50, 60, 1), (30, 20, 2), (30, 20, 4), (1, 1, 3)],
)
@pytest.mark.parametrize("count", [1, 4, 256])
def test_any_photo_and_any_number(
    segmenter: Segmenter, cutter: str, shape: tuple[int, ...], count: int
) -> None:
    chosen = segmenter if cutter == "tiny" else "slic"
    elements = decompose(noise(*shape), segmenter=chosen, elements=count)
    validate(elements)
    assert elements.canvas == shape[:2]
    assert len(elements) <= max(count * 1.1, 1)
    if count == 1:
        assert len(elements) == 1


def test_two_runs_give_the_same(segmenter: Segmenter) -> None:
    first, second = (decompose(noise(90, 70, 3), segmenter=segmenter).sources[0] for _ in "12")
    assert np.array_equal(first.label_map, second.label_map)
    assert np.array_equal(first.affinity, second.affinity)  # type: ignore[arg-type]


def test_a_photo_is_read_from_its_file(tmp_path: Path) -> None:
    Image.fromarray(noise(30, 40, 3)).save(tmp_path / "p.png")
    content = (tmp_path / "p.png").read_bytes()
    for image in (tmp_path / "p.png", str(tmp_path / "p.png"), content):
        elements = decompose(image, segmenter="slic", elements=9)
        assert np.array_equal(np.asarray(elements.sources[0].pixels), noise(30, 40, 3))
    assert dict(elements.decomposition) == {"segmenter": "slic", "elements": 9}


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 4, 3)), "uint8"),
        (np.zeros((4, 4, 5), np.uint8), "channels"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
    ],
)
def test_what_is_no_photo_is_refused(image: Any, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        decompose(image, segmenter="slic")


@pytest.mark.parametrize(
    "options", [{"elements": 0}, {"elements": 5000}, {"beta": -1.0}, {"beta": float("nan")}]
)
def test_settings_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        decompose(noise(8, 8, 3), segmenter="slic", **options)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match=r"sam\.pth"):
        decompose(noise(8, 8, 3), segmenter=tmp_path / "sam.pth")
