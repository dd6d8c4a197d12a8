"""Closed-form start of stage 1: the bases of :class:`eie.models.masked_pca.MaskedPCA`.

Colours: probabilistic PCA with missing pixels by expectation maximisation. Shapes: the linear map
of few numbers that best tells the signed distance to a patch's border from its mask.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder
from eie.models.masked_pca import posterior_mean, to_luma_chroma

logger = logging.getLogger(__name__)

CHUNK = 2048
"""Patches solved at a time."""

DISTANCE_LIMIT = 6.0
"""Signed distances beyond this many samples are all the same."""


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
    analysis, mean, synthesis, distance_mean = shape_code(
        patches[:, 3], head.shape_basis.shape[1]
    )
    with torch.no_grad():
        for name, value in (
            ("luma_basis", luma[:, : config.luma]), ("chroma_basis", chroma[:, : config.chroma]),
            ("shape_analysis", analysis[:, : config.shape]), ("shape_mean", mean),
        ):  # fmt: skip
            getattr(linear, name).copy_(value)
        head.luma_basis.copy_(luma)
        head.chroma_basis.copy_(chroma)
        head.shape_basis.copy_(synthesis)
        head.shape_mean.copy_(distance_mean)


def masked_pca(
    planes: Tensor, mask: Tensor, components: int, noise: float, rounds: int = 6
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


def shape_code(mask: Tensor, components: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reduced-rank regression of the signed distance on the mask.

    Args:
        mask: (N, S, S) uint8.

    Returns:
        analysis (S·S, K), mean mask (S·S,), synthesis (S·S, K), mean distance (S·S,):
        code = (mask − mean) · analysis, distance = synthesis · code + mean distance.
    """
    inputs = mask.float().flatten(1) / 255
    targets = signed_distance(mask.numpy()).flatten(1)
    mean, target_mean = inputs.mean(dim=0), targets.mean(dim=0)
    x, y = inputs - mean, targets - target_mean
    gram = x.mT @ x / len(x)
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram))
    regression = torch.linalg.solve(gram + ridge, x.mT @ y / len(x))  # (Q, Q)
    predicted = _covariance((x @ regression)[:, None])
    synthesis = _principal(predicted, components)  # (Q, K), columns orthogonal
    analysis = regression @ synthesis / synthesis.square().sum(dim=0).clamp_min(1e-8)
    return analysis, mean, synthesis, target_mean


def signed_distance(mask: np.ndarray) -> Tensor:
    """(N, S, S) uint8 masks ⇒ (N, S, S) float32 distance to the border in samples, inside > 0.

    The border of a patch's box counts as a border of the patch.
    """
    return torch.from_numpy(np.stack(list(_signed_distances(mask))))


def _signed_distances(mask: np.ndarray) -> Iterator[np.ndarray]:
    import cv2

    for one in mask:
        inside = np.pad(one > 127, 1).astype(np.uint8)
        within = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
        without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
        # Both count whole samples from the other side's nearest one: the border lies between.
        distance = (within - without - 0.5 * np.sign(within - without))[1:-1, 1:-1]
        yield distance.clip(-DISTANCE_LIMIT, DISTANCE_LIMIT).astype(np.float32)
