"""The detector's graph gives what its network gives, and sees what is in a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from eie.models.detector import detector_levels
from eie.models.nanodet import NanoDet
from eie.models.nanodet_weights import (
    PIXEL_MEAN,
    PIXEL_STD,
    SCALE,
    WEIGHTS,
    detector_weights,
    quantised,
)


@pytest.mark.parametrize("size", [(96, 160), (130, 70)])
def test_the_graph_equals_the_network(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    rows, columns = (-(-side // 32) * 32 for side in size)
    blue_first = torch.tensor(pixels[..., ::-1].copy()).float()
    scaled = (blue_first - torch.tensor(PIXEL_MEAN)) / torch.tensor(PIXEL_STD)
    padded = torch.zeros(1, 3, rows, columns)
    padded[0, :, : size[0], : size[1]] = scaled.permute(2, 0, 1)
    detector = NanoDet().eval()
    weights = detector_weights()
    detector.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.inference_mode():
        wanted = detector(padded)
    features, reach = detector_levels(pixels)
    for level, other in zip(features + reach, wanted, strict=True):
        torch.testing.assert_close(torch.from_numpy(level), other, atol=2e-3, rtol=1e-3)


def test_weights_of_8_bits_are_near() -> None:
    """To half a step of 127 each way."""
    kernel = np.random.default_rng(0).normal(0, 1, (5, 3, 3, 3)).astype(np.float32)
    kept = quantised({"a.weight": kernel, "a.bias": np.ones(5, np.float32)})
    assert kept["a.weight"].dtype == np.int8
    scale = kept["a.weight" + SCALE].astype(np.float32)[:, None, None, None]
    most = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / 127
    assert (np.abs(kept["a.weight"] * scale - kernel) < 0.6 * most).all()
    assert kept["a.bias"].dtype == np.float16


def test_the_embedded_weights_are_whole() -> None:
    kept = load_file(WEIGHTS)
    assert {value.dtype for value in kept.values()} == {np.dtype(np.int8), np.dtype(np.float16)}
    weights = detector_weights()
    assert {name: value.shape for name, value in weights.items()} == {
        name: tuple(value.shape) for name, value in NanoDet().state_dict().items()
    }


def test_it_stands_beside_the_other_weights() -> None:
    assert (Path(WEIGHTS).parent / "nanodet.md").is_file()
