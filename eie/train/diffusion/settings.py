"""Settings of stage 2, the diffusion decoder, and of its masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from eie.train.core.settings import CropSettings, LoopSettings

DECODER_CROPS = CropSettings(batch=4, working_size=384, elements=(144,), stretch=1.15)
"""Of stage 2, at the `tiny` preset."""


@dataclass(frozen=True)
class DropoutSettings:
    """Element dropout (paper §3.4): what the decoder must learn to make up.

    share: of crops in which elements are dropped.
    side: range of the dropping mask's longer side, as a share of the crop's side.
    covered: an element is dropped if the mask covers at least this share of it.
    random_partition: cut crops with dropped elements by another photo's label map, so that the
        hole's border says nothing of the borders in the photo.
    known: share of crops, among those with dropped elements, whose other pixels are known, as in
        anchored rendering.
    """

    share: float = 0.9
    side: tuple[float, float] = (0.2, 0.85)
    covered: float = 0.5
    random_partition: bool = True
    known: float = 0.8


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the tiny diffusion decoder: its U-Net and its element attention.

    block_out_channels, layers_per_block, heads: of diffusers' `UNet2DConditionModel`; the first
        level has no attention.
    text_dim: of the text that the U-Net could read; the tiny decoder is given none.
    token_dim, hidden_dim, frequencies, geometry_bias: of
        :class:`eie.models.element_attention.ElementAttention`.
    """

    block_out_channels: tuple[int, ...] = (64, 96, 96)
    layers_per_block: int = 1
    heads: int = 2
    text_dim: int = 32
    token_dim: int = 192
    hidden_dim: int = 256
    frequencies: int = 8
    geometry_bias: bool = True


PHOTOS_OF_SHARD = 1000
"""Photos in a shard."""

Objective = Literal["epsilon", "v_prediction"]


@dataclass(frozen=True)
class DecoderSettings:
    """Everything but the photos that determines a training of stage 2.

    base: folder or hub id of an element model to train on, as `eie models init` makes; None for
        new networks. Its U-Net, element attention, autoencoder, schedule and text encoder are
        taken; `model` and `vae` are then of no use.
    encoder: model folder of stage 1, or "tiny".
    vae: folder of the latent autoencoder, or "tiny".
    masks: file of object masks made by `eie train masks`; None for ellipses.
    objective: what the U-Net predicts.
    min_snr: γ of min-SNR loss weights; 0 for none.
    text_dropout: share of captions that are left out; elements are dropped as often, on their
        own, so that guidance has its unconditional side.
    light_picture: give the U-Net the light decoder's picture as extra input channels.
    picture_features: give it that picture's ImageNet features, too; only with a light picture.
    guess_deviation: let the U-Net make what is to be added to a first guess, the light decoder's
        picture or the classical decoder's fill, instead of everything; the standard deviation of
        what an untrained U-Net adds, in latents. 0 for everything, as in the paper. Only with a
        light picture and `v_prediction`.
    feature_weight: weight of the distance in ImageNet features between the denoised picture and
        the photo, where that is not known; 0 for none.
    feature_crop: side in pixels of the part of a crop that this is taken of, a multiple of 8.
    known_weight: weight of what is known already in the loss.
    channel_power: how much more a latent channel counts in the loss that decodes to larger
        differences of pixels: 0 not at all, 1 in proportion to these.
    rate: highest learning rate.
    freeze: leave the content encoder as stage 1 left it (the paper's default).
    joint: train a content encoder from nothing together with the decoder instead of stage 1.
    checkpointing: compute the U-Net's activations again instead of keeping them; less memory.
    guidance: guidance scale that the model is to be used with. Far above 1 it needs a well
        trained model: it enlarges errors, too.
    temperature: how far from what it expects most the model is to be used,
        see :class:`eie.models.pipeline.ImageElementsPipeline`.
    last_share: share of crops that are at the schedule's last step, pure noise, where all is to be
        told from what is known. The others are at any step.
    batches: different batches, kept in the run's folder; after so many they come again, with other
        noise. Drawing one costs as much as a step. None for new ones all along.
    start: weights (safetensors) to start from, as far as their tensors fit.
    """

    model: DecoderConfig = DecoderConfig()
    base: str | None = None
    crops: CropSettings = DECODER_CROPS
    dropout: DropoutSettings = DropoutSettings()
    loop: LoopSettings = LoopSettings(steps=4000, warmup=200)
    segmenter: str = "slic"
    encoder: str = "tiny"
    vae: str = "tiny"
    masks: Path | None = None
    objective: Objective = "v_prediction"
    min_snr: float = 0.0
    text_dropout: float = 0.1
    light_picture: bool = True
    picture_features: bool = True
    guess_deviation: float = 0.05
    feature_weight: float = 10.0
    feature_crop: int = 128
    known_weight: float = 0.1
    channel_power: float = 0.5
    rate: float = 2e-4
    freeze: bool = True
    joint: bool = False
    checkpointing: bool = False
    guidance: float = 1.5
    temperature: float = 1.0
    last_share: float = 0.0
    batches: int | None = None
    start: Path | None = None

    @property
    def sees_features(self) -> bool:
        """Whether the U-Net is told of ImageNet features."""
        return self.light_picture and self.picture_features

    @property
    def corrects(self) -> bool:
        """Whether the U-Net makes what is to be added to a first guess."""
        guessed = self.light_picture and self.objective == "v_prediction"
        return guessed and self.guess_deviation > 0


PAPER_DECODER = DecoderSettings(
    crops=CropSettings(crop=512, batch=4, elements=(256,), zoom=1.25, stretch=1.15),
    dropout=DropoutSettings(known=0.0),
    loop=LoopSettings(steps=180_000, warmup=1000, ema_decay=0.9999),
    objective="epsilon",
    light_picture=False,
    picture_features=False,
    guess_deviation=0.0,
    feature_weight=0.0,
    known_weight=1.0,
    channel_power=0.0,
    rate=1e-5,
    checkpointing=True,
    guidance=3.0,
)
"""Stage 2 of the paper: the plain ε loss, nothing seen but elements and text."""


def decoder_settings(base: str | None = None) -> DecoderSettings:
    """The settings to begin with: for an element model to train on, the paper's.

    Such a model brings its own content encoder.
    """
    if base is None:
        return DecoderSettings()
    return replace(PAPER_DECODER, base=base, encoder=base)


@dataclass(frozen=True)
class MaskSettings:
    """How the mask database is built.

    side: of the shapes, in samples.
    area: range of what a shape may take of its picture to count as an object's; cut-outs and
        black-and-white pictures are taken whatever their area.
    objects_of_photo: objects grown in each plain photo.
    segmenter: as of `eie decompose`; for plain photos.
    """

    side: int = 96
    area: tuple[float, float] = (0.01, 0.4)
    objects_of_photo: int = 4
    segmenter: str = "tiny"
