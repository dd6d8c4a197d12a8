"""The refiner: what the classical decoder makes of a hole, brought closer to the photo.

A crop's hole is filled several times, as rendering does; the refiner sees all fills. Sometimes
there is but one, as in a decoder's training: it takes a third of the time, so more holes are new.

Some crops have an object that has to go, by its exact mask or picked as users pick: then the hole
takes along some of what is behind it, or leaves some of it beside the hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eie.decompose import SLIC, preloaded
from eie.errors import BadInputError
from eie.models.feature_distance import load_feature_distance
from eie.models.fill_refiner import FOLDER, FillRefiner, refine
from eie.models.plain import save_plain
from eie.render.choice import CONTEXTS, fills_of
from eie.render.seam import spoilt
from eie.train.augment import augmented, drawn_zoom, resized
from eie.train.decoder import cut_photos, square_about
from eie.train.dropout import draw_hole, draw_photo
from eie.train.encoded_photos import CutPhotos
from eie.train.feature_loss import feature_loss, mean_over
from eie.train.images import Folder, Pixels, read_training_images
from eie.train.loop import averaged_weights, load_fitting, run_options, train
from eie.train.masks import MaskDatabase
from eie.train.objects import (
    Mask,
    compressed,
    draw_object,
    pasted,
    picked_elements,
    rough_mask,
)
from eie.train.pictures import side_by_side
from eie.train.prepared import check_repeats, repeated
from eie.train.settings import RefinerSettings
from eie.train.shards import ShardedPhotos

JITTER = 24
"""Pixels by which a hole may lie beside the middle of the part that the loss is taken of."""

OUTLINED, PICKED = 3, 20
"""Width in pixels of the seam around masks and around elements, at the photos' working size."""

_PLAIN, _BLURRED = 0.1, 0.5
"""Shares of objects of one colour, and with a blurred border."""

_LEAST_SEEN = 64
"""Pixels that an object must have."""

_TRIES = 8
"""Crops drawn for each of a batch, at most, to find one with a hole."""


@dataclass(frozen=True, eq=False)
class RefinerBatch:
    """Crops with a hole, filled K times, or once.

    Attributes:
        target: (B, 3, crop, crop) uint8, the photo, with an object's remains where known.
        fills: (B, K, 3, crop, crop) uint8, every hole's best fill in the first.
        known: (B, 1, crop, crop) bool, where the photo's pixels are known.
    """

    target: Tensor
    fills: Tensor
    known: Tensor


class RefinerBatches:
    """Draws the batch of a step, a pure function of it and the settings.

    Crops without a hole are passed over, unless there are hardly others. Step −1 is that of sample
    pictures.
    """

    def __init__(
        self,
        photos: CutPhotos | ShardedPhotos,
        masks: MaskDatabase | None,
        settings: RefinerSettings,
        cutouts: Sequence[Pixels] = (),
    ) -> None:
        self.photos, self.masks, self.settings, self.cutouts = photos, masks, settings, cutouts
        self.segmenter = preloaded(settings.picking if cutouts else SLIC, "cpu")

    def __call__(self, step: int) -> RefinerBatch:
        random = np.random.default_rng((self.settings.loop.seed, step + 1))
        size = self.settings.crops.batch
        drawn: list[_Crop] = []
        for tries in range(_TRIES * size):
            crop = self._draw(random)
            missing, left = size - len(drawn), _TRIES * size - tries
            if crop.known.any() and (missing == left or not crop.known.all()):
                drawn.append(crop)
            if len(drawn) == size:
                break
        alone = random.random() < self.settings.alone
        contexts = (float(random.choice(CONTEXTS)),) if alone else CONTEXTS
        fills = [fills_of(crop.shown, ~crop.known, step % 2, contexts) for crop in drawn]
        target = np.stack([crop.target for crop in drawn])  # (B, crop, crop, 3)
        return RefinerBatch(
            target=torch.from_numpy(target).movedim(3, 1).contiguous(),
            fills=torch.from_numpy(np.array(fills)).movedim(4, 2).contiguous(),
            known=torch.from_numpy(np.stack([crop.known[None] for crop in drawn])),
        )

    def _draw(self, random: np.random.Generator) -> _Crop:
        settings = self.settings
        if self.cutouts and random.random() < settings.covered:
            return self._with_object(random, draw_photo(self.photos, settings.crops, random))
        photo, known = draw_hole(self.photos, self.masks, settings.crops, settings.dropout, random)
        return _Crop(photo, photo, known)

    def _with_object(self, random: np.random.Generator, photo: Pixels) -> _Crop:
        settings = self.settings
        scenes = replace(settings.scenes, crop=settings.crops.crop)
        layer = draw_object(random, self.cutouts, scenes, _PLAIN, _BLURRED)
        alpha = layer[..., 3]  # (crop, crop)
        shown = pasted(photo, layer)
        if random.random() < settings.compressed:
            quality = int(random.integers(55, 97))
            photo, shown = compressed(photo, quality), compressed(shown, quality)
        if random.random() < settings.exact:
            gone, seam = np.rint(alpha * 255) > 0, 0
        elif random.random() < settings.decomposed:
            gone = picked_elements(random, shown, alpha > 0.5, self.segmenter, settings.elements)
            seam = PICKED
        else:
            gone, seam = rough_mask(random, alpha), OUTLINED
        hole = spoilt(shown, gone, seam) > 0  # (crop, crop)
        if hole.sum() < _LEAST_SEEN or hole.all():
            hole = np.zeros_like(hole)
        target = np.where(hole[..., None], photo, shown)
        return _Crop(target, shown, ~hole)


@dataclass(frozen=True, eq=False)
class _Crop:
    """A crop.

    target: (crop, crop, 3) uint8, as in :class:`RefinerBatch`.
    shown: the same with the object that has to go, if there is one.
    known: (crop, crop) bool.
    """

    target: Pixels
    shown: Pixels
    known: Mask


class RefinerStage:
    """Model, data and loss of the refiner's training.

    Args:
        prepared: folder that batches are kept in, if they are to come again.
        cutouts: (h, w, 4) uint8 each, straight alpha, of the objects on some crops.
    """

    def __init__(
        self,
        settings: RefinerSettings,
        photos: CutPhotos | ShardedPhotos,
        masks: MaskDatabase | None,
        prepared: Path | None = None,
        cutouts: Sequence[Pixels] = (),
    ) -> None:
        self.settings = settings
        draw = RefinerBatches(photos, masks, settings, cutouts)
        self.batch = repeated(RefinerBatch, draw, prepared, settings.batches, settings.uses)
        features = load_feature_distance()
        self.features = features.to(memory_format=torch.channels_last)
        torch.manual_seed(settings.loop.seed)
        model = FillRefiner(**asdict(settings.model))
        if settings.start:
            load_fitting(model, settings.start)
        self.model = model.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: RefinerBatch) -> tuple[Tensor, dict[str, Tensor]]:
        device = next(model.parameters()).device
        target, fills, known = parts_of(batch, device, self.settings)
        made = self._refined(model, fills, known)  # (B, 3, side, side)
        unknown = 1 - known  # (B, 1, side, side)
        absolute = (made - target).abs().mean(dim=1, keepdim=True)  # (B, 1, side, side)
        parts = {
            "features": feature_loss(self.features, made, target, unknown),
            "absolute": mean_over(absolute, unknown),
        }
        return parts["features"] + self.settings.absolute_weight * parts["absolute"], parts

    def samples(self, model: nn.Module, batch: RefinerBatch) -> dict[str, np.ndarray]:
        device = next(model.parameters()).device
        target, fills, known = pictures_of(batch, device)
        columns = [target, *fills, self._refined(model, fills, known)]
        return {"refined": side_by_side(torch.cat(columns, dim=2))}

    def _refined(self, model: nn.Module, fills: Sequence[Tensor], known: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], what is known left as it is."""
        self.features.to(known.device)
        made = refine(model, self.settings.model.fills, self.features, fills, known).float()
        return known * fills[0] + (1 - known) * made


def parts_of(
    batch: RefinerBatch, device: torch.device, settings: RefinerSettings
) -> tuple[Tensor, list[Tensor], Tensor]:
    """A square about each hole, of crops that have one, varied: target, fills, known.

    Of a batch without any, the first crop, which then counts nothing.

    Returns:
        (B', 3, side, side) in [0, 1], as many for each fill, and (B', 1, side, side), 1 or 0.
    """
    crop = settings.crops.crop
    side = min(settings.side, crop)
    target, fills, known = pictures_of(batch, device)
    pictures = torch.stack([target, *fills], dim=1)  # (B, 1 + K, 3, crop, crop)
    parts = []
    for photo, where in zip(pictures, known, strict=True):
        size = min(round(side / drawn_zoom(settings.augment)), crop)
        top, left = square_about(where[0] == 0, size, JITTER)
        part = (slice(top, top + size), slice(left, left + size))
        seen, shown = resized(where[:, *part], photo[..., *part], side)
        least, most = settings.unknown
        if least <= 1 - float(seen.mean()) <= most:
            parts.append(augmented(seen, shown, settings.augment))
    if not parts:
        parts = [(torch.ones_like(known[0, :, :side, :side]), pictures[0, ..., :side, :side])]
    known = torch.stack([seen for seen, _ in parts])  # (B', 1, side, side)
    target, *fills = torch.stack([shown for _, shown in parts], dim=1)
    return target, fills, known


def pictures_of(batch: RefinerBatch, device: torch.device) -> tuple[Tensor, list[Tensor], Tensor]:
    """Photo and fills, (B, 3, H, W) in [0, 1] each, and known (B, 1, H, W)."""
    target, fills, known = (
        plane.to(device).float() for plane in (batch.target, batch.fills, batch.known)
    )
    return target / 255, list((fills / 255).unbind(dim=1)), known


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
        UsageError: `run` holds a run with other settings, or batches are to be repeated in two
            ways.
        MissingModelError: ImageNet's weights are not installed.
    """
    settings = settings or RefinerSettings()
    photos, masks, cutouts = what_has_holes(folders, run, settings)
    options = run_options("refiner", folders, len(photos), settings)
    if dry_run:
        return options
    stage = RefinerStage(settings, photos, masks, run / "batches", cutouts)
    train(stage, settings.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    save_plain(stage.model, run / FOLDER, asdict(settings.model))
    return options


def what_has_holes(
    folders: Sequence[Folder], run: Path, settings: RefinerSettings
) -> tuple[CutPhotos | ShardedPhotos, MaskDatabase | None, tuple[Pixels, ...]]:
    """The photos, masks and cut-outs that :class:`RefinerBatches` draws from.

    Raises:
        BadInputError, UsageError: as of :func:`train_refiner`.
    """
    check_repeats(settings.batches, settings.uses)
    photos = cut_photos(folders, run.parent, settings)
    masks = MaskDatabase.load(settings.masks) if settings.masks else None
    return photos, masks, cutouts_of(settings.objects) if settings.objects else ()


def cutouts_of(folder: str) -> tuple[Pixels, ...]:
    """(h, w, 4) uint8 each, the cut-outs of `FOLDER` or `FOLDER:K`.

    Raises:
        BadInputError: there are none, or one cannot be read.
    """
    # Photos among them are not used, so they need no pixels.
    cutouts = read_training_images([Folder.parse(folder)], max_side=1).cutouts
    if not cutouts:
        raise BadInputError(
            "no cut-outs with an alpha channel", where=folder, hint="objects are RGBA images"
        )
    return cutouts
