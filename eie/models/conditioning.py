"""What the tiny diffusion decoder is told of the picture besides its elements.

The paper's U-Net sees noise, text and elements (§3.3). A small one cannot spend its few weights on
painting by attention what is known already, so it is also given, at the latents' resolution,

    the picture as far as it is known    C channels, encoded as the latents are
    what that shows                  F, its ImageNet features at strides 8 and 16, or none
    known                                share of pixels that are the photo's own
    covered                              share of pixels that an element covers

where the picture is the photo where that is known, a first guess where there is one (the light
decoder's picture, or the classical decoder's fill), and continued smoothly from around elsewhere.

Nor can it spend them on painting again what the guess has right: it may denoise latents less those
of the guess, which are taken to be small (:class:`Scaling`). What that changes in pixels is added
to the guess (:func:`corrected`), whose own detail thereby never passes through the autoencoder.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from eie.models.feature_distance import CHANNELS, STRIDES, FeatureDistance, features_of
from eie.models.patch_compositing import continued

SEEN_STRIDES = (8, 16)
"""Of the ImageNet features that are given."""

FEATURE_CHANNELS = sum(CHANNELS[STRIDES.index(stride)] for stride in SEEN_STRIDES)


class Scaling(NamedTuple):
    """How a network predicts the velocity of what is to be added to a guess.

    v = kept · x + scale · F(scale · x), after Karras et al. (NeurIPS 2022, §5). Without F that is
    the best prediction of additions of a given, small deviation, so that an untrained network gives
    back the guess, hardly disturbed; F is about what is to be added, whatever the noise.
    """

    kept: Tensor
    scale: Tensor

    @classmethod
    def at(cls, signal: Tensor, deviation: float) -> Scaling:
        """Factors for a standard deviation of what is added before F has a say.

        Args:
            signal: ᾱ of the noise schedule, any shape.
        """
        variance = signal * deviation**2 + (1 - signal)
        return cls(
            kept=(signal * (1 - signal)).sqrt() * (1 - deviation**2) / variance,
            scale=variance.rsqrt(),
        )


def conditioned_channels(latent_channels: int, features: bool = False) -> int:
    """Input channels of a U-Net that is told of the picture, and of its features or not; one of the
    paper's has as many as there are latent channels."""
    return 2 * latent_channels + 2 + FEATURE_CHANNELS * features


def seen_features(network: FeatureDistance, picture: Tensor) -> Tensor:
    """ImageNet features of a picture, as a U-Net is told of them.

    Args:
        picture: (B, 3, H, W) in [−1, 1], sides multiples of 32.

    Returns:
        (B, F, H/8, W/8), :data:`FEATURE_CHANNELS`, of mean square 1.
    """
    levels = dict(zip(STRIDES, features_of(network, (picture + 1) / 2), strict=True))
    size = levels[SEEN_STRIDES[0]].shape[-2:]
    return torch.cat([F.interpolate(levels[stride], size) for stride in SEEN_STRIDES], dim=1)


def known_picture(photo: Tensor, guess: Tensor, known: Tensor, guessed: Tensor) -> Tensor:
    """The picture as far as it is known.

    Args:
        photo: (B, 3, H, W) in [−1, 1], used where known.
        guess: (B, 3, H, W) in [−1, 1], used where guessed and not known.
        known, guessed: (B, 1, H, W) in [0, 1].

    Returns:
        (B, 3, H, W) in [−1, 1].
    """
    picture = known * photo + (1 - known) * guess
    weight = torch.maximum(known, guessed)
    return continued(picture * weight, weight).clamp(-1, 1)


def condition_channels(
    vae: Any, picture: Tensor, known: Tensor, covered: Tensor, features: Tensor | None = None
) -> Tensor:
    """The channels beside the noisy latents.

    Args:
        vae: the latent autoencoder.
        picture: (B, 3, H, W) in [−1, 1], as :func:`known_picture` gives it.
        known, covered: (B, 1, H, W) in [0, 1].
        features: (B, F, H/8, W/8) of :func:`seen_features`, for a U-Net that is told of them.

    Returns:
        (B, C + F + 2, H/8, W/8): latents, features, the shares of known and covered.
    """
    latents = encode_pixels(vae, picture)  # (B, C, h, w)
    covered = torch.maximum(known, covered)
    size = (latents.shape[2], latents.shape[3])
    shares = [F.adaptive_avg_pool2d(plane, size) for plane in (known, covered)]
    seen = [] if features is None else [features.to(latents)]
    return torch.cat([latents, *seen, *shares], dim=1)


def denoised(predicted: Tensor, noisy: Tensor, signal: Tensor, objective: str) -> Tensor:
    """The latents that a prediction says are under the noise.

    Args:
        predicted, noisy: (B, C, h, w).
        signal: ᾱ of the noise schedule, fit to multiply these.
        objective: what is predicted, "epsilon", "v_prediction" or "sample".
    """
    if objective == "v_prediction":
        return signal.sqrt() * noisy - (1 - signal).sqrt() * predicted
    if objective == "sample":
        return predicted
    return (noisy - (1 - signal).sqrt() * predicted) / signal.sqrt()


def encode_pixels(vae: Any, pixels: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [−1, 1] ⇒ (B, C, H/8, W/8) latents, scaled for the diffusion model.

    Takes diffusers' AutoencoderKL, of whose distribution it gives the mode, and AutoencoderTiny.
    """
    encoded = vae.encode(pixels)
    latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()
    return latents * vae.config.scaling_factor


def decode_latents(vae: Any, latents: Tensor) -> Tensor:
    """The reverse: (B, C, h, w) ⇒ (B, 3, 8h, 8w) RGB, about [−1, 1], not clipped."""
    return vae.decode(latents / vae.config.scaling_factor).sample


def corrected(vae: Any, picture: Tensor, guess: Tensor, latents: Tensor) -> Tensor:
    """A guess, changed as its latents are: not at all where these are its own.

    Args:
        vae: the latent autoencoder.
        picture: (B, 3, H, W) in [−1, 1], the guess.
        guess: (B, C, h, w), its latents.
        latents: (B, C, h, w), of the picture wanted.

    Returns:
        (B, 3, H, W), about [−1, 1], not clipped.
    """
    with torch.no_grad():
        shown = decode_latents(vae, guess)  # (B, 3, H, W)
    return picture + (decode_latents(vae, latents) - shown)
