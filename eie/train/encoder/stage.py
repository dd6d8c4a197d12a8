"""Stage 1: content encoder and light decoder, trained jointly under ℓ2 (paper §3.2)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eie.models.content import save_content_model
from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder
from eie.train.core.checkpoint import averaged_weights, has_checkpoint, load_fitting, run_options
from eie.train.core.decomposed_photos import DecomposedPhotos
from eie.train.core.images import Folder, photo_files
from eie.train.core.loop import train
from eie.train.core.settings import CropSettings
from eie.train.core.sheets import side_by_side
from eie.train.encoder.bases import fit_bases
from eie.train.encoder.crops import CropBatch, draw_batch
from eie.train.encoder.settings import EncoderConfig, EncoderSettings

EVEN = 1e-3
"""Squared error far above which crops count alike, however hard they are: the loss is ℓ2 on the
scale of PSNR, which is how reconstructions are compared."""


class ElementAutoencoder(nn.Module):
    """Encoder and light decoder as one module, as they are trained."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        code: dict[str, Any] = {
            "embedding_dim": config.embedding_dim,
            "patch_size": config.patch_size,
            "luma": config.luma,
            "chroma": config.chroma,
            "shape": config.shape,
            "patch_luma": config.patch_luma,
            "patch_chroma": config.patch_chroma,
        }
        self.encoder = ContentEncoder(
            **code,
            block_out_channels=config.block_out_channels,
            layers_per_block=config.layers_per_block,
            norm_num_groups=config.norm_num_groups,
            unshuffle=config.unshuffle,
        )
        self.decoder = LightDecoder(
            **code,
            patch_shape=config.patch_shape,
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
    """Model, data and loss of stage 1.

    Args:
        fit: whether to make the start, in closed form or from weights; needless for a run that
            goes on.
    """

    def __init__(
        self, settings: EncoderSettings, photos: DecomposedPhotos, fit: bool = True
    ) -> None:
        self.settings = settings
        self.batch = partial(_batch, photos, settings.crops, settings.loop.seed)
        torch.manual_seed(settings.loop.seed)
        autoencoder = ElementAutoencoder(settings.model)
        if fit and settings.start:
            load_fitting(autoencoder, settings.start)
        if fit and settings.basis_patches and not has_code(autoencoder.encoder):
            patches = _some_patches(photos, settings.basis_patches, settings.basis_photo)
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
        error = (picture - target).square().mean(dim=(1, 2, 3))  # (B,)
        clipped = (picture.detach().clamp(0, 1) - target).square().mean(dim=(1, 2, 3))  # (B,)
        return (error + EVEN).log().mean(), {"psnr": -10 * clipped.log10().mean()}

    def samples(self, model: nn.Module, batch: CropBatch) -> dict[str, np.ndarray]:
        picture, target = self._decoded(model, batch)
        columns = torch.cat([target, picture.float()], dim=2)  # (B, 3, 2·crop, crop)
        return {"reconstruction": side_by_side(columns)}

    def _decoded(self, model: nn.Module, batch: CropBatch) -> tuple[Tensor, Tensor]:
        device = next(model.parameters()).device
        patches = batch.patches.to(device).float() / 255  # (B, N, 4, S, S)
        target = batch.target.to(device).float() / 255  # (B, 3, crop, crop)
        size = (target.shape[2], target.shape[3])
        picture = model(patches, batch.box.to(device), batch.visible.to(device), size)
        return picture, target


def has_code(encoder: ContentEncoder) -> bool:
    """Whether an encoder's linear code is known, all of it: it is 0 before."""
    return encoder.linear is None or all(bool(part.any()) for part in encoder.linear.buffers())


def _some_patches(photos: DecomposedPhotos, count: int, most: int) -> Tensor:
    """(≤ count, 4, S, S) uint8 patches, at most `most` of a photo, spread over the data set."""
    patches: list[Tensor] = []
    total = 0
    generator = np.random.default_rng(0)
    for index in generator.permutation(len(photos)):
        found = photos[int(index)].patches
        patches.append(torch.from_numpy(found[generator.permutation(len(found))[:most]]))
        total += len(patches[-1])
        if total >= count:
            break
    return torch.cat(patches)[:count]


def _batch(photos: DecomposedPhotos, crops: CropSettings, seed: int, step: int) -> CropBatch:
    # Step −1 draws the batch that sample pictures are made of.
    return draw_batch(photos, crops, (seed, step + 1))


def train_encoder(
    folders: list[Folder],
    run: Path,
    settings: EncoderSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train stage 1 on folders of photos, or go on with the run in `run`.

    Decompositions are cached beside the run, in `run`/../decompositions. At the end the averaged
    weights are in `run`, as a model folder that `--model` takes.

    Args:
        folders: photos.
        run: the run folder.
        settings: None for the `tiny` preset.
        dry_run: check everything and train nothing.

    Returns:
        All options that determine the run.

    Raises:
        BadInputError: a folder or image cannot be read.
        UsageError: `run` holds a run with other settings.
    """
    settings = settings or EncoderSettings()
    files = photo_files(folders)
    options = run_options("encoder", folders, len(files), settings)
    if dry_run:
        return options
    photos = DecomposedPhotos(
        files,
        run.parent / "decompositions",
        settings.model.patch_size,
        settings.crops,
        settings.segmenter,
    )
    stage = EncoderStage(settings, photos, fit=not has_checkpoint(run))
    train(stage, settings.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    save_content_model(run, stage.model.encoder, stage.model.decoder)
    return options
