"""Settings of the training that lets clicks correct a selection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorrectionSettings:
    """Everything but the images that determines a training of the corrections.

    segmenter: the light build that cuts the photos, and tells what points on elements stand for.
    heads: runs of `eie train objects` to do that instead, for photos they were not trained on.
    things: of a photo that are clicked.
    points: in the middle of a thing that first clicks are ranked at.
    least, most: share of the photo that things have.
    members: networks of each ranking, whose chances are averaged.
    steps: that each is trained.
    hidden: units of both hidden layers.
    rate: highest learning rate.
    """

    segmenter: str = "tiny"
    heads: tuple[str, ...] = ()
    things: int = 8
    points: int = 4
    least: float = 0.01
    most: float = 0.6
    members: int = 3
    steps: int = 1200
    hidden: int = 32
    rate: float = 3e-3
    seed: int = 0
