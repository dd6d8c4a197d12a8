"""The convolutional encoder of Stable Diffusion's KL autoencoder.

The same layers under the same names as diffusers' `Encoder`, whose weights fit; diffusers takes
longer to import than all patches of a photo to encode.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class KLEncoder(nn.Module):
    """Residual blocks, a downsampling between resolutions, attention at the lowest.

    Args:
        in_channels, out_channels: of what comes in and goes out.
        block_out_channels: channels at each resolution; all but the last end in a downsampling.
        layers_per_block: residual blocks at each resolution.
        norm_num_groups: groups of the group norms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        block_out_channels: tuple[int, ...],
        layers_per_block: int,
        norm_num_groups: int,
    ) -> None:
        super().__init__()
        first, last = block_out_channels[0], block_out_channels[-1]
        widths = [first, *block_out_channels]
        self.conv_in = nn.Conv2d(in_channels, first, 3, padding=1)
        self.down_blocks = nn.ModuleList(
            DownBlock(
                before, width, layers_per_block, norm_num_groups, down=index < len(widths) - 2
            )
            for index, (before, width) in enumerate(pairwise(widths))
        )
        self.mid_block = MidBlock(last, norm_num_groups)
        self.conv_norm_out = nn.GroupNorm(norm_num_groups, last, eps=1e-6)
        self.conv_out = nn.Conv2d(last, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) ⇒ (B, out_channels, H / 2^d, W / 2^d) with d downsamplings."""
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        x = self.mid_block(x)
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(x)))
        return out


class DownBlock(nn.Module):
    """Residual blocks at one resolution, then a downsampling by 2 if there is one."""

    def __init__(self, before: int, width: int, layers: int, groups: int, down: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            ResnetBlock(before if layer == 0 else width, width, groups) for layer in range(layers)
        )
        self.downsamplers = nn.ModuleList([Downsampler(width)] if down else [])

    def forward(self, x: Tensor) -> Tensor:
        for block in (*self.resnets, *self.downsamplers):
            x = block(x)
        return x


class ResnetBlock(nn.Module):
    """Norm, SiLU, convolution, twice, beside a skip."""

    def __init__(self, before: int, width: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, eps=1e-6)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(before, width, 1) if before != width else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.conv_shortcut is None else self.conv_shortcut(x)
        x = self.conv1(F.silu(self.norm1(x)))
        return skip + self.conv2(F.silu(self.norm2(x)))


class Downsampler(nn.Module):
    """A convolution of stride 2 that sees nothing beyond the left and top borders."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class MidBlock(nn.Module):
    """A residual block, attention of one head over all places, a residual block."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResnetBlock(width, width, groups) for _ in range(2))
        self.attentions = nn.ModuleList([PlaceAttention(width, groups)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.attentions[0](self.resnets[0](x))
        x = self.resnets[1](x)
        return x


class PlaceAttention(nn.Module):
    """Attention of every place to all others, one head, beside a skip."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        flat = self.group_norm(x).flatten(2).mT  # (B, H·W, C)
        query, key, value = self.to_q(flat), self.to_k(flat), self.to_v(flat)
        weight = (query @ key.mT * flat.shape[2] ** -0.5).softmax(dim=-1)  # (B, H·W, H·W)
        mixed = self.to_out[0](weight @ value).mT.unflatten(2, x.shape[2:])  # (B, C, H, W)
        return x + mixed.contiguous(memory_format=torch.channels_last)
