"""Stage 1: content encoder and light decoder, trained jointly under ℓ2 (paper §3.2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder
from eie.train.basis import fit_bases
from eie.train.element_crops import CropBatch, CropSettings, DecomposedPhotos, draw_batch
from eie.train.images import Folder, photo_files
from eie.train.loop import train
from eie.train.settings import LoopSettings


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of both models; see :class:`ContentEncoder` and :class:`LightDecoder`."""

    patch_size: int = 64
    embedding_dim: int = 128
    block_out_channels: tuple[int, ...] = (128, 128, 256, 512, 512)
    layers_per_block: int = 2
    unshuffle: bool = False
    luma: int = 0
    chroma: int = 0
    shape: int = 0
    token_dim: int = 512
    self_layers: int = 8
    trunk_dim: int = 512
    cross_layers: int = 4
    heads: int = 8
    neighbours: int = 16


PAPER = EncoderConfig()
TINY = EncoderConfig(
    patch_size=32,
    block_out_channels=(32, 64, 96, 128),
    layers_per_block=1,
    unshuffle=True,
    luma=88,
    chroma=8,
    shape=24,
    token_dim=128,
    trunk_dim=224,
    heads=4,
    neighbours=8,
)


@dataclass(frozen=True)
class EncoderSettings:
    """Everything that determines a training of stage 1.

    segmenter: as of `eie decompose`; cuts the training photos.
    rate: highest learning rate.
    basis_rate: highest learning rate of the patch bases, which start at the closed-form optimum.
    basis_patches: patches that the closed-form start is fitted to; 0 for a random start.
    """

    model: EncoderConfig = TINY
    crops: CropSettings = field(default_factory=CropSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)
    segmenter: str = "tiny"
    rate: float = 6e-4
    basis_rate: float = 1e-4
    basis_patches: int = 16_000


class ElementAutoencoder(nn.Module):
    """Encoder and light decoder as one module, as they are trained."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        code = {
            "embedding_dim": config.embedding_dim,
            "patch_size": config.patch_size,
            "luma": config.luma,
            "chroma": config.chroma,
            "shape": config.shape,
        }
        self.encoder = ContentEncoder(
            **code,
            block_out_channels=config.block_out_channels,
            layers_per_block=config.layers_per_block,
            unshuffle=config.unshuffle,
        )
        self.decoder = LightDecoder(
            **code,
            token_dim=config.token_dim,
            self_layers=config.self_layers,
            trunk_dim=config.trunk_dim,
            cross_layers=config.cross_layers,
            heads=config.heads,
            neighbours=config.neighbours,
        )

    def forward(
        self, patches: Tensor, box: Tensor, visible: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """(B, N, 4, S, S) in [0, 1], (B, N, 4), (B, N) ⇒ (B, 3, height, width)."""
        embeddings = box.new_zeros(*visible.shape, self.encoder.config.embedding_dim)
        embeddings[visible] = self.encoder(patches[visible])
        return self.decoder(embeddings, box, visible, size)


class EncoderStage:
    """Model, data and loss of stage 1."""

    def __init__(self, settings: EncoderSettings, photos: DecomposedPhotos) -> None:
        self.settings = settings
        self.batch = partial(_batch, photos, settings.crops, settings.loop.seed)
        torch.manual_seed(settings.loop.seed)
        autoencoder = ElementAutoencoder(settings.model)
        if settings.basis_patches:
            patches = _some_patches(photos, settings.basis_patches)
            fit_bases(autoencoder.encoder, autoencoder.decoder, patches)
        self.model = autoencoder.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        bases = [p for name, p in self.model.named_parameters() if name.endswith("_basis")]
        known = {id(basis) for basis in bases}
        others = [p for p in self.model.parameters() if id(p) not in known]
        return [
            {"params": others, "lr": self.settings.rate},
            {"params": bases, "lr": self.settings.basis_rate, "weight_decay": 0.0},
        ]

    def loss(self, model: nn.Module, batch: CropBatch) -> tuple[Tensor, dict[str, Tensor]]:
        picture, target = self._decoded(model, batch)
        error = F.mse_loss(picture, target)
        psnr = -10 * F.mse_loss(picture.detach().clamp(0, 1), target).log10()
        return error, {"psnr": psnr}

    def samples(self, model: nn.Module, batch: CropBatch) -> dict[str, np.ndarray]:
        picture, target = self._decoded(model, batch)
        rows = torch.cat([target, picture.float().clamp(0, 1)], dim=2)  # (B, 3, 2·crop, crop)
        sheet = torch.cat(list(rows), dim=2).mul(255).round().byte()  # (3, 2·crop, B·crop)
        return {"reconstruction": sheet.permute(1, 2, 0).cpu().numpy()}

    def _decoded(self, model: nn.Module, batch: CropBatch) -> tuple[Tensor, Tensor]:
        device = next(model.parameters()).device
        patches = batch.patches.to(device).float() / 255  # (B, N, 4, S, S)
        target = batch.target.to(device).float() / 255  # (B, 3, crop, crop)
        size = (target.shape[2], target.shape[3])
        picture = model(patches, batch.box.to(device), batch.visible.to(device), size)
        return picture, target


def _some_patches(photos: DecomposedPhotos, count: int) -> Tensor:
    """(≤ count, 4, S, S) uint8 patches of photos spread over the data set."""
    patches: list[Tensor] = []
    total = 0
    order = np.random.default_rng(0).permutation(len(photos))
    for index in order:
        found = torch.from_numpy(photos[int(index)].patches)
        patches.append(found)
        total += len(found)
        if total >= count:
            break
    return torch.cat(patches)[:count]


def _batch(photos: DecomposedPhotos, crops: CropSettings, seed: int, step: int) -> CropBatch:
    # Step −1 draws the batch that sample pictures are made of.
    return draw_batch(photos, crops, (seed, step + 1))


def train_encoder(
    folders: list[Folder], run: Path, settings: EncoderSettings = EncoderSettings()
) -> None:
    """Train stage 1 on folders of photos, or go on with the run in `run`.

    Decompositions are cached beside the run, in `run`/../decompositions.

    Raises:
        BadInputError: a folder or image cannot be read.
        UsageError: `run` holds a run with other settings.
    """
    photos = DecomposedPhotos(
        photo_files(folders),
        run.parent / "decompositions",
        settings.model.patch_size,
        settings.crops,
        settings.segmenter,
    )
    options = {"data": [str(folder) for folder in folders], **asdict(settings)}
    train(EncoderStage(settings, photos), settings.loop, run, options)
