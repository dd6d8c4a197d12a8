"""EfficientNet-Lite: a backbone, and what to compare pictures by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.efficientnet_lite_weights import LITE0, PYRAMID, STEM, Lite, imagenet_weights


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the extra row and column lie at the far end."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            # Of multiples of the stride the same whatever the size: a number in a traced graph.
            total = max((-(-int(size) // stride) - 1) * stride + kernel - int(size), 0)
            padding += [total // 2, total - total // 2]
        if padding[0] == padding[1] and padding[2] == padding[3]:
            return F.conv2d(
                x, self.weight, self.bias, self.stride, (padding[2], padding[0]), 1, self.groups
            )
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """MobileNetV2's block; batch normalisation is folded into the convolutions.

    Args:
        odd: whether it was trained on an odd number of rows and columns.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        expansion: int,
        kernel: int,
        stride: int,
        odd: bool = False,
    ) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.expand = nn.Conv2d(channels_in, hidden, 1) if expansion > 1 else None
        if odd:
            self.depthwise: nn.Conv2d = nn.Conv2d(
                hidden, hidden, kernel, stride, kernel // 2, groups=hidden
            )
        else:
            self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, channels, 1)
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite without its classifier, every convolution with a bias (folded norms)."""

    def __init__(self, lite: Lite = LITE0) -> None:
        super().__init__()
        self.lite = lite
        self.stem = SameConv2d(3, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels_in, rows = STEM, -(-lite.side // 2)
        for expansion, channels, blocks, kernel, first_stride in lite.stages:
            stage = nn.Sequential()
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                odd = stride > 1 and rows % 2 > 0
                stage.append(
                    InvertedResidual(channels_in, channels, expansion, kernel, stride, odd)
                )
                channels_in, rows = channels, -(-rows // stride)
            self.stages.append(stage)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised pixels ⇒ features at strides 2, 4, 8, 16, 32."""
        x = F.relu6(self.stem(x))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in PYRAMID:
                features.append(x)
        return features


def load_imagenet_weights(backbone: EfficientNetLite) -> None:
    """Set a backbone to the weights that :func:`imagenet_weights` gives."""
    weights = {name: torch.tensor(value) for name, value in imagenet_weights(backbone.lite).items()}
    backbone.load_state_dict(weights)


def imagenet_backbone(lite: Lite) -> EfficientNetLite:
    """A backbone with its ImageNet weights."""
    backbone = EfficientNetLite(lite)
    load_imagenet_weights(backbone)
    return backbone
