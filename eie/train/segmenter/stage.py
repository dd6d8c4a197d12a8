"""Stage 0: the embedded segmenter, trained from human segmentations and pasted objects.

Two goals share the mask logits s(m, n) of pixel m under query n:

* elements: the soft assignment q(m, n) = softmax_n(s − β·d) of the paper's extraction (§3.1)
  must carry people's segments: what a pixel gets back from the means over its elements is its own
  segment (the reconstruction loss of superpixel sampling networks);
* affinity: sigmoid(s(m, n)), softened, is the probability that pixel m lies in the segment that
  element n belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.errors import UsageError
from eie.models.efficientnet_lite import load_imagenet_weights
from eie.models.sam_modeling import Sam
from eie.models.tiny_sam import MASK_STRIDE, build_tiny_sam
from eie.train.core.augmentation import FRAME
from eie.train.core.checkpoint import (
    MAX_PHOTO_SIDE,
    WEIGHTS_NAME,
    load_fitting,
    run_options,
    save_segmenter,
)
from eie.train.core.images import Folder, TrainingImages, read_training_images
from eie.train.core.loop import device_of, train_stage
from eie.train.core.settings import SceneSettings
from eie.train.segmenter.scenes import SceneBatch, draw_batch
from eie.train.segmenter.settings import SegmenterSettings


class SegmenterStage:
    """Model, data and loss of the segmenter's training."""

    def __init__(self, settings: SegmenterSettings, images: TrainingImages) -> None:
        self.settings = settings
        self.batch = partial(_batch, images, settings.scenes, settings.loop.seed)
        torch.manual_seed(settings.loop.seed)
        self.sam = build_tiny_sam()
        if settings.imagenet:
            load_imagenet_weights(self.sam.image_encoder.backbone)
        if settings.start:
            load_fitting(self.sam, settings.start)
        self.model = SegmenterModel(self.sam).to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        backbone = list(self.sam.image_encoder.backbone.parameters())
        known = {id(parameter) for parameter in backbone}
        head = [p for p in self.sam.parameters() if id(p) not in known and p.requires_grad]
        return [
            {"params": head, "lr": self.settings.head_rate},
            {"params": backbone, "lr": self.settings.backbone_rate},
        ]

    def loss(self, model: nn.Module, batch: SceneBatch) -> tuple[Tensor, dict[str, Tensor]]:
        logits, quality = model(*_inputs(batch, model))
        # Means over many pixels and small probabilities need more digits than bfloat16 has.
        with torch.autocast(logits.device.type, enabled=False):
            return segmenter_loss(logits.float(), quality.float(), batch, self.settings)

    def samples(self, model: nn.Module, batch: SceneBatch) -> dict[str, np.ndarray]:
        from eie.train.core.log import affinity_picture, label_map_picture

        logits, _ = model(*_inputs(batch, model))
        owners = (logits - self.settings.beta * _distance(logits, batch)).argmax(dim=1)
        images = batch.images.transpose(0, 2, 3, 1)
        return {
            "label-map": label_map_picture(images, owners.cpu().numpy(), batch.labels[:, 0]),
            "affinity": affinity_picture(images, logits.float().sigmoid().cpu().numpy()),
        }


class SegmenterModel(nn.Module):
    """The segmenter as it is trained: crops of the 512 frame and many queries at once."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam

    def forward(self, images: Tensor, points: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits (B, N, h, w) at stride 2 and their estimated IoU (B, N).

        images: (B, 3, H, W), [0, 255]. points: (B, N, 2), (x, y) in pixels of the crop.
        offsets: (B, 2), the crops' (x, y) in the frame, multiples of 4.
        """
        sam = self.sam
        normalised = (images - sam.pixel_mean) / sam.pixel_std
        embedding = sam.image_encoder(
            normalised.contiguous(memory_format=torch.channels_last)
        )  # (B, C, H/4, W/4)
        batch, _, height, width = embedding.shape

        # SAM's coordinates count from the middle of the first pixel.
        in_frame = (points + offsets[:, None] - 0.5).flatten(0, 1)[:, None]  # (B·N, 1, 2)
        label = torch.ones(in_frame.shape[:2], device=in_frame.device)
        sparse, _ = sam.prompt_encoder((in_frame, label), None, None)  # (B·N, 2, C)
        no_mask = sam.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1)
        whole = sam.prompt_encoder.get_dense_pe()[0]  # (C, 128, 128)
        encoding = torch.stack(
            [whole[:, y : y + height, x : x + width] for x, y in (offsets // 4).tolist()]
        )
        masks, quality = sam.mask_decoder.predict_masks(
            embedding, encoding, sparse, no_mask.expand_as(embedding)
        )
        return masks.view(batch, -1, *masks.shape[-2:]), quality.view(batch, -1)


def segmenter_loss(
    logits: Tensor, quality: Tensor, batch: SceneBatch, settings: SegmenterSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """The training loss and its parts.

    logits: (B, N, h, w), s at stride 2. quality: (B, N), estimated IoU of the masks s > 0.
    """
    labels = torch.as_tensor(batch.labels, device=logits.device)  # (B, A, h, w)
    background = torch.as_tensor(batch.background, device=logits.device)  # (B,)
    distance = _distance(logits, batch)  # (B, N, h, w)
    assignment = (logits - settings.beta * distance).softmax(dim=1).flatten(2)  # (B, N, M)

    borders = _near_borders(labels).flatten(1)  # (B, M)
    labels = labels.flatten(2)  # (B, A, M)
    member = _one_hot(labels, batch.segments)  # (B, M, S)

    # Share of every segment in every element; the segments of one annotator add up to 1.
    mass = assignment.sum(dim=2, keepdim=True)  # (B, N, 1)
    share = (assignment @ member) / (mass + 1e-3)  # (B, N, S)
    returned = (share.transpose(1, 2) @ assignment).gather(1, labels)  # (B, A, M)
    weight = 1 + settings.border_weight * borders  # (B, M)
    surprise = -(returned + 1e-4).log().mean(dim=1)  # (B, M)
    elements = (weight * surprise).sum() / weight.sum()

    parts = _affinity_parts(logits, quality, share.detach(), member, background, settings)
    loss = (
        elements
        + settings.affinity_weight * parts["affinity"]
        + settings.dice_weight * parts["dice"]
        + settings.iou_weight * parts["quality"]
    )
    return loss, {"elements": elements, **parts, "leak": 1 - returned.mean()}


def _affinity_parts(
    logits: Tensor,
    quality: Tensor,
    share: Tensor,
    member: Tensor,
    background: Tensor,
    settings: SegmenterSettings,
) -> dict[str, Tensor]:
    """The affinity's losses: cross-entropy, overlap and estimated IoU, and the IoU itself.

    Args:
        share: (B, N, S), of every segment in every element.
        member: (B, M, S), one-hot.
        background: (B,) bool, whether segment 0 is the unlabelled rest.
    """
    annotators = member[0, 0].sum()
    pixels = torch.randint(member.shape[1], (settings.affinity_pixels,), device=logits.device)
    predicted = logits.flatten(2)[:, :, pixels] / settings.softness  # (B, N, K)
    together = share @ member[:, pixels].transpose(1, 2) / annotators  # (B, N, K)
    # Whether two pixels of an unlabelled background belong together is not known.
    unlabelled = background[:, None, None] * (
        share[:, :, :1] @ member[:, pixels, :1].transpose(1, 2)
    )
    known = 1 - unlabelled  # (B, N, K)
    together = (together - unlabelled / annotators).clamp(0, 1)
    entropy = F.binary_cross_entropy_with_logits(predicted, together, known, reduction="sum")
    affinity = entropy / known.sum()
    probability = predicted.sigmoid() * known
    overlap = (probability * together).sum(dim=2)
    dice = 1 - (2 * overlap + 1) / (probability.sum(dim=2) + (together * known).sum(dim=2) + 1)

    with torch.no_grad():
        inside = (predicted > 0) * known
        same = (together > 0.5) * known
        union = torch.maximum(inside, same).sum(dim=2)
        iou = torch.minimum(inside, same).sum(dim=2) / union.clamp(min=1)  # (B, N)
    quality_error = F.mse_loss(quality, iou)

    return {"affinity": affinity, "dice": dice.mean(), "quality": quality_error, "iou": iou.mean()}


def _batch(images: TrainingImages, scenes: SceneSettings, seed: int, step: int) -> SceneBatch:
    # Step −1 draws the batch that sample pictures are made of.
    return draw_batch(images, scenes, seed, step + 1)


def _inputs(batch: SceneBatch, model: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    device = device_of(model)
    return (
        torch.as_tensor(batch.images, device=device).float(),
        torch.as_tensor(batch.points, device=device),
        torch.as_tensor(batch.offsets, device=device),
    )


def _distance(logits: Tensor, batch: SceneBatch) -> Tensor:
    """d(m, n): (B, N, h, w), from the middles of the mask features' pixels to the queries."""
    height, width = logits.shape[-2:]
    points = torch.as_tensor(batch.points, device=logits.device)  # (B, N, 2)
    x = (torch.arange(width, device=logits.device) + 0.5) * MASK_STRIDE
    y = (torch.arange(height, device=logits.device) + 0.5) * MASK_STRIDE
    dx = x - points[:, :, :1]  # (B, N, w)
    dy = y - points[:, :, 1:]  # (B, N, h)
    return (dx.square()[:, :, None] + dy.square()[..., None]).sqrt() / batch.unit


def _one_hot(labels: Tensor, segments: int) -> Tensor:
    """(B, A, M) columns ⇒ (B, M, S) float32, with a 1 in every annotator's column."""
    batch, _, pixels = labels.shape
    member = torch.zeros(batch, pixels, segments, device=labels.device)
    return member.scatter_(2, labels.transpose(1, 2), 1.0)


def _near_borders(labels: Tensor) -> Tensor:
    """(B, A, h, w) ⇒ (B, h, w): share of annotators who see a border within two pixels."""
    edges = torch.zeros(labels.shape, device=labels.device)
    edges[..., 1:] += labels[..., 1:] != labels[..., :-1]
    edges[..., 1:, :] += labels[..., 1:, :] != labels[..., :-1, :]
    return F.max_pool2d(edges.clamp(max=1), 3, stride=1, padding=1).mean(dim=1)


def train_segmenter(
    folders: Sequence[Folder],
    run: Path,
    settings: SegmenterSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the segmenter, see :func:`eie.train.core.loop.train_stage`.

    The run's weights are then in `run/tiny-segmenter.safetensors`, which `eie decompose
    --segmenter` takes.
    """
    settings = settings or SegmenterSettings()
    _check(settings)
    images = read_training_images(folders, MAX_PHOTO_SIDE)
    if not images.segmented and not (images.photos and images.cutouts):
        raise UsageError(
            "nothing to learn segments from",
            hint="give a folder with ID.jpg and ID.gtK.png, or folders of photos and of cut-outs",
        )
    found = {
        "segmented": len(images.segmented),
        "photos": len(images.photos),
        "cutouts": len(images.cutouts),
    }

    def hand_out(stage: SegmenterStage) -> None:
        sharpen(stage.sam, settings.sharpening)
        save_segmenter(stage.sam, run / WEIGHTS_NAME)

    return train_stage(
        run,
        run_options("segmenter", folders, settings, images=found),
        settings.loop,
        lambda: SegmenterStage(settings, images),
        hand_out,
        dry_run,
    )


@torch.no_grad()
def sharpen(sam: Sam, factor: float) -> None:
    """Multiply a tiny segmenter's mask logits c − ½‖u − v‖² by a factor, in its weights."""
    features = sam.mask_decoder.output_upscaling[-1]
    vectors = sam.mask_decoder.output_hypernetworks_mlps[0].layers[-1]
    for tensor in (*features.parameters(), *vectors.parameters()):
        tensor.mul_(factor**0.5)
    # The last output is the peak c, which is no length.
    vectors.weight[-1].mul_(factor**0.5)
    vectors.bias[-1].mul_(factor**0.5)


def _check(settings: SegmenterSettings) -> None:
    crop = settings.scenes.crop
    if crop % 32 or not 32 <= crop <= FRAME:
        raise UsageError(f"crops of {crop} px", hint=f"choose a multiple of 32 up to {FRAME}")
