"""The bundled content encoder and light decoder as graphs give what the networks give."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from eie.models import patch_compositing
from eie.models.content_checkpoints import (
    EMBEDDED,
    ENCODER_FOLDER,
    TINY,
    load_canvas_decoder,
    load_content_encoder,
    load_light_decoder,
    load_patch_encoder,
)
from eie.models.content_graphs import (
    DecoderGraphs,
    EncoderGraph,
    continued,
    load_encoder_graph,
)
from eie.models.weight_files import CONFIG_FILE

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


def scene(count: int, *, turned: bool) -> dict[str, np.ndarray]:
    """Random elements that overlap, as a decoder takes them."""
    rng = np.random.default_rng(count)
    side = np.sqrt(150 * 130 / count)
    inputs = {
        "embeddings": rng.standard_normal((count, 128)).astype(np.float32),
        "box": np.concatenate(
            [rng.uniform(0, (150, 130), (count, 2)), rng.uniform(0.7, 1.8, (count, 2)) * side],
            axis=1,
        ).astype(np.float32),
        "visible": rng.random(count) > 0.1,
        "rank": rng.integers(0, 3, count),
        "flip": rng.random((count, 2)) > 0.7,
    }
    if turned:
        angle = rng.uniform(-3, 3, count) * (rng.random(count) > 0.5)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        inputs["frame"] = turn.transpose(2, 0, 1).astype(np.float32)
    return inputs


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("count", "size"), [(1, (130, 150)), (9, (33, 150)), (70, (130, 150)), (40, (300, 260))]
)
def test_pictures_are_equal(count: int, size: tuple[int, int], turned: bool) -> None:
    graphs, network = load_canvas_decoder(), load_light_decoder(device="cpu").model
    assert isinstance(graphs.decode.__self__, DecoderGraphs)
    assert graphs.encoder_hash == network.config.encoder_hash
    inputs = scene(count, turned=turned)
    with torch.inference_mode():
        tensors = {name: torch.from_numpy(value)[None] for name, value in inputs.items()}
        expected = network(**tensors, size=size)[0].numpy()
    found = graphs.decode(**inputs, size=size)
    assert found.shape == (3, *size)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_nothing_visible_gives_a_picture() -> None:
    inputs = scene(4, turned=False) | {"visible": np.zeros(4, bool)}
    assert np.isfinite(load_canvas_decoder().decode(**inputs, size=(40, 50))).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (8, 8), (37, 22)])
def test_canvases_are_continued_as_networks_do(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    weight = rng.random(size, dtype=np.float32) * (rng.random(size) > 0.7)
    weighted = rng.random((3, *size), dtype=np.float32) * weight
    expected = patch_compositing.continued(
        torch.from_numpy(weighted)[None], torch.from_numpy(weight)[None, None]
    )
    np.testing.assert_allclose(continued(weighted, weight), expected[0].numpy(), atol=1e-4)
