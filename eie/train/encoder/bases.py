"""Closed-form start of stage 1: the bases of :class:`eie.models.content_encoder.MaskedPCA`.

Probabilistic PCA with missing pixels by expectation maximisation: of colours within the mask, and
of the signed distance to its border, near it.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder
from eie.models.linear_code import (
    DISTANCE_UNIT,
    SHAPE_NOISE,
    border_weight,
    posterior_mean,
    signed_distance,
    to_luma_chroma,
)

logger = logging.getLogger(__name__)

CHUNK = 2048
"""Patches solved at a time."""


def fit_bases(encoder: ContentEncoder, decoder: LightDecoder, patches: Tensor) -> None:
    """Fit the encoder's linear code to patches and hand the bases to the decoder.

    Args:
        patches: (N, 4, S, S) uint8 masked RGB and mask; some 16 000 are plenty.
    """
    linear = encoder.linear
    if linear is None:
        return
    planes = to_luma_chroma(patches[:, :3].float() / 255).flatten(2)  # (N, 3, S·S)
    mask = patches[:, 3].float().flatten(1) / 255  # (N, S·S)
    config, head = encoder.config, decoder.patch_head
    luma = masked_pca(planes[:, :1], mask, head.luma_basis.shape[1], linear.noise)
    chroma = masked_pca(planes[:, 1:], mask, head.chroma_basis.shape[1], linear.noise)
    distance = signed_distance(patches[:, 3].float() / 255).flatten(1)  # (N, S·S)
    near = border_weight(distance)
    mean = (near * distance).sum(dim=0) / near.sum(dim=0)  # (S·S,)
    away = (distance - mean)[:, None] / DISTANCE_UNIT  # (N, 1, S·S)
    shape = masked_pca(away, near, head.shape_basis.shape[1], SHAPE_NOISE)
    with torch.no_grad():
        for name, value in (
            ("luma_basis", luma), ("chroma_basis", chroma),
            ("shape_basis", shape[:, : config.shape]), ("shape_mean", mean),
        ):  # fmt: skip
            getattr(linear, name).copy_(value)
            getattr(head.code, name).copy_(value)
        head.luma_basis.copy_(luma)
        head.chroma_basis.copy_(chroma)
        head.shape_basis.copy_(shape * DISTANCE_UNIT)
        head.shape_mean.copy_(mean)


def masked_pca(
    planes: Tensor, mask: Tensor, components: int, noise: float, rounds: int = 3
) -> Tensor:
    """Basis B of probabilistic PCA with missing samples, x = B c + noise, c ~ N(0, I).

    Args:
        planes: (N, R, Q) R planes of Q samples a patch, all with the same statistics.
        mask: (N, Q) in [0, 1], which samples exist.
        components: K.

    Returns:
        (Q, K).
    """
    covariance = _covariance(planes * mask[:, None])
    basis = 2**0.5 * _principal(covariance, components)  # about half of the samples exist
    for round_ in range(rounds):
        covariance = torch.zeros_like(covariance)
        for rows in torch.arange(len(planes)).split(CHUNK):
            x, m = planes[rows], mask[rows][:, None]  # (n, R, Q), (n, 1, Q)
            code = posterior_mean(x.mT, mask[rows], basis, noise)  # (n, K, R)
            covariance += _covariance(m * x + (1 - m) * (basis @ code).mT) * len(rows)
        basis = _principal(covariance / len(planes), components)
        logger.info("masked PCA: round %d of %d", round_ + 1, rounds)
    return basis


def _covariance(planes: Tensor) -> Tensor:
    """(N, R, Q) ⇒ (Q, Q) second moments."""
    rows = planes.flatten(0, 1)
    return rows.mT @ rows / len(rows)


def _principal(covariance: Tensor, components: int) -> Tensor:
    """(Q, Q) ⇒ (Q, K) principal axes, each as long as its standard deviation."""
    variance, axes = torch.linalg.eigh(covariance)
    return axes[:, -components:].flip(1) * variance[-components:].flip(0).clamp_min(0).sqrt()
