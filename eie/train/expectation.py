"""Expected features: what a refiner's answers tell of a hole's truth.

Holes are those of the refiner's training. It stays as it is; a small network learns the ImageNet
features that the photo has on average where the refinements of a hole's guesses have theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eie.errors import UsageError
from eie.models.content import EMBEDDED, TINY
from eie.models.feature_distance import stage_distances
from eie.models.feature_expectation import FOLDER, FeatureExpectation, answers, descended
from eie.models.fill_refiner import load_refiner
from eie.models.plain import save_plain
from eie.train.encoded_photos import CutPhotos
from eie.train.feature_loss import mean_over
from eie.train.images import Folder, Pixels
from eie.train.loop import averaged_weights, run_options, train
from eie.train.masks import MaskDatabase
from eie.train.pictures import side_by_side
from eie.train.prepared import repeated
from eie.train.refiner import (
    RefinerBatch,
    RefinerBatches,
    parts_of,
    pictures_of,
    what_has_holes,
)
from eie.train.settings import ExpectationSettings
from eie.train.shards import ShardedPhotos

SHOWN_STEPS = 10
"""Of the descent, in sample pictures."""


class ExpectationStage:
    """Model, data and loss of the training; arguments as of :class:`RefinerStage`.

    Raises:
        UsageError: the refiner sees one guess only.
    """

    def __init__(
        self,
        settings: ExpectationSettings,
        photos: CutPhotos | ShardedPhotos,
        masks: MaskDatabase | None,
        prepared: Path | None = None,
        cutouts: Sequence[Pixels] = (),
    ) -> None:
        self.settings = settings
        holes = settings.holes
        draw = RefinerBatches(photos, masks, holes, cutouts)
        self.batch = repeated(RefinerBatch, draw, prepared, holes.batches, holes.uses)
        loaded = load_refiner(settings.refiner or EMBEDDED / TINY)
        if loaded.model.fills == 1:
            raise UsageError(
                "this refiner sees one guess only, which agrees with itself",
                where=str(settings.refiner),
                hint="take one that sees several",
            )
        self.refiner = loaded.model.requires_grad_(False)
        self.features = loaded.features
        torch.manual_seed(holes.loop.seed)
        self.config: dict[str, Any] = {
            "widths": self.refiner.widths,
            "hidden": settings.hidden,
            "fills": self.refiner.fills,
        }
        self.model = FeatureExpectation(**self.config)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.holes.rate}]

    def loss(self, model: nn.Module, batch: RefinerBatch) -> tuple[Tensor, dict[str, Tensor]]:
        device = next(model.parameters()).device
        target, fills, known = parts_of(batch, device, self.settings.holes)
        _, seen, levels = self._seen(fills, known)
        with torch.no_grad():
            truth = self.features.features(target)

        def away(features: Sequence[Tensor]) -> Tensor:
            """The mean distance of features from the photo's, over what is not known."""
            distance = self.features.on_pixels(stage_distances(features, truth), target.shape[-2:])
            return mean_over(distance, 1 - known)

        loss = away(model(seen, levels))
        return loss, {"features": loss, "refined": away(seen[0])}

    def samples(self, model: nn.Module, batch: RefinerBatch) -> dict[str, np.ndarray]:
        device = next(model.parameters()).device
        target, fills, known = pictures_of(batch, device)
        made, seen, levels = self._seen(fills, known)
        expected = model(seen, levels)
        fill = descended(self.features, made[0], known, expected, SHOWN_STEPS)
        return {"descended": side_by_side(torch.cat([target, fills[0], made[0], fill], dim=2))}

    def _seen(
        self, fills: Sequence[Tensor], known: Tensor
    ) -> tuple[list[Tensor], list[list[Tensor]], list[Tensor]]:
        """The refinements, their features, and the refiner's levels at the first."""
        self.refiner.to(known.device)
        self.features.to(known.device)
        with torch.no_grad():
            made, levels = answers(self.refiner, self.features, fills, known)
            return made, [self.features.features(answer) for answer in made], levels


def train_expectation(
    folders: Sequence[Folder],
    run: Path,
    settings: ExpectationSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train expected features on folders of photos, or go on with the run in `run`.

    At the end the averaged weights are in `run/expectation`.

    Args:
        folders, run, dry_run: as of :func:`eie.train.refiner.train_refiner`.
        settings: None for the defaults.

    Returns:
        All options that determine the run.

    Raises:
        BadInputError, UsageError: as there.
        MissingModelError: there is no refiner, or ImageNet's weights are not installed.
    """
    settings = settings or ExpectationSettings()
    photos, masks, cutouts = what_has_holes(folders, run, settings.holes)
    options = run_options("expectation", folders, len(photos), settings)
    if dry_run:
        return options
    stage = ExpectationStage(settings, photos, masks, run / "batches", cutouts)
    train(stage, settings.holes.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    save_plain(stage.model, run / FOLDER, stage.config)
    return options
