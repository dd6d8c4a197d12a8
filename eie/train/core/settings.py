"""Settings that stages share. No torch here: the command line reads defaults for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "bf16", "fp16", "no"]


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
    """How crops of photos with objects pasted on them are drawn.

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
