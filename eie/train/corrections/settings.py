"""Settings of the training that lets clicks correct a selection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorrectionSettings:
    """Everything but the images that determines a training of the corrections.

    segmenter: the light build that cuts the photos, and tells what points on elements stand for.
    heads: runs of `eie train objects` to do that instead, each for photos it was not trained on.
    rounds: steps of each round; the clicks of the next one correct what the network has learnt by
        then.
    clicks: on a thing, the first one included.
    things, segments: of a photo that are clicked in a round, where it is known which labels are
        things and where it is not. Things are clicked twice.
    least, most: share of the photo that they have.
    points, ranked: on a thing, and things of a photo, from which the ranking of candidates learns.
    members, ranking_steps: networks that rank, and steps each is trained.
    hidden: units of both hidden layers.
    batch: answers a step.
    rate: highest learning rate.
    """

    segmenter: str = "tiny"
    heads: tuple[str, ...] = ()
    rounds: tuple[int, ...] = (400, 400, 1500)
    clicks: int = 4
    things: int = 3
    segments: int = 3
    least: float = 0.01
    most: float = 0.6
    points: int = 4
    ranked: int = 8
    members: int = 3
    ranking_steps: int = 1200
    hidden: int = 32
    batch: int = 48
    rate: float = 3e-3
    weight_decay: float = 1e-3
    seed: int = 0
