"""Settings of the object head's training."""

from __future__ import annotations

from dataclasses import dataclass

from eie.train.core.settings import LoopSettings, SceneSettings


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
        steps=1600,
        ema_decay=0.995,
        weight_decay=0.05,
        max_norm=1.75,  # of the three heads that the shipped ones were among: 1 each
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
