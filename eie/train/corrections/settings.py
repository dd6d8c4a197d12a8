"""Settings of the training that lets clicks correct a selection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorrectionSettings:
    """Everything but the images that determines a training of the corrections.

    segmenter: the light build that cuts the photos, and tells what points on elements stand for.
    rounds: steps of each round; the clicks of the next one correct what the network has learnt by
        then.
    clicks: on a thing, the first one included.
    things, segments: of a photo that are clicked in a round, where it is known which labels are
        things and where it is not. Things are clicked twice.
    least, most: share of the photo that they have.
    hidden: units of both hidden layers.
    batch: answers a step.
    rate: highest learning rate.
    """

    segmenter: str = "tiny"
    rounds: tuple[int, ...] = (400, 400, 1500)
    clicks: int = 4
    things: int = 3
    segments: int = 3
    least: float = 0.01
    most: float = 0.6
    hidden: int = 32
    batch: int = 48
    rate: float = 3e-3
    weight_decay: float = 1e-3
    seed: int = 0
