"""NanoDet-g: where in a photo things of COCO's 80 kinds are, and which they are.

    pixels ⇒ CSP backbone ⇒ path aggregation ⇒ at strides 8, 16 and 32: the chance of every kind,
                                               and the box of what is there

Architecture and weights are NanoDet's (R. Lyu, https://github.com/RangiLyu/nanodet, Apache-2.0):
one convolution a level finds both, boxes as distributions (Li et al., "Generalized Focal Loss",
NeurIPS 2020). Batch normalisation is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.nanodet_weights import STRIDES

KINDS = 80
"""Kinds of things."""

_BINS = 11
"""A side of a box is an expected value over 0, 1, .. 10 strides."""

_STEM = 32
_STAGES = ((32, 1, 1), (64, 2, 2), (128, 2, 2), (256, 3, 2))
"""Channels, residual blocks and stride of the stages; the last three are aggregated."""

_WIDTH = 128

_SLOPE = 0.1


def _activated(channels_in: int, channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    padding = kernel // 2
    convolution = nn.Conv2d(channels_in, channels, kernel, stride, padding)
    return nn.Sequential(convolution, nn.LeakyReLU(_SLOPE))


class ConcatenatedBlock(nn.Module):
    """Two convolutions in turn, whose outputs are laid beside each other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _activated(channels, channels // 2)
        self.second = _activated(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return torch.cat([self.second(first), first], dim=1)


class CspStage(nn.Module):
    """A cross-stage partial stage: (B, C, H, W) ⇒ (B, 2·C, H/stride, W/stride)."""

    def __init__(self, channels: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.begin = _activated(channels, channels, stride=stride)
        self.blocks = nn.Sequential(*(ConcatenatedBlock(channels) for _ in range(blocks)))
        self.end = _activated(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.begin(x)
        return torch.cat([self.end(self.blocks(x)), x], dim=1)


class NanoDet(nn.Module):
    """The detector, without the choice among its boxes (:mod:`eie.decomposition.detections`)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _activated(3, _STEM, stride=2)
        self.stages = nn.ModuleList(CspStage(*stage) for stage in _STAGES)
        aggregated = _STAGES[-len(STRIDES) :]
        self.lateral = nn.ModuleList(nn.Conv2d(2 * c, _WIDTH, 1) for c, _, _ in aggregated)
        self.heads = nn.ModuleList(
            nn.Sequential(_activated(_WIDTH, _WIDTH), nn.Conv2d(_WIDTH, KINDS + 4 * _BINS, 1))
            for _ in STRIDES
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) pixels normalised by PIXEL_MEAN and PIXEL_STD, blue first, sides multiples
        of 32 ⇒ for every stride s features (B, 128, H/s, W/s), then the logits of all kinds
        (B, 80, H/s, W/s), then how far left, up, right and down the box of what is there reaches,
        (B, 4, H/s, W/s) in pixels."""
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        known = self._aggregated(levels)
        told = [head(level) for head, level in zip(self.heads, known, strict=True)]
        kinds = [of_level[:, :KINDS] for of_level in told]
        sides = [
            stride * _expected(of_level[:, KINDS:])
            for stride, of_level in zip(STRIDES, told, strict=True)
        ]
        return known + kinds + sides

    def _aggregated(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Path aggregation: every level is told what the coarser and then what the finer see."""
        last = levels[-len(STRIDES) :]
        known = [to_width(x) for to_width, x in zip(self.lateral, last, strict=True)]
        for fine in reversed(range(len(known) - 1)):
            known[fine] = known[fine] + _resized(known[fine + 1], 2)
        for coarse in range(1, len(known)):
            known[coarse] = known[coarse] + _resized(known[coarse - 1], 0.5)
        return known


def _resized(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _expected(logits: Tensor) -> Tensor:
    """Expected values of distributions over bins: (B, 4·bins, h, w) ⇒ (B, 4, h, w)."""
    chance = logits.unflatten(1, (4, _BINS)).softmax(dim=2)  # (B, 4, bins, h, w)
    bins = torch.arange(_BINS, dtype=logits.dtype, device=logits.device)[:, None, None]
    return (chance * bins).sum(dim=2)
