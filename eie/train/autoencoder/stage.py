"""The latent autoencoder of the `tiny` diffusion decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eie.models.latent_autoencoder import LatentAutoencoder
from eie.train.autoencoder.settings import AutoencoderSettings, PhotoCropSettings
from eie.train.core.checkpoint import load_fitting, run_options
from eie.train.core.images import Folder, Pixels, need_photos, photo_files, read_training_images
from eie.train.core.log import side_by_side
from eie.train.core.loop import device_of, train_stage


def draw_crops(
    photos: Sequence[Pixels], settings: PhotoCropSettings, seed: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Crops of random photos at random scales, mirrored at random; a pure function of the seed.

    Args:
        photos: (H, W, 3) uint8 each.

    Returns:
        (B, 3, crop, crop) uint8.
    """
    random = np.random.default_rng(seed)
    crops = [
        _draw_crop(photos[int(random.integers(len(photos)))], settings, random)
        for _ in range(settings.batch)
    ]
    return np.stack(crops).transpose(0, 3, 1, 2)


def _draw_crop(
    photo: Pixels, settings: PhotoCropSettings, random: np.random.Generator
) -> NDArray[np.uint8]:
    """(crop, crop, 3) uint8."""
    height, width = photo.shape[:2]
    crop = settings.crop
    side = int(random.uniform(*settings.view) * min(height, width))
    side = min(max(side, min(crop, height, width)), min(height, width))
    top = int(random.integers(height - side + 1))
    left = int(random.integers(width - side + 1))
    seen = photo[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > crop else cv2.INTER_CUBIC
    view = cv2.resize(seen, (crop, crop), interpolation=method)
    return np.asarray(view[:, ::-1] if random.random() < 0.5 else view, dtype=np.uint8)


# Long side to which photos are scaled down when they are read.
MAX_PHOTO_SIDE = 640
FOLDER = "vae"
"""Where a run hands out its model: diffusers' name for the latent autoencoder."""


class AutoencoderStage:
    """Model, data and loss of the latent autoencoder's training."""

    def __init__(self, settings: AutoencoderSettings, photos: Sequence[Pixels]) -> None:
        self.settings = settings
        self.batch = partial(_batch, photos, settings.crops, settings.loop.seed)
        torch.manual_seed(settings.loop.seed)
        model = LatentAutoencoder(**asdict(settings.model))
        if settings.start:
            load_fitting(model, settings.start)
        else:
            batches = [self.batch(-2 - i) for i in range(settings.fitted_batches)]
            model.fit(_scaled(torch.cat(batches), torch.device("cpu")))
        self.model = model.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        target = _scaled(batch, device_of(model))  # (B, 3, H, W)
        error = model(target).float() - target
        squared = error.square().mean()
        # Twice [−1, 1]'s half range is 1, hence the 4.
        parts = {"psnr": -10 * (squared.detach() / 4).log10()}
        return error.abs().mean() + self.settings.squared_weight * squared, parts

    def samples(self, model: nn.Module, batch: Tensor) -> dict[str, np.ndarray]:
        target = _scaled(batch, device_of(model))
        columns = torch.cat([target, model(target).float()], dim=2)  # (B, 3, 2·H, W)
        return {"reconstruction": side_by_side((columns + 1) / 2)}


def _scaled(crops: Tensor, device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 ⇒ float32 in [−1, 1]."""
    return crops.to(device).float() / 127.5 - 1


def _batch(photos: Sequence[Pixels], crops: PhotoCropSettings, seed: int, step: int) -> Tensor:
    # Step −1 draws the batch that sample pictures are made of, those below the closed-form start.
    return torch.from_numpy(draw_crops(photos, crops, (seed, step < -1, abs(step + 1))))


def train_autoencoder(
    folders: list[Folder],
    run: Path,
    settings: AutoencoderSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the latent autoencoder, see :func:`eie.train.core.loop.train_stage`.

    At the end the averaged weights are in `run/vae`, a diffusers model folder.
    """
    settings = settings or AutoencoderSettings()

    def make() -> AutoencoderStage:
        images = read_training_images(folders, MAX_PHOTO_SIDE)
        need_photos(images, folders)
        return AutoencoderStage(settings, images.all_photos)

    options = run_options("autoencoder", folders, settings, photos=len(photo_files(folders)))
    return train_stage(
        run,
        options,
        settings.loop,
        make,
        lambda stage: stage.model.half().save_pretrained(run / FOLDER),
        dry_run,
    )
