"""What points on elements stand for: votes of a Sam's masks, and the light build's object head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eie import decompose
from eie.decomposition import elements_by_sam
from eie.decomposition.affinity import MaskLogits, voted_objects
from eie.decomposition.objects import element_graph, object_masks
from eie.decomposition.sam_transform import Frame
from eie.elements import SURE, validate
from eie.models.object_head import ObjectEnsemble, ObjectHeadConfig, relations
from eie.models.segmenter import Segmenter, load_segmenter


@pytest.fixture(scope="module")
def tiny() -> Segmenter:
    return load_segmenter("tiny", "cpu")


def blocks(height: int = 96, width: int = 160) -> np.ndarray:
    """A picture of a bright block on dark noise."""
    picture = np.random.default_rng(0).integers(0, 60, (height, width, 3), dtype=np.uint8)
    picture[24:72, 40:88] += 160
    return picture


def test_votes_are_shares_of_cells() -> None:
    """Two elements, left and right; the masks of the left one's query cover it and half of both."""
    labels = np.repeat(np.repeat([[0, 1]], 32, axis=1), 64, axis=0)  # (64, 64)
    masks = np.zeros((2, 3, 64, 64), dtype=bool)
    masks[0, 0, :, :32] = True
    masks[0, 1, :32] = True
    masks[1] = True
    scores = np.array([[0.9, 0.2, 1.4], [0.1, 0.5, -0.2]], dtype=np.float32)
    logits = MaskLogits(
        np.zeros((2, 64, 64), dtype=np.float32),
        64,
        Frame(64, 64, 64),
        np.array([[16.0, 32.0], [48.0, 32.0]]),
        candidates=(masks, scores),
    )
    objects = voted_objects(logits, labels, np.array([0, 1]))
    assert objects is not None
    assert objects.chances[:, 0].tolist() == [[7, 0], [7, 4], [7, 0]]  # an element is in its own
    assert (objects.chances[:, 1] == SURE).all()
    np.testing.assert_allclose(objects.scores.T, [[0.9, 0.2, 1], [0.1, 0.5, 0]])


def test_without_candidates_there_are_no_votes() -> None:
    logits = MaskLogits(np.zeros((1, 4, 4)), 4, Frame(4, 4, 4), np.zeros((1, 2)))
    assert voted_objects(logits, np.zeros((4, 4), dtype=int), np.array([0])) is None


@pytest.mark.parametrize("size", [(96, 160), (160, 96), (70, 333)])
def test_a_graph_tells_places_sizes_and_colours(tiny: Segmenter, size: tuple[int, int]) -> None:
    photo = np.zeros((*size, 3), dtype=np.uint8)
    photo[:, size[1] // 2 :] = (200, 100, 50)
    labels, affinity, logits, _ = elements_by_sam(photo, tiny, 12, with_features=True)
    graph = element_graph(logits, labels, affinity)
    count = len(affinity)
    assert graph.features.shape == (count, sum(ObjectHeadConfig().features))
    assert torch.isfinite(graph.features).all()
    assert graph.area.sum() == pytest.approx(1, abs=1e-5)
    for patch in np.flatnonzero(np.bincount(labels.ravel()) > 800):
        rows, columns = np.nonzero(labels == patch)
        x, y, *_ = graph.geometry[patch].tolist()
        assert x == pytest.approx((columns.mean() + 0.5) / size[1], abs=0.03)
        assert y == pytest.approx((rows.mean() + 0.5) / size[0], abs=0.03)
    right = graph.geometry[labels[:, -1], 7:].mean(dim=0) * 255
    np.testing.assert_allclose(right, [200, 100, 50], atol=3)
    assert (graph.merged[0] == graph.merged[0].T).all()
    assert graph.together.shape == (4, count, count)


def test_a_graph_goes_to_a_device_as_a_whole(tiny: Segmenter) -> None:
    labels, affinity, logits, _ = elements_by_sam(blocks(), tiny, 12, with_features=True)
    moved = element_graph(logits, labels, affinity).to("meta")
    assert {part.device.type for part in moved} == {"meta"}
    heads = ObjectEnsemble().to("meta")
    chances, scores = heads.candidates(moved)
    assert (chances.device.type, scores.device.type) == ("meta", "meta")


def test_relations_are_those_of_the_queries(tiny: Segmenter) -> None:
    labels, affinity, logits, _ = elements_by_sam(blocks(), tiny, 12, with_features=True)
    graph = element_graph(logits, labels, affinity)
    every = relations(graph, torch.arange(len(affinity)))
    some = torch.tensor([3, 1])
    torch.testing.assert_close(relations(graph, some), every[some])
    assert torch.isfinite(every).all()
    assert torch.equal(every[..., 10].bool(), torch.eye(len(affinity), dtype=torch.bool))


def test_random_heads_give_objects_that_files_can_hold(tiny: Segmenter) -> None:
    torch.manual_seed(0)
    labels, affinity, logits, _ = elements_by_sam(blocks(), tiny, 12, with_features=True)
    objects = object_masks(ObjectEnsemble().eval(), logits, labels, affinity)
    own = np.arange(len(affinity))
    assert (objects.chances[:, own, own] == SURE).all()
    elements = decompose(blocks(), segmenter=tiny, elements=12)
    source = replace(elements.sources[0], objects=objects)
    validate(replace(elements, sources=(source,)))


def test_the_embedded_segmenter_tells_objects() -> None:
    objects = decompose(blocks(), elements=30).sources[0].objects
    assert objects is not None
    assert objects.scores.max() > 0.5


def test_slic_tells_none() -> None:
    assert decompose(blocks(), segmenter="slic", elements=12).sources[0].objects is None
