"""The bundled segmenter's graphs give what its networks give, whatever the sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from eie import decompose
from eie.decomposition import elements_by_sam
from eie.decomposition.affinity import mask_logits
from eie.decomposition.objects import element_graph, element_tables
from eie.decomposition.point_grid import query_grid
from eie.errors import MissingModelError
from eie.models.graph import read_tensors
from eie.models.segmenter import TINY_WEIGHTS, Segmenter, load_sam, load_segmenter
from eie.models.tiny_graphs import OBJECT_HEADS, TinyGraphs, is_tiny
from eie.models.tiny_sam import build_tiny_sam


@pytest.fixture(scope="module")
def graphs() -> Segmenter:
    loaded = load_segmenter("tiny")
    assert isinstance(loaded.sam, TinyGraphs)
    return loaded


@pytest.fixture(scope="module")
def networks() -> Segmenter:
    sam = build_tiny_sam(objects=True).eval()
    tensors = {name: torch.tensor(value).float() for name, value in load_file(TINY_WEIGHTS).items()}
    sam.load_state_dict(tensors)  # a CPU that is fast in bfloat16 would round them
    return Segmenter(sam, "tiny", load_segmenter("tiny").weight_hash)


def picture(height: int, width: int) -> np.ndarray:
    """Soft blobs of colour, which a segmenter sees borders in."""
    rng = np.random.default_rng(height + width)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(-0.1, 0.1, (3, 3))]
    return (127 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


@pytest.mark.parametrize("size", [(384, 512), (512, 300), (40, 500), (900, 700), (512, 512)])
def test_logits_and_features_are_equal(
    graphs: Segmenter, networks: Segmenter, size: tuple[int, int]
) -> None:
    photo = picture(*size)
    points = query_grid(*size, 37).points
    found = mask_logits(graphs.sam, photo, points, with_features=True)
    wanted = mask_logits(networks.sam, photo, points, with_features=True)
    assert found.low == wanted.low
    assert found.values.dtype == wanted.values.dtype
    np.testing.assert_allclose(found.values, wanted.values, atol=2e-2)  # in −400..60
    for level, other in zip(found.features, wanted.features, strict=True):
        np.testing.assert_allclose(level, other, atol=2e-5 * np.abs(other).max())


@pytest.mark.parametrize("elements", [9, 140])
def test_objects_are_equal(graphs: Segmenter, networks: Segmenter, elements: int) -> None:
    labels, affinity, logits, _ = elements_by_sam(
        picture(240, 320), graphs, elements, with_features=True
    )
    tables = element_tables(logits, labels, affinity)
    chances, scores = graphs.sam.candidates(tables)
    wanted = networks.sam.object_heads.candidates(element_graph(logits, labels, affinity))
    np.testing.assert_allclose(chances, wanted[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(scores, wanted[1].numpy(), atol=1e-4)


def test_a_photo_is_cut_into_the_same_elements(graphs: Segmenter, networks: Segmenter) -> None:
    photo = picture(300, 400)
    cut = [decompose(photo, segmenter=segmenter) for segmenter in (graphs, networks)]
    maps = [elements.sources[0].label_map for elements in cut]
    assert (maps[0] != maps[1]).mean() < 1e-3
    assert cut[0].decomposition == cut[1].decomposition


def test_progress_is_told(graphs: Segmenter) -> None:
    told: list[tuple[int, int]] = []
    points = query_grid(64, 64, 4).points
    mask_logits(graphs.sam, picture(64, 64), points, progress=lambda *n: told.append(n))
    assert told == [(4, 4)]


def test_only_a_named_device_takes_the_networks() -> None:
    assert isinstance(load_segmenter("tiny", "cpu").sam, TinyGraphs)
    assert not isinstance(load_sam("tiny", "cpu").sam, TinyGraphs)


def test_weights_of_the_build_are_known_by_names_and_shapes() -> None:
    tensors = load_file(TINY_WEIGHTS)
    assert is_tiny(tensors)
    bare = {n: t for n, t in tensors.items() if not n.startswith(OBJECT_HEADS)}
    assert is_tiny(bare)
    assert not TinyGraphs(bare).tells_objects
    name = "mask_decoder.mask_tokens.weight"
    assert not is_tiny({n: t for n, t in tensors.items() if n != name})
    assert not is_tiny(tensors | {name: tensors[name][:, :-1]})
    assert not is_tiny(tensors | {"more": tensors[name]})


def test_weights_without_object_heads_give_elements_without_objects(tmp_path: Path) -> None:
    tensors = load_file(TINY_WEIGHTS)
    bare = {n: t for n, t in tensors.items() if not n.startswith(OBJECT_HEADS)}
    save_file(bare, tmp_path / "bare.safetensors")
    elements = decompose(picture(64, 80), segmenter=tmp_path / "bare.safetensors", elements=12)
    assert elements.sources[0].objects is None


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tensors = load_file(TINY_WEIGHTS)
    name = "mask_decoder.mask_tokens.weight"
    tensors[name] = np.full_like(tensors[name], np.nan)
    save_file(tensors, tmp_path / "t.safetensors")
    with pytest.raises(MissingModelError, match=name):
        load_segmenter(tmp_path / "t.safetensors")


def test_tensors_that_numpy_has_not_are_left_to_pytorch(tmp_path: Path) -> None:
    from safetensors.torch import save_file as save_tensors

    save_tensors({"a": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / "t.safetensors")
    assert read_tensors(tmp_path / "t.safetensors") is None
    assert read_tensors(tmp_path / "none.safetensors") is None
