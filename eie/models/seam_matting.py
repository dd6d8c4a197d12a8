"""Which pixels around something that is taken away still show it: a small convolutional network.

The border of an object is a matter of matting: along it pixels are mixtures of the object and of
what is behind it, by antialiasing, blur and compression, and elements miss parts of it. As in Deep
Image Matting (Xu et al., CVPR 2017) a network reads the photo beside a mask and says at every pixel
how likely it shows the object; it only has to be asked near the mask's border. It is told, too, how
a pixel differs from what is taken away nearby and from what is surely left, and ImageNet features
at strides s.

    pixels, mask, differences in blocks of 2×2, s = 2 ⇒ 1/2 ─────── ⊕ ⇒ 1/2 ⇒ logit
                                           s = 4 ⇒ 1/4 ───── ⊕ ┘
                                           s = 8, 16 ⇒ 1/8 ──┘
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.content import EMBEDDED, TINY
from eie.models.feature_distance import (
    CHANNELS,
    STRIDES,
    FeatureDistance,
    features_of,
    load_feature_distance,
)
from eie.models.plain import load_plain
from eie.models.residual import ResidualBlock

FOLDER = "matting"
"""Of a model folder."""

BLOCK = 2
"""Pixels along the side of the blocks that the finest level works on."""

WIDTHS = (32, 64, 96)
"""Channels at 1/2, 1/4 and 1/8 of the resolution."""

BLOCKS = 2
"""Residual blocks at each of these."""

UNSURE = 8
"""Pixels beyond the mask that may show either."""

SQUARE = BLOCK * 2 ** (len(WIDTHS) - 1)
"""Pixels along the side of the squares that the coarsest level works on."""

NEARBY = 5
"""Side of the neighbourhoods that are compared with, in such squares."""

SEEN = 4
"""How many of the features' strides are read, from the finest."""

MULTIPLE = STRIDES[-1]
"""Pixels of which a picture's sides are multiples."""


class SeamMatting(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(10 * BLOCK**2, WIDTHS[0], 3, padding=1)
        to = (*WIDTHS, WIDTHS[-1])
        self.from_features = nn.ModuleList(
            nn.Conv2d(channels, width, 1)
            for channels, width in zip(CHANNELS[:SEEN], to, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(4 * fine, wide, 1) for fine, wide in pairwise(WIDTHS))
        self.up = nn.ModuleList(nn.Conv2d(wide, 4 * fine, 1) for fine, wide in pairwise(WIDTHS))
        self.before, self.after = (
            nn.ModuleList(
                nn.Sequential(*(ResidualBlock(width) for _ in range(BLOCKS))) for width in widths
            )
            for widths in (WIDTHS, WIDTHS[:-1])
        )
        self.head = nn.Conv2d(WIDTHS[0], BLOCK**2, 3, padding=1)

    def forward(self, pixels: Tensor, gone: Tensor, features: Sequence[Tensor]) -> Tensor:
        """How likely pixels show what is taken away.

        Args:
            pixels: (B, 3, H, W) RGB in [0, 1]; sides are multiples of :data:`MULTIPLE`.
            gone: (B, 1, H, W), 1 where something is taken away, else 0.
            features: of the pixels per stride, as :func:`features_of` gives them.

        Returns:
            (B, 1, H, W) logits.
        """
        left = 1 - F.max_pool2d(gone, 2 * UNSURE + 1, stride=1, padding=UNSURE)  # (B, 1, H, W)
        differences = [pixels - mean_nearby(pixels, mask) for mask in (gone, left)]
        planes = torch.cat([pixels * 2 - 1, gone, *differences], dim=1)  # (B, 10, H, W)
        seen = [layer(x) for layer, x in zip(self.from_features, features[:SEEN], strict=True)]
        coarsest = F.interpolate(seen.pop(), scale_factor=2, mode="bilinear")  # (B, w₂, H/8, W/8)
        seen[-1] = seen[-1] + coarsest
        stem = self.stem(F.pixel_unshuffle(planes, BLOCK))  # (B, w₀, H/2, W/2)
        levels = [self.before[0](stem + seen[0])]
        for down, body, given in zip(self.down, self.before[1:], seen[1:], strict=True):
            fine = F.pixel_unshuffle(levels[-1], 2)  # (B, 4w, h/2, w/2)
            levels.append(body(down(fine) + given))  # (B, w, h/2, w/2)
        carried = levels.pop()
        for up, body in zip(reversed(self.up), reversed(self.after), strict=True):
            carried = body(levels.pop() + F.pixel_shuffle(up(carried), 2))  # (B, w, 2h, 2w)
        return F.pixel_shuffle(self.head(carried), BLOCK)


def mean_nearby(pixels: Tensor, mask: Tensor) -> Tensor:
    """(B, C, H, W) ⇒ the same size, the mean over a mask (B, 1, H, W) in each neighbourhood; of all
    of the mask where there is none of it."""
    planes = torch.cat([pixels * mask, mask], dim=1)  # (B, C + 1, H, W)
    squares = F.avg_pool2d(planes, SQUARE)  # (B, C + 1, H/8, W/8)
    total = F.avg_pool2d(squares, NEARBY, stride=1, padding=NEARBY // 2)
    total = total + 1e-3 * squares.mean(dim=(2, 3), keepdim=True)
    mean = total[:, :-1] / total[:, -1:].clamp_min(1e-6)  # (B, C, H/8, W/8)
    return F.interpolate(mean, size=pixels.shape[-2:], mode="bilinear")


class LoadedSeamMatting:
    """The network and that of its features, ready to use."""

    def __init__(self, network: SeamMatting, features: FeatureDistance) -> None:
        self.network, self.features = network, features

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8], gone: NDArray[np.bool_]) -> NDArray[np.float32]:
        """How likely pixels show what is taken away.

        Args:
            pixels: (H, W, 3) uint8 RGB, any size.
            gone: (H, W) bool.

        Returns:
            (H, W) float32 in [0, 1].
        """
        height, width = gone.shape
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        planes = np.dstack([pixels / np.float32(255), gone]).astype(np.float32)  # (H, W, 4)
        given = torch.from_numpy(planes).permute(2, 0, 1)[None]  # (1, 4, H, W)
        colour, mask = F.pad(given, padding, mode="replicate").split([3, 1], dim=1)
        colour = colour.contiguous(memory_format=torch.channels_last)
        likely = self.network(colour, mask, features_of(self.features, colour)).sigmoid()
        return np.asarray(likely[0, 0, :height, :width].numpy())


def load_seam_matting(model: Path = EMBEDDED / TINY) -> LoadedSeamMatting:
    """The network of a model folder, in evaluation mode, without gradients.

    Raises:
        MissingModelError: there is none, it cannot be read, or ImageNet's weights are not
            installed.
    """
    network = load_plain(
        SeamMatting, model / FOLDER, "seam matting", "make some with eie train matting"
    )
    return LoadedSeamMatting(network, load_feature_distance())
