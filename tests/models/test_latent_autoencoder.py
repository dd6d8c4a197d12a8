from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from eie.errors import MissingModelError
from eie.models.conditioning import (
    condition_channels,
    decode_latents,
    encode_pixels,
    known_picture,
)
from eie.models.diffusion_checkpoints import load_vae
from eie.models.latent_autoencoder import BLOCK, LatentAutoencoder


def photo(side: int = 64) -> torch.Tensor:
    """(1, 3, side, side) in [−1, 1]: the middle of scikit-image's cat."""
    pixels = np.ascontiguousarray(data.chelsea()[60 : 60 + side, 120 : 120 + side])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def fitted(channels: int) -> LatentAutoencoder:
    torch.manual_seed(0)
    model = LatentAutoencoder(latent_channels=channels, width=24, blocks=1)
    model.fit(photo(128))
    return model.eval()


def test_a_fitted_one_projects_on_the_principal_components() -> None:
    model, pixels = fitted(5), photo(128)
    blocks = F.pixel_unshuffle(pixels, 8).flatten(2)[0].T.double().numpy()  # (256, 192)
    mean = blocks.mean(axis=0)
    _, _, vectors = np.linalg.svd(blocks - mean, full_matrices=False)
    best = mean + (blocks - mean) @ vectors[:5].T @ vectors[:5]
    with torch.no_grad():
        ours = F.pixel_unshuffle(model(pixels), 8).flatten(2)[0].T.double().numpy()
    np.testing.assert_allclose(ours, best, atol=1e-4)


def test_all_components_lose_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(4, 3, 64, 64, generator=generator) * 2 - 1
    model = LatentAutoencoder(latent_channels=BLOCK, width=24, blocks=1)
    model.fit(pixels)
    with torch.no_grad():
        assert torch.allclose(model(pixels), pixels, atol=1e-3)


def test_latents_fall_off_in_deviation_from_one() -> None:
    latents = encode_pixels(fitted(6), photo(128))
    deviation = latents.std(dim=(0, 2, 3))
    assert deviation[0] == pytest.approx(1.0, abs=0.02)
    assert (deviation[1:] < deviation[:-1] + 1e-3).all()


def test_saved_and_loaded(tmp_path) -> None:
    model = fitted(4)
    model.save_pretrained(tmp_path / "vae")
    again = load_vae(tmp_path)
    latents = torch.randn(1, 4, 3, 5)
    assert torch.equal(decode_latents(again, latents), decode_latents(model, latents))
    assert decode_latents(again, latents).shape == (1, 3, 24, 40)


def test_the_embedded_one_reconstructs_a_photo() -> None:
    vae, pixels = load_vae(), photo(128)
    decoded = decode_latents(vae, encode_pixels(vae, pixels)).clamp(-1, 1)
    psnr = -10 * ((decoded - pixels) / 2).square().mean().log10()
    assert psnr > 26


def test_what_is_known_is_shown_and_the_rest_continued() -> None:
    torch.manual_seed(0)
    picture, light = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    known = torch.zeros(1, 1, 32, 32)
    known[..., :12] = 1
    covered = torch.zeros(1, 1, 32, 32)
    covered[..., 12:20] = 1
    shown = known_picture(picture, light, known, covered)
    assert torch.allclose(shown[..., :12], picture[..., :12], atol=1e-3)
    assert torch.allclose(shown[..., 12:20], light[..., 12:20], atol=1e-3)
    # Elsewhere it hardly differs from pixel to pixel, unlike the noise around.
    inner = shown[..., 24:]
    assert (inner[..., 1:] - inner[..., :-1]).abs().max() < 0.15


def test_condition_channels_hold_picture_and_shares() -> None:
    vae = fitted(4)
    known = torch.zeros(1, 1, 64, 64)
    known[..., :4] = 1
    channels = condition_channels(vae, photo(), known, torch.zeros_like(known))
    assert channels.shape == (1, 6, 8, 8)
    assert torch.equal(channels[:, :4], encode_pixels(vae, photo()))
    expected = torch.tensor([0.5] + [0.0] * 7).expand(8, 8)
    assert torch.equal(channels[0, 4], expected)
    assert torch.equal(channels[0, 5], expected)  # what is known is covered


def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    def asked(*_, **__):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("eie.models.latent_autoencoder.LatentAutoencoder.from_pretrained", asked)
    with pytest.raises(MissingModelError, match=r"vae: there is no latent autoencoder"):
        load_vae(tmp_path)
