"""How far a made picture is from the photo in ImageNet features, as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from eie.models.feature_distance import FeatureDistance

SHIFT = 16
"""Pixels of a side that are cut off at random before features are compared, so that a picture
cannot please the network's own grid alone."""


def feature_loss(network: FeatureDistance, made: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean distance in features within a mask, each picture counting alike.

    Args:
        made, target: (B, 3, H, W) in [0, 1].
        where: (B, 1, H, W) in [0, 1].
    """
    top, left = torch.randint(SHIFT, (2,)).tolist()
    seen, photo = (
        pixels[..., top:, left:].contiguous(memory_format=torch.channels_last)
        for pixels in (made, target)
    )
    distance = network(seen, photo).float()  # (B, 1, H − top, W − left)
    return mean_over(distance, where[..., top:, left:])


def mean_over(plane: Tensor, where: Tensor) -> Tensor:
    """The mean of (B, 1, H, W) over a mask within each picture, then over pictures."""
    total = where.sum(dim=(1, 2, 3)).clamp_min(1)  # (B,)
    return ((plane * where).sum(dim=(1, 2, 3)) / total).mean()
