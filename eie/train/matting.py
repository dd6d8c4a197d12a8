"""Seam matting: which pixels around a mask still show the object, learnt from pasted objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from eie.decompose import preloaded
from eie.errors import BadInputError
from eie.models.feature_distance import features_of, load_feature_distance
from eie.models.plain import save_plain
from eie.models.seam_matting import FOLDER, SeamMatting
from eie.models.segmenter import Segmenter
from eie.train.batch_cache import repeated
from eie.train.images import Folder, Pixels, TrainingImages, read_training_images
from eie.train.loop import averaged_weights, load_fitting, run_options, train
from eie.train.objects import (
    Mask,
    compressed,
    draw_object,
    pasted,
    picked_elements,
    rough_mask,
)
from eie.train.pictures import side_by_side
from eie.train.scenes import degraded, jittered_colours, placed, random_view
from eie.train.settings import MattingSettings

MAX_PHOTO_SIDE = 800
"""Long side to which photos are scaled down when they are read."""

_TRIES = 20
"""Objects that are tried until one can be seen and picked."""

_LEAST_SEEN = 64
"""Pixels that an object must have."""


@dataclass(frozen=True, eq=False)
class MattingBatch:
    """Parts of frames.

    pixels: (B, 3, side, side) uint8 RGB.
    gone: (B, 1, side, side) bool, what was picked.
    shown: (B, 1, side, side) bool, pixels that show the object.
    """

    pixels: Tensor
    gone: Tensor
    shown: Tensor


class MattingStage:
    """Model, data and loss of the training.

    Args:
        prepared: folder that batches are kept in, if they are to come again.
    """

    def __init__(
        self, settings: MattingSettings, images: TrainingImages, prepared: Path | None = None
    ) -> None:
        self.settings = settings
        draw = MattingBatches(images, settings)
        self.batch = repeated(MattingBatch, draw, prepared, settings.batches)
        torch.manual_seed(settings.loop.seed)
        self.features = load_feature_distance().to(memory_format=torch.channels_last)
        model = SeamMatting()
        if settings.start:
            load_fitting(model, settings.start)
        self.model = model.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: MattingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        pixels, gone, shown = _on_device(batch, model)
        if torch.rand(()) < 0.5:
            pixels, gone, shown = (plane.flip(3) for plane in (pixels, gone, shown))
        if torch.rand(()) < 0.5:
            pixels, gone, shown = (plane.transpose(2, 3) for plane in (pixels, gone, shown))
        logits = self._logits(model, pixels, gone)  # (B, 1, side, side)
        seam = _around(gone, self.settings.seam) - gone  # (B, 1, side, side)
        error = F.binary_cross_entropy_with_logits(logits, shown, reduction="none")
        wrong = ((logits > 0) != (shown > 0.5)).float()
        count = seam.sum().clamp_min(1)
        loss = (error * seam).sum() / count
        return loss, {"wrong": (wrong * seam).sum() / count}

    def samples(self, model: nn.Module, batch: MattingBatch) -> dict[str, np.ndarray]:
        """Rows: the photo without what was picked, what else shows the object, what is said to."""
        pixels, gone, shown = _on_device(batch, model)
        seam = _around(gone, self.settings.seam) - gone
        likely = self._logits(model, pixels, gone).sigmoid() * seam
        left = pixels * (1 - gone)
        red = pixels.new_tensor([1.0, 0.0, 0.0])[:, None, None]
        marked = [torch.lerp(left, red.expand_as(left), plane) for plane in (shown * seam, likely)]
        return {"matting": side_by_side(torch.cat([left, *marked], dim=2))}

    def _logits(self, model: nn.Module, pixels: Tensor, gone: Tensor) -> Tensor:
        """(B, 1, side, side)."""
        self.features.to(pixels.device)
        with torch.no_grad():
            features = features_of(self.features, pixels)
        logits: Tensor = model(pixels, gone, features).float()
        return logits


class MattingBatches:
    """Draws the batch of a step; step −1 is that of sample pictures."""

    def __init__(self, images: TrainingImages, settings: MattingSettings) -> None:
        self.images, self.settings = images, settings
        self.segmenter = preloaded(settings.segmenter, "cpu")

    def __call__(self, step: int) -> MattingBatch:
        rng = np.random.default_rng([self.settings.loop.seed, step + 1])
        parts: list[tuple[Pixels, Mask, Mask]] = []
        while len(parts) < self.settings.batch * self.settings.parts:
            frame = _frame(rng, self.images, self.segmenter, self.settings)
            parts += _parts(rng, *frame, self.settings)
        pixels, gone, shown = (np.stack(planes) for planes in zip(*parts, strict=True))
        return MattingBatch(
            pixels=torch.from_numpy(np.moveaxis(pixels, 3, 1).copy()),
            gone=torch.from_numpy(gone)[:, None],
            shown=torch.from_numpy(shown)[:, None],
        )


def _frame(
    rng: np.random.Generator,
    images: TrainingImages,
    segmenter: str | Segmenter,
    settings: MattingSettings,
) -> tuple[Pixels, Mask, Mask]:
    """A photo with an object on it (crop, crop, 3), what is picked of it, and where it shows."""
    for _ in range(_TRIES):
        ground = _ground(rng, images, settings)
        layer = draw_object(rng, images.cutouts, settings.scenes, settings.plain, settings.blurred)
        alpha = layer[..., 3]
        pixels = pasted(ground, layer)
        difference = np.abs(pixels.astype(np.int16) - ground).max(axis=2)
        shown = (difference >= settings.visible) & (alpha > 0)
        pixels = _compressed(rng, degraded(rng, pixels), settings)
        gone = _picked(rng, pixels, alpha, segmenter, settings)
        if shown.sum() >= _LEAST_SEEN and gone.any() and not gone.all():
            return pixels, gone, shown
    raise BadInputError("no object can be seen and picked", hint="check the cut-outs' alpha")


def _ground(rng: np.random.Generator, images: TrainingImages, settings: MattingSettings) -> Pixels:
    """Part of a photo, sometimes with other objects on it, sometimes smoothed."""
    photos = images.all_photos
    photo = photos[rng.integers(len(photos))]
    no_labels = np.zeros((1, *photo.shape[:2]), dtype=np.uint8)
    pixels, _ = random_view(rng, photo, no_labels, settings.scenes)
    pixels = jittered_colours(rng, pixels)
    for _ in range(int(rng.integers(settings.scenes.objects))):
        other = placed(rng, images.cutouts[rng.integers(len(images.cutouts))], settings.scenes)
        pixels = pasted(pixels, other)
    return _calmed(rng, pixels) if rng.random() < settings.calm else pixels


def _calmed(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Smoothed, sometimes to hardly more than a colour, with a little grain or none."""
    smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), np.exp(rng.uniform(1, 4.5)))
    grain = rng.normal(0, rng.choice([0.0, 1.0, 2.5]), pixels.shape)
    return np.asarray((smooth + grain).round().clip(0, 255), dtype=np.uint8)


def _compressed(rng: np.random.Generator, pixels: Pixels, settings: MattingSettings) -> Pixels:
    if rng.random() >= settings.compressed:
        return pixels
    return compressed(pixels, int(rng.integers(55, 97)))


def _picked(
    rng: np.random.Generator,
    pixels: Pixels,
    alpha: NDArray[np.float32],
    segmenter: str | Segmenter,
    settings: MattingSettings,
) -> Mask:
    """(crop, crop) bool, what a user takes for the object."""
    if rng.random() < settings.decomposed:
        return picked_elements(rng, pixels, alpha > 0.5, segmenter, settings.elements)
    return rough_mask(rng, alpha)


def _parts(
    rng: np.random.Generator, pixels: Pixels, gone: Mask, shown: Mask, settings: MattingSettings
) -> list[tuple[Pixels, Mask, Mask]]:
    """Squares about places on the border of what was picked."""
    inner = cv2.erode(gone.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    places = np.argwhere(gone & ~inner)
    if not len(places):
        return []
    most = np.array(gone.shape) - settings.side
    parts = []
    for _ in range(settings.parts):
        jitter = rng.integers(-settings.side // 4, settings.side // 4 + 1, size=2)
        corner = places[rng.integers(len(places))] + jitter - settings.side // 2
        top, left = corner.clip(0, most).tolist()
        square = np.s_[top : top + settings.side, left : left + settings.side]
        parts.append((pixels[square], gone[square], shown[square]))
    return parts


def _around(mask: Tensor, pixels: int) -> Tensor:
    """(B, 1, H, W) of a mask grown by so many pixels."""
    return F.max_pool2d(mask, 2 * pixels + 1, stride=1, padding=pixels)


def _on_device(batch: MattingBatch, model: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    device = next(model.parameters()).device
    pixels, gone, shown = (
        plane.to(device).float() for plane in (batch.pixels, batch.gone, batch.shown)
    )
    return pixels / 255, gone, shown


def train_matting(
    folders: Sequence[Folder],
    run: Path,
    settings: MattingSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train seam matting, or go on with the run in `run`.

    At the end the averaged weights are in `run/matting`.

    Args:
        folders: of photos, and of cut-out objects with an alpha channel.
        run: the run folder.
        settings: None for the defaults.
        dry_run: check everything and train nothing.

    Returns:
        All options that determine the run.

    Raises:
        BadInputError: a folder or image cannot be read, or there are no photos or no cut-outs.
        UsageError: `run` holds a run with other settings.
    """
    settings = settings or MattingSettings()
    images = read_training_images(folders, MAX_PHOTO_SIDE)
    photos = len(images.all_photos)
    if not images.cutouts or not photos:
        raise BadInputError(
            "seam matting learns from objects on photos",
            hint="give a folder of cut-outs with an alpha channel and one of photos",
        )
    options = run_options("matting", folders, photos, settings)
    if dry_run:
        return options
    stage = MattingStage(settings, images, run / "batches")
    train(stage, settings.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    save_plain(stage.model, run / FOLDER, {})
    return options
