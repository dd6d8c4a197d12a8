"""Settings of the latent autoencoder's training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eie.train.core.settings import LoopSettings


@dataclass(frozen=True)
class PhotoCropSettings:
    """How crops of plain photos are drawn.

    crop: side of a crop in pixels, a multiple of 8.
    batch: crops a batch.
    view: range of the side that is seen, as a share of the photo's short side; a crop is never
        enlarged unless the photo is smaller.
    """

    crop: int = 256
    batch: int = 4
    view: tuple[float, float] = (0.4, 1.0)


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of :class:`eie.models.latent_autoencoder.LatentAutoencoder`, which see."""

    latent_channels: int = 16
    width: int = 192
    blocks: int = 3
    fine_blocks: int = 1


@dataclass(frozen=True)
class AutoencoderSettings:
    """Everything but the photos that determines a training of the latent autoencoder.

    rate: highest learning rate.
    squared_weight: weight of the squared error against the absolute one.
    fitted_batches: batches that the linear encoder is fitted to.
    start: weights (safetensors) to start from, as far as their tensors fit; the linear encoder
        too is then kept.
    """

    model: AutoencoderConfig = AutoencoderConfig()
    crops: PhotoCropSettings = PhotoCropSettings()
    loop: LoopSettings = LoopSettings()
    rate: float = 1e-3
    squared_weight: float = 2.0
    fitted_batches: int = 64
    start: Path | None = None
