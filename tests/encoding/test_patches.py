"""Cutting patches: geometry, masks, and what must not be left in them."""

import numpy as np
import pytest
from skimage import data

from eie.elements import Source
from eie.encoding.patches import cut_patches, resample_matrix
from eie.errors import UsageError

SIZE = 32


def blob(side: int) -> np.ndarray:
    """(side, side) bool, a disc with a notch."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside = x**2 + y**2 < (side / 2) ** 2
    inside[: side // 3, : side // 4] = False
    return inside


def scene(corner: tuple[int, int], side: int = 45, canvas: int = 160) -> Source:
    """A textured blob (patch 1) with its corner (x, y) on plain grey (patch 0)."""
    texture = data.chelsea()[100 : 100 + side, 150 : 150 + side]
    pixels = np.full((canvas, canvas, 3), 90, np.uint8)
    label_map = np.zeros((canvas, canvas), np.uint16)
    part = np.s_[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
    pixels[part][blob(side)] = texture[blob(side)]
    label_map[part][blob(side)] = 1
    return Source.from_label_map(label_map, pixels=pixels)


def test_same_patch_elsewhere_is_bitwise_the_same() -> None:
    home = cut_patches(scene((3, 10)), SIZE)[1]
    for corner in ((0, 0), (77, 31), (115, 115)):
        assert np.array_equal(cut_patches(scene(corner), SIZE)[1], home)


def test_a_patch_holds_nothing_of_its_surroundings() -> None:
    source = scene((20, 20))
    other = np.where(source.label_map[..., None] == 1, source.pixels, 255).astype(np.uint8)
    changed = Source.from_label_map(source.label_map, pixels=other)
    assert np.array_equal(cut_patches(source, SIZE)[1], cut_patches(changed, SIZE)[1])


def test_patch_of_the_target_size_is_copied() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    source = Source.from_label_map(np.zeros((SIZE, SIZE), np.uint16), pixels=pixels)
    patch = cut_patches(source, SIZE)[0]
    assert np.array_equal(patch[3], np.ones((SIZE, SIZE)))
    expected = pixels.transpose(2, 0, 1) / 255
    assert np.allclose(patch[:3], expected, atol=1e-6)


def test_a_scaled_patch_looks_nearly_the_same() -> None:
    large = scene((10, 10), side=96)
    half = Source.from_label_map(
        large.label_map[::2, ::2],
        pixels=np.asarray(large.pixels).reshape(80, 2, 80, 2, 3).mean(axis=(1, 3)).astype(np.uint8),
    )
    first, second = cut_patches(large, SIZE)[1], cut_patches(half, SIZE)[1]
    inside = (first[3] > 0.99) & (second[3] > 0.99)
    assert np.abs((first - second)[:3, inside]).mean() < 0.02


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_and_alpha_are_taken_as_rgb(channels: int) -> None:
    pixels = np.full((8, 8, channels), 100, np.uint8)
    source = Source.from_label_map(np.zeros((8, 8), np.uint16), pixels=pixels)
    patch = cut_patches(source, SIZE)[0]
    assert np.allclose(patch[:3], np.full((3, SIZE, SIZE), 100 / 255))


def test_without_pixels_it_says_what_to_do() -> None:
    source = Source.from_label_map(np.zeros((8, 8), np.uint16))
    with pytest.raises(UsageError, match="--no-pixels"):
        cut_patches(source, SIZE)


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 200])
def test_resampling_keeps_constants_and_ramps(length: int) -> None:
    matrix = resample_matrix(np.array([length]), 256, SIZE)[0]
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert not matrix[:, length:].any()
    ramp = matrix @ (np.arange(256.0) + 0.5)
    assert (np.diff(ramp) >= 0).all()
    assert np.isclose(ramp.mean(), length / 2, atol=0.02 * length + 1e-3)
