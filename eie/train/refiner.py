"""The refiner: what the classical decoder makes of a hole, brought closer to the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eie.models.feature_distance import features_of, load_feature_distance
from eie.models.fill_refiner import FOLDER, FillRefiner
from eie.models.plain import save_plain
from eie.train.decoder import drawn_batch, encoded_photos, square_about
from eie.train.dropout import DecoderBatch
from eie.train.encoded_photos import EncodedPhotos
from eie.train.feature_loss import feature_loss, mean_over
from eie.train.images import Folder
from eie.train.loop import averaged_weights, load_fitting, run_options, train
from eie.train.masks import MaskDatabase
from eie.train.pictures import side_by_side
from eie.train.prepared import repeated
from eie.train.settings import RefinerSettings
from eie.train.shards import ShardedPhotos

JITTER = 24
"""Pixels by which a hole may lie beside the middle of the part that the loss is taken of."""


class RefinerStage:
    """Model, data and loss of the refiner's training.

    Args:
        prepared: folder that batches are kept in, if they are to come again.
    """

    def __init__(
        self,
        settings: RefinerSettings,
        photos: EncodedPhotos | ShardedPhotos,
        masks: MaskDatabase | None,
        prepared: Path | None = None,
    ) -> None:
        self.settings = settings
        draw = drawn_batch(photos, masks, settings)
        self.batch = repeated(DecoderBatch, draw, prepared, settings.batches)
        features = load_feature_distance()
        self.features = features.to(memory_format=torch.channels_last)
        torch.manual_seed(settings.loop.seed)
        model = FillRefiner(**asdict(settings.model))
        if settings.start:
            load_fitting(model, settings.start)
        self.model = model.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: DecoderBatch) -> tuple[Tensor, dict[str, Tensor]]:
        target, guess, known = self._parts(batch, next(model.parameters()).device)
        made = self._refined(model, guess, known)  # (B, 3, side, side)
        unknown = 1 - known  # (B, 1, side, side)
        absolute = (made - target).abs().mean(dim=1, keepdim=True)  # (B, 1, side, side)
        parts = {
            "features": feature_loss(self.features, made, target, unknown),
            "absolute": mean_over(absolute, unknown),
        }
        return parts["features"] + self.settings.absolute_weight * parts["absolute"], parts

    def samples(self, model: nn.Module, batch: DecoderBatch) -> dict[str, np.ndarray]:
        device = next(model.parameters()).device
        target, guess, known = _pictures(batch, device)
        columns = [target, guess, self._refined(model, guess, known)]
        return {"refined": side_by_side(torch.cat(columns, dim=2))}

    def _refined(self, model: nn.Module, guess: Tensor, known: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], what is known left as it is."""
        self.features.to(guess.device)
        with torch.no_grad():
            features = features_of(self.features, guess)
        made = model(guess, known, features).float()
        return known * guess + (1 - known) * made

    def _parts(self, batch: DecoderBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """A square about each hole, of crops that have one: target, guess, known; some mirrored.

        Of a batch without any, the first crop, which then counts nothing.
        """
        side = min(self.settings.side, self.settings.crops.crop)
        pictures = torch.cat(_pictures(batch, device), dim=1)  # (B, 7, crop, crop)
        parts = []
        for picture, unknown in zip(pictures, ~batch.known[:, 0], strict=True):
            top, left = square_about(unknown, side, JITTER)
            part = picture[:, top : top + side, left : left + side]
            least, most = self.settings.unknown
            if least <= 1 - float(part[6].mean()) <= most:
                parts.append(part.flip(2) if torch.rand(()) < 0.5 else part)
        if not parts:
            parts = [pictures[0, :, :side, :side].index_fill(0, torch.tensor(6).to(device), 1.0)]
        target, guess, known = torch.stack(parts).split([3, 3, 1], dim=1)
        return target, guess, known


def _pictures(batch: DecoderBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Photo, photo with the guess in its hole, (B, 3, H, W) in [0, 1], and known (B, 1, H, W)."""
    target, guess, known = (
        plane.to(device).float() for plane in (batch.target, batch.guess, batch.known)
    )
    return target / 255, (known * target + (1 - known) * guess) / 255, known


def train_refiner(
    folders: Sequence[Folder],
    run: Path,
    settings: RefinerSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the refiner on folders of photos, or go on with the run in `run`.

    Its crops are those of the decoder's training. At the end the averaged weights are in
    `run/refiner`.

    Args:
        folders: photos, or shards of :func:`eie.train.decoder.train_shards`.
        run: the run folder.
        settings: None for the defaults.
        dry_run: check everything and train nothing.

    Returns:
        All options that determine the run.

    Raises:
        BadInputError: a folder, shard, image or mask database cannot be read.
        UsageError: `run` holds a run with other settings.
        MissingModelError: ImageNet's weights are not installed.
    """
    settings = settings or RefinerSettings()
    photos = encoded_photos(folders, run.parent, settings)
    options = run_options("refiner", folders, len(photos), settings)
    masks = MaskDatabase.load(settings.masks) if settings.masks else None
    if dry_run:
        return options
    stage = RefinerStage(settings, photos, masks, run / "batches")
    train(stage, settings.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    save_plain(stage.model, run / FOLDER, asdict(settings.model))
    return options
