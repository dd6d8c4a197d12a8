"""Settings of the trainings. No torch here: the command line reads the defaults for its help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "bf16", "fp16", "no"]
Preset = Literal["tiny", "paper"]


@dataclass(frozen=True)
class LoopSettings:
    """How a stage is optimised.

    steps: length of the run; the learning rate falls to nothing over it along a cosine.
    warmup: steps over which the learning rate rises.
    seed: of the batches and of the initial weights.
    precision: of the matrix products and convolutions; "auto" is the fastest of the machine's, "no"
        is float32.
    weight_decay, max_norm: of AdamW and of gradient clipping.
    ema_decay: of the averaged weights, which are those handed out.
    workers: processes that prepare batches.
    accumulate: batches whose gradients make one step.
    log_every, sample_every, save_every: steps between log lines, pictures and checkpoints.
    """

    steps: int = 2100
    warmup: int = 100
    seed: int = 0
    precision: Precision = "auto"
    weight_decay: float = 0.01
    max_norm: float = 1.0
    ema_decay: float = 0.999
    workers: int = 1
    accumulate: int = 1
    log_every: int = 20
    sample_every: int = 200
    save_every: int = 200


@dataclass(frozen=True)
class SceneSettings:
    """How the segmenter's crops are drawn.

    crop: side of a crop in pixels, a multiple of 32, at most 512.
    batch: crops in a batch.
    annotators: label maps taken of each crop.
    frame: range of sqrt(height · width) of the imagined whole photo, in pixels of the 512 frame;
        it is the unit of the distance d and, with `elements`, sets the spacing of the queries.
    elements: queries of the imagined whole photo.
    zoom: range of the photo's magnification against the frame.
    segmented, pasted: share of crops of segmented photos, and the share of these with objects.
    objects: at most that many pasted objects; object_side: range of their long side in crops.
    """

    crop: int = 256
    batch: int = 4
    annotators: int = 3
    frame: tuple[float, float] = (400.0, 512.0)
    elements: int = 256
    zoom: tuple[float, float] = (0.75, 1.5)
    segmented: float = 0.75
    pasted: float = 0.25
    objects: int = 3
    object_side: tuple[float, float] = (0.2, 0.9)


@dataclass(frozen=True)
class SegmenterSettings:
    """Everything but the images that determines a training of the segmenter.

    beta: β of the assignment that is trained for.
    border_weight: extra weight, in the elements' goal, of pixels next to a segment's border.
    affinity_weight, dice_weight, iou_weight: weights of the affinity's cross-entropy and overlap
        and of the mask quality, against the elements' goal.
    softness: factor between the logits and those of the affinity's probability. Borders that some
        people do not see must outweigh β·d too, so that s has to be steeper than likelihood.
    sharpening: factor on the logits of the weights handed out. A soft assignment, which is trained,
        gains less from steep logits than the argmax, which is used.
    affinity_pixels: pixels of a crop that the affinity is trained on, drawn anew each step.
    head_rate, backbone_rate: highest learning rates of everything else and of the backbone.
    imagenet: start the backbone from ImageNet weights.
    start: weights (safetensors) to start from, as far as their tensors fit.
    """

    scenes: SceneSettings = SceneSettings()
    loop: LoopSettings = LoopSettings()
    beta: float = 64.0
    border_weight: float = 3.0
    affinity_weight: float = 0.3
    dice_weight: float = 0.1
    iou_weight: float = 0.02
    softness: float = 8.0
    sharpening: float = 1.75
    affinity_pixels: int = 4096
    head_rate: float = 1.2e-3
    backbone_rate: float = 3e-4
    imagenet: bool = True
    start: Path | None = None


@dataclass(frozen=True)
class ObjectSettings:
    """Everything but the images that determines a training of the object head.

    segmenter: the light build that cuts the views, and gets the head.
    scenes: how cut-outs are pasted, and into how many elements a view is cut.
    shares: of views of photos with known things, with other segments, and plain with objects.
    pasted: share of the first two that get objects, too.
    least_view: least share of a photo's sides that a view has.
    segments: things asked for in a view; half as many others are.
    noise: on what an element looks like, in standard deviations.
    rate: highest learning rate.
    batches: different views, kept in the run's folder; after so many they come again. Drawing one
        costs as much as four steps.
    fitted: views that the reduction of features is fitted to.
    """

    scenes: SceneSettings = SceneSettings(object_side=(0.2, 0.85))
    loop: LoopSettings = LoopSettings(
        steps=700,
        ema_decay=0.995,
        weight_decay=0.05,
        max_norm=1.75,  # of three heads: 1 each
        accumulate=4,
        precision="no",
    )
    segmenter: str = "tiny"
    shares: tuple[float, float, float] = (0.62, 0.2, 0.18)
    pasted: float = 0.3
    least_view: float = 0.55
    segments: int = 10
    noise: float = 0.1
    rate: float = 1e-3
    batches: int = 1500
    fitted: int = 100


@dataclass(frozen=True)
class CropSettings:
    """How training crops are drawn.

    crop: side of a crop in pixels, a multiple of 32.
    batch: crops a batch.
    working_size: short side of the photos that are decomposed, in pixels.
    elements: numbers of elements to decompose into; each photo takes one of them in turn.
    zoom: largest factor of enlarging or shrinking.
    stretch: largest ratio between the factors along x and y.
    """

    crop: int = 256
    batch: int = 8
    working_size: int = 512
    elements: tuple[int, ...] = (256, 256, 128, 384)
    zoom: float = 1.6
    stretch: float = 1.25


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
    start: weights (safetensors) to start from, as far as their tensors fit; the closed form is
        fitted if they have not all of a linear code.
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


def settings_for(base: str) -> DecoderSettings:
    """The paper's settings for training an element model on, with its own content encoder."""
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
