"""Settings of the segmenter's training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eie.train.core.settings import LoopSettings, SceneSettings


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
