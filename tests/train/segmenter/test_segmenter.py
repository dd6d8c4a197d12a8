from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eie.errors import UsageError
from eie.train.core.images import Folder, read_training_images
from eie.train.core.settings import LoopSettings, SceneSettings
from eie.train.segmenter.scenes import SceneBatch
from eie.train.segmenter.settings import SegmenterSettings
from eie.train.segmenter.stage import SegmenterStage, segmenter_loss, sharpen, train_segmenter

SMALL = SegmenterSettings(
    scenes=SceneSettings(crop=64, batch=2, annotators=2),
    loop=LoopSettings(
        steps=4, warmup=1, precision="no", workers=0, log_every=1, sample_every=4, save_every=2
    ),
    softness=4.0,
    affinity_pixels=128,
    imagenet=False,
)


def halves(background=False):
    """One crop, left and right half different, a query in the middle of each quarter."""
    labels = np.zeros((1, 1, 32, 32), np.int64)
    labels[..., 16:] = 1
    points = np.array([[[16, 16], [48, 16], [16, 48], [48, 48]]], np.float32)
    return SceneBatch(
        images=np.zeros((1, 3, 64, 64), np.uint8),
        labels=labels,
        segments=2,
        background=np.array([background]),
        points=points,
        offsets=np.zeros((1, 2), np.int64),
        unit=512.0,
    )


def masks(inside, outside):
    """(1, 4, 32, 32) logits that are right about the halves."""
    right = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    right[..., 16:] = True
    of_query = torch.tensor([False, True, False, True])[None, :, None, None]
    return torch.where(right == of_query, inside, outside)


def test_masks_that_know_the_segments_cost_nearly_nothing():
    quality = torch.ones(1, 4)
    good, _ = segmenter_loss(masks(30.0, -30.0), quality, halves(), SMALL)
    flat, parts = segmenter_loss(masks(0.0, 0.0), quality, halves(), SMALL)
    assert good < 0.02
    assert flat > 0.2
    # Cells that end at the border of the halves leak only because they are soft.
    assert 0 < parts["leak"] < 0.25


def test_what_belongs_together_in_an_unlabelled_background_does_not_count():
    quality = torch.ones(1, 4)
    torn = masks(30.0, -30.0)
    # Queries of the background disown half of it.
    torn[:, [0, 2], 16:] = torn[:, [0, 2], 16:].clamp(max=-20)
    _, labelled = segmenter_loss(torn, quality, halves(), SMALL)
    _, unlabelled = segmenter_loss(torn, quality, halves(background=True), SMALL)
    assert labelled["affinity"] > 0.3
    assert unlabelled["affinity"] < 0.05


def test_the_loss_reaches_every_weight_of_the_masks(data):
    images = read_training_images([Folder(data / "bsds"), Folder(data / "objects")], 800)
    stage = SegmenterStage(SMALL, images)
    loss, _ = stage.loss(stage.model, stage.batch(0))
    loss.backward()
    without = [n for n, p in stage.sam.image_encoder.named_parameters() if p.grad is None]
    without += [n for n, p in stage.sam.mask_decoder.named_parameters() if p.grad is None]
    assert without == []


def test_two_times_two_steps_equal_four(data, tmp_path):
    folders = [Folder(data / name) for name in ("bsds", "photos", "objects")]
    train_segmenter(folders, tmp_path / "whole", SMALL)
    stage = SegmenterStage(SMALL, read_training_images(folders, 800))
    from eie.train.core.loop import train

    train(stage, SMALL.loop, tmp_path / "halves", {}, stop_after=2)
    stage = SegmenterStage(SMALL, read_training_images(folders, 800))
    train(stage, SMALL.loop, tmp_path / "halves", {})
    for name in ("model", "average", "optimizer"):
        contents = [
            (tmp_path / run / "checkpoint" / f"{name}.safetensors").read_bytes()
            for run in ("whole", "halves")
        ]
        assert contents[0] == contents[1], name
    assert {p.name for p in (tmp_path / "whole" / "samples").iterdir()} == {
        "000004-affinity.png",
        "000004-label-map.png",
    }


def test_a_trained_segmenter_loads_as_the_embedded_one(data, tmp_path):
    from eie.models.segmenter import load_segmenter

    settings = replace(SMALL, loop=replace(SMALL.loop, steps=1))
    train_segmenter([Folder(data / "bsds")], tmp_path / "run", settings)
    segmenter = load_segmenter(tmp_path / "run" / "tiny-segmenter.safetensors", "cpu")
    assert segmenter.id == "tiny"


@torch.no_grad()
def test_sharpening_multiplies_the_logits(data):
    images = read_training_images([Folder(data / "bsds")], 800)
    stage = SegmenterStage(SMALL, images)
    batch = stage.batch(0)
    tensors = (torch.as_tensor(batch.images).float(), torch.as_tensor(batch.points))
    before, _ = stage.model(*tensors, torch.as_tensor(batch.offsets))
    sharpen(stage.sam, 3.0)
    after, _ = stage.model(*tensors, torch.as_tensor(batch.offsets))
    torch.testing.assert_close(after, 3 * before, atol=1e-3, rtol=1e-3)


def test_a_dry_run_tells_what_it_would_do_and_writes_nothing(data, tmp_path):
    folders = [Folder(data / "bsds"), Folder(data / "photos", 2)]
    options = train_segmenter(folders, tmp_path / "run", SMALL, dry_run=True)
    assert options["images"] == {"segmented": 3, "photos": 2, "cutouts": 0}
    assert list(tmp_path.iterdir()) == []


def test_photos_alone_teach_no_segments(data, tmp_path):
    with pytest.raises(UsageError, match="segments"):
        train_segmenter([Folder(data / "photos")], tmp_path / "run", SMALL)


@pytest.mark.parametrize("crop", [0, 100, 544])
def test_crops_of_senseless_size_are_refused(data, tmp_path, crop):
    settings = replace(SMALL, scenes=replace(SMALL.scenes, crop=crop))
    with pytest.raises(UsageError, match="crops"):
        train_segmenter([Folder(data / "bsds")], tmp_path / "run", settings)
