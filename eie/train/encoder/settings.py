"""Settings of stage 1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eie.train.core.settings import CropSettings, LoopSettings

Preset = Literal["tiny", "paper"]


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of both models of stage 1.

    The parameters of :class:`eie.models.content_encoder.ContentEncoder` and
    :class:`eie.models.light_decoder.LightDecoder`, at the paper's scale.
    """

    patch_size: int = 64
    embedding_dim: int = 128
    block_out_channels: tuple[int, ...] = (128, 128, 256, 512, 512)
    layers_per_block: int = 2
    norm_num_groups: int = 32
    unshuffle: bool = False
    luma: int = 0
    chroma: int = 0
    shape: int = 0
    patch_luma: int = 0
    patch_chroma: int = 0
    patch_shape: int = 0
    token_dim: int = 512
    self_layers: int = 8
    trunk_dim: int = 512
    cross_layers: int = 4
    heads: int = 8
    neighbours: int = 16


PAPER = EncoderConfig()
TINY = EncoderConfig(
    patch_size=32,
    block_out_channels=(32, 48, 64, 96),
    layers_per_block=1,
    # 8 channels a group at the least: with 1, as 32 groups would leave, the mean colour of a patch
    # is normalised away, and on CPUs the norm costs ten times as much.
    norm_num_groups=4,
    unshuffle=True,
    luma=90,
    chroma=7,
    shape=24,
    patch_luma=192,
    patch_chroma=24,
    patch_shape=64,
    token_dim=192,
    trunk_dim=128,
    heads=4,
    neighbours=8,
)

ENCODER_CROPS = CropSettings(
    batch=4,
    working_size=384,
    # Of some 1000 pixels mostly, as those of a photo of 512×512 cut into 256.
    elements=(192, 192, 192, 96, 288, 192, 192, 48, 192, 192, 600),
    zoom=1.35,
    stretch=1.15,
)


@dataclass(frozen=True)
class EncoderSettings:
    """Everything that determines a training of stage 1.

    segmenter: as of `eie decompose`; cuts the training photos.
    rate: highest learning rate.
    basis_rate: highest learning rate of the patch bases, which start at the closed-form optimum.
    basis_patches: patches that the closed-form start is fitted to; 0 for a random start.
    basis_photo: at most so many of them are of one photo.
    start: a model folder, or weights (safetensors), to start from, as far as their tensors fit; the
        closed form is fitted if they have not all of a linear code.
    decoder_only: the encoder stays what `start` has: element files keep their embeddings, and
        decoders that were trained on them stay valid.
    """

    model: EncoderConfig = TINY
    crops: CropSettings = ENCODER_CROPS
    loop: LoopSettings = LoopSettings(
        steps=1600, warmup=40, ema_decay=0.998, log_every=10, save_every=100
    )
    segmenter: str = "tiny"
    rate: float = 1e-3
    basis_rate: float = 4e-5
    basis_patches: int = 14_000
    basis_photo: int = 40
    start: Path | None = None
    decoder_only: bool = False
