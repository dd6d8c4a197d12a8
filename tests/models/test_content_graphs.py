"""The bundled content encoder as a graph gives what the network gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from eie.models.content import (
    EMBEDDED,
    ENCODER_FOLDER,
    TINY,
    load_content_encoder,
    load_patch_encoder,
)
from eie.models.content_graphs import EncoderGraph, load_encoder_graph
from eie.models.folders import CONFIG_FILE

FOLDER = EMBEDDED / TINY


def patches(count: int) -> np.ndarray:
    """(count, 4, 32, 32) soft colours within discs."""
    rng = np.random.default_rng(count)
    y, x = np.mgrid[:32, :32] - 15.5
    radius = rng.uniform(6, 20, (count, 1, 1))
    mask = (x**2 + y**2 < radius**2).astype(np.float32)
    waves = np.sin(x * rng.uniform(-0.4, 0.4, (count, 3, 1, 1)) + y * 0.1) / 2 + 0.5
    return np.concatenate([waves * mask[:, None], mask[:, None]], axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 130])
def test_embeddings_are_equal(count: int) -> None:
    graph, network = load_patch_encoder(), load_content_encoder(device="cpu")
    assert isinstance(graph.embed.__self__, EncoderGraph)
    assert (graph.name, graph.weight_hash) == (network.name, network.weight_hash)
    with torch.inference_mode():
        expected = network.model(torch.from_numpy(patches(count))).numpy()
    np.testing.assert_allclose(graph.embed(patches(count)), expected, atol=5e-3)


def test_an_embedding_does_not_depend_on_the_patches_beside() -> None:
    encoder, some = load_patch_encoder(), patches(64)
    order = np.random.default_rng(0).permutation(64)
    assert np.array_equal(encoder.embed(some)[order], encoder.embed(some[order]))


def test_another_build_is_left_to_pytorch(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / ENCODER_FOLDER, tmp_path / ENCODER_FOLDER)
    assert load_encoder_graph(tmp_path / ENCODER_FOLDER) is not None
    (tmp_path / ENCODER_FOLDER / CONFIG_FILE).write_text("{", encoding="utf-8")
    assert load_encoder_graph(tmp_path / ENCODER_FOLDER) is None
    assert load_encoder_graph(tmp_path) is None
