"""Stage 1: content encoder and light decoder, trained jointly under ℓ2 (paper §3.2).

A crop is stretched, mirrored and resized at random, and the elements' boxes with it, so that the
decoder sees every element at many sizes while its patch stays what it was.
"""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eie.models.content_checkpoints import DECODER_FOLDER, ENCODER_FOLDER, save_content_model
from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder
from eie.models.weight_files import WEIGHTS_FILE
from eie.train.core.checkpoint import has_checkpoint, load_fitting, run_options
from eie.train.core.decomposed_photos import (
    Decomposed,
    DecomposedPhotos,
    boxes_in_view,
    random_view,
)
from eie.train.core.images import Folder, photo_files
from eie.train.core.log import side_by_side
from eie.train.core.loop import device_of, train_stage
from eie.train.core.settings import CropSettings
from eie.train.encoder.bases import fit_bases
from eie.train.encoder.settings import EncoderConfig, EncoderSettings


@dataclass(frozen=True, eq=False)
class CropBatch:
    """A batch of stage 1.

    Attributes:
        patches: (B, N, 4, S, S) uint8 masked RGB and mask.
        box: (B, N, 4) float32 on the crop, in pixels.
        visible: (B, N) bool, False for padding.
        target: (B, 3, crop, crop) uint8.
    """

    patches: Tensor
    box: Tensor
    visible: Tensor
    target: Tensor


def draw_batch(
    photos: DecomposedPhotos, settings: CropSettings, seed: tuple[int, ...]
) -> CropBatch:
    """Random crops of random photos; a pure function of the seed."""
    random = np.random.default_rng(seed)
    crops = [
        _draw_crop(photos[int(random.integers(len(photos)))], settings, random)
        for _ in range(settings.batch)
    ]
    most, side = max(len(box) for _, box, _ in crops), photos.patch_size
    batch = CropBatch(
        patches=torch.zeros(len(crops), most, 4, side, side, dtype=torch.uint8),
        box=torch.ones(len(crops), most, 4),
        visible=torch.zeros(len(crops), most, dtype=torch.bool),
        target=torch.stack([torch.from_numpy(target) for *_, target in crops]),
    )
    for row, (patches, box, _) in enumerate(crops):
        batch.patches[row, : len(box)] = torch.from_numpy(patches)
        batch.box[row, : len(box)] = torch.from_numpy(box)
        batch.visible[row, : len(box)] = True
    return batch


def _draw_crop(
    photo: Decomposed, settings: CropSettings, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One crop: patches (N, 4, S, S), boxes (N, 4) float32 on it, target (3, crop, crop) uint8."""
    import cv2

    view, factor = random_view(photo.pixels.shape[:2], settings, random)
    target = photo.pixels[view]
    method = cv2.INTER_AREA if factor.min() < 1 else cv2.INTER_CUBIC
    target = cv2.resize(target, (settings.crop, settings.crop), interpolation=method)

    box, near = boxes_in_view(photo.box, view, factor, settings.crop)
    patches, box = photo.patches[near], box[near]
    if random.random() < 0.5:
        target, patches = target[:, ::-1], patches[..., ::-1]
        box[:, 0] = settings.crop - box[:, 0]
    return (
        np.ascontiguousarray(patches),
        box.astype(np.float32),
        np.ascontiguousarray(np.moveaxis(target, 2, 0)),
    )


EVEN = 1e-3
"""Squared error far above which crops count alike, however hard they are: the loss is ℓ2 on the
scale of PSNR, which is how reconstructions are compared."""


class ElementAutoencoder(nn.Module):
    """Encoder and light decoder as one module, as they are trained."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        sizes = asdict(config)
        self.encoder = ContentEncoder(**_taken(ContentEncoder, sizes))
        self.decoder = LightDecoder(**_taken(LightDecoder, sizes))

    def forward(
        self, patches: Tensor, box: Tensor, visible: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """(B, N, 4, S, S) in [0, 1], (B, N, 4), (B, N) ⇒ (B, 3, height, width)."""
        embeddings = box.new_zeros(*visible.shape, self.encoder.config.embedding_dim)
        embeddings[visible] = self.encoder(patches[visible])
        return self.decoder(embeddings, box, visible, size)


def _taken(model: type[nn.Module], sizes: dict[str, Any]) -> dict[str, Any]:
    """Those of the sizes that a model has."""
    return {name: sizes[name] for name in inspect.signature(model).parameters if name in sizes}


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
            _start(autoencoder, settings.start)
        if fit and settings.basis_patches and not has_code(autoencoder.encoder):
            patches = _some_patches(photos, settings.basis_patches, settings.basis_photo)
            fit_bases(autoencoder.encoder, autoencoder.decoder, patches)
        autoencoder.encoder.requires_grad_(not settings.decoder_only)
        self.model = autoencoder.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        bases = [p for name, p in trained.items() if name.endswith("_basis")]
        others = [p for name, p in trained.items() if not name.endswith("_basis")]
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
        device = device_of(model)
        patches = batch.patches.to(device).float() / 255  # (B, N, 4, S, S)
        target = batch.target.to(device).float() / 255  # (B, 3, crop, crop)
        size = (target.shape[2], target.shape[3])
        picture = model(patches, batch.box.to(device), batch.visible.to(device), size)
        return picture, target


def _start(autoencoder: ElementAutoencoder, start: Path) -> None:
    """Take weights over, of a model folder or of a file."""
    if start.is_dir():
        load_fitting(autoencoder.encoder, start / ENCODER_FOLDER / WEIGHTS_FILE)
        load_fitting(autoencoder.decoder, start / DECODER_FOLDER / WEIGHTS_FILE)
    else:
        load_fitting(autoencoder, start)


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
    folders: list[Folder], run: Path, settings: EncoderSettings | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Train stage 1, see :func:`eie.train.core.loop.train_stage`.

    Decompositions are cached beside the run, in `run`/../decompositions. At the end the averaged
    weights are in `run`, as a model folder that `--model` takes.
    """
    settings = settings or EncoderSettings()
    files = photo_files(folders)

    def make() -> EncoderStage:
        photos = DecomposedPhotos(
            files,
            run.parent / "decompositions",
            settings.model.patch_size,
            settings.crops,
            settings.segmenter,
        )
        return EncoderStage(settings, photos, fit=not has_checkpoint(run))

    return train_stage(
        run,
        run_options("encoder", folders, settings, photos=len(files)),
        settings.loop,
        make,
        lambda stage: save_content_model(run, stage.model.encoder, stage.model.decoder),
        dry_run,
    )
