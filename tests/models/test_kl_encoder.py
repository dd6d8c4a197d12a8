"""The KL encoder is diffusers', layer by layer."""

import pytest
import torch

from eie.models.kl_encoder import KLEncoder


@pytest.mark.parametrize(("widths", "layers"), [((8, 8, 16, 16, 32), 2), ((16, 32), 1)])
def test_it_is_diffusers_encoder_with_the_same_weights(widths, layers) -> None:
    from diffusers.models.autoencoders.vae import Encoder

    torch.manual_seed(0)
    theirs = Encoder(
        in_channels=4,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=layers,
        norm_num_groups=4,
        double_z=False,
    ).eval()
    ours = KLEncoder(4, 3, widths, layers, norm_num_groups=4).eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(2, 4, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image), atol=1e-5)
