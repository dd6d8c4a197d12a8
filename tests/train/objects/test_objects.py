"""The object head's training: what is compared with what, and a run through to the end."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from eie import decompose
from eie.errors import UsageError
from eie.models.object_head import ObjectEnsemble, ObjectHeadConfig, relations
from eie.train.core.checkpoint import WEIGHTS_NAME
from eie.train.core.images import Folder, read_training_images
from eie.train.core.settings import SceneSettings
from eie.train.objects.settings import ObjectSettings
from eie.train.objects.stage import (
    draw_queries,
    fit_reduction,
    mask_error,
    objects_loss,
    train_objects,
)
from eie.train.objects.views import SEGMENT, STUFF, THING, ObjectBatch
from tests.train.conftest import LOOP

SMALL = ObjectSettings(
    scenes=SceneSettings(elements=16), loop=replace(LOOP, accumulate=2), batches=3, fitted=2
)


@pytest.fixture(scope="module")
def things(data, tmp_path_factory):
    """Photos with label maps of which label 2 is a thing."""
    folder = tmp_path_factory.mktemp("things")
    for photo in sorted((data / "bsds").glob("?.png")):
        Image.open(photo).save(folder / photo.name)
        Image.open(data / "bsds" / f"{photo.stem}.gt0.png").save(folder / f"{photo.stem}.gt0.png")
    names = {photo.stem: [2] for photo in folder.glob("?.png")}
    (folder / "things.json").write_text(json.dumps(names))
    return folder


def batch_of(kinds: list[int], shares: list[list[float]]) -> ObjectBatch:
    """Elements of equal size in a row; what they look like is noise."""
    count = len(shares[0])
    generator = torch.Generator().manual_seed(0)
    geometry = torch.rand(count, 10, generator=generator)
    geometry[:, 4] = 1 / count
    return ObjectBatch(
        features=torch.randn(count, sum(ObjectHeadConfig().features), generator=generator),
        geometry=geometry,
        affinity=torch.rand(count, count, generator=generator),
        merged=torch.rand(3, count, count, generator=generator),
        touching=torch.ones(count, count, dtype=torch.bool),
        together=torch.rand(4, count, count, generator=generator),
        share=torch.tensor(shares),
        depth=torch.ones(len(kinds), count),
        kind=torch.tensor(kinds, dtype=torch.uint8),
        unlabelled=torch.zeros(count),
    )


def test_queries_lie_in_their_segments() -> None:
    shares = [[1.0, 1.0, 0.3, 0.0], [0.0, 0.0, 0.7, 1.0]]
    batch = batch_of([THING, STUFF], shares)
    queries, of_query, of_segment = draw_queries(batch, 10)
    for query, segment in zip(queries[of_query], of_segment, strict=True):
        assert batch.share[segment, query] > 0.6
    assert set(of_segment.tolist()) == {0, 1}


def test_a_point_means_every_segment_of_unknown_kind_there() -> None:
    batch = batch_of([SEGMENT, SEGMENT], [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    queries, of_query, of_segment = draw_queries(batch, 2)
    meant = {int(q): set(of_segment[of_query == n].tolist()) for n, q in enumerate(queries)}
    assert all(segments == ({1} if query == 2 else {0, 1}) for query, segments in meant.items())


def test_right_masks_cost_nothing_and_the_area_weighs() -> None:
    target = torch.tensor([[1.0, 1.0, 0.0]])[..., None]  # (1, 3, 1)
    logits = torch.where(target > 0, 30.0, -30.0).expand(-1, -1, 3)
    even = torch.full((3, 1), 1 / 3)
    assert mask_error(logits, target, even).abs().max() < 1e-3
    wrong = logits.clone()
    wrong[0, 2] = 30.0
    small = torch.tensor([[0.49], [0.49], [0.02]])
    assert (mask_error(wrong, target, small) < mask_error(wrong, target, even)).all()


def test_the_loss_reaches_every_weight_and_learns_one_picture() -> None:
    torch.manual_seed(0)
    batch = batch_of([THING, STUFF], [[1.0] * 4 + [0.0] * 8, [0.0] * 4 + [1.0] * 8])
    heads = ObjectEnsemble(ObjectHeadConfig(dropout=0.0), members=1)
    fit_reduction(heads, [torch.randn(300, sum(ObjectHeadConfig().features))])
    graph = batch.graph
    related = relations(graph, torch.arange(12))
    optimizer = torch.optim.AdamW(heads.parameters(), lr=2e-3)
    losses = []
    for _ in range(80):
        queries, *meant = draw_queries(batch, 4)
        ((made, quality),) = heads(graph, related, [queries])
        loss, parts = objects_loss(made, quality, graph, batch, *meant)
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in heads.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]
    assert parts["iou"] > 0.95


def test_the_reduction_whitens() -> None:
    torch.manual_seed(0)
    features = torch.randn(4000, 8) @ torch.randn(8, 8) + 3
    heads = ObjectEnsemble(ObjectHeadConfig(features=(5, 3), reduced=(4, 2)))
    fit_reduction(heads, [features[:2000], features[2000:]])
    reduced = heads.reduce(features)
    np.testing.assert_allclose(reduced.mean(dim=0).detach(), 0, atol=1e-2)
    for part in reduced.split([4, 2], dim=1):  # each by itself
        spread = torch.cov(part.T).detach()
        np.testing.assert_allclose(spread, torch.eye(len(spread)), atol=2e-2)


def test_things_are_told_by_their_file(things, data) -> None:
    images = read_training_images([Folder(things), Folder(data / "bsds")], 800)
    told = [photo.things for photo in images.segmented]
    assert told == [frozenset({2})] * 3 + [None] * 3


def test_a_run_makes_a_segmenter_that_tells_objects(things, data, tmp_path) -> None:
    folders = [Folder(things), Folder(data / "bsds"), Folder(data / "objects")]
    train_objects(folders, tmp_path / "run", SMALL)
    weights = tmp_path / "run" / WEIGHTS_NAME
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    ours, shipped = (decompose(pixels, segmenter=s, elements=16) for s in (weights, "tiny"))
    assert ours.sources[0].objects is not None
    assert (ours.sources[0].label_map == shipped.sources[0].label_map).all()
    before = load_file(weights)
    train_objects(folders, tmp_path / "run", SMALL)  # goes on from its end
    after = load_file(weights)
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_without_things_there_is_nothing_to_learn(data, tmp_path) -> None:
    with pytest.raises(UsageError, match="nothing to learn things from"):
        train_objects([Folder(data / "bsds")], tmp_path / "run", SMALL)
