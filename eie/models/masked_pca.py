"""A linear code of masked patches in closed form: where a learned encoder starts from.

A patch is cut out by its mask, and the box around it is on average half empty. Ordinary PCA spends
its numbers on the zeros there. Probabilistic PCA with missing pixels spends them on the pixels
that exist: with x = B c + noise, c ~ N(0, I) and noise of variance σ², the posterior mean given
the pixels under the mask M is

    c = (BᵀMB + σ²I)⁻¹ BᵀM x .

At the same number of values an element that is worth about 4 dB over zero-filled PCA. The shape is
coded in the same way, by its signed distance: samples count by their nearness to the border, the
only place where it matters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LUMA_CHROMA = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
"""RGB ⇒ luma and two chroma components (ITU-R BT.601, as in JPEG), which hardly correlate."""

MEAN_LUMA = 0.45
"""Luma of a patch about which nothing is known."""


NEAR, FAR_WEIGHT = 3.0, 0.05
"""Samples from the border at which a signed distance counts less, and the least that one counts."""

DISTANCE_LIMIT = 8.0
"""Signed distances beyond this many samples are all the same."""

DISTANCE_UNIT = 4.0
"""Samples that a signed distance is coded in."""

SHAPE_NOISE = 3e-3
"""Variance, in that unit, of what the basis of shapes leaves unexplained."""

CHUNK = 256
"""Masks whose distances are measured at a time; bounds memory."""


def to_luma_chroma(rgb: Tensor) -> Tensor:
    """(..., 3, H, W) RGB in [0, 1] ⇒ luma − MEAN_LUMA and two chroma planes, same shape."""
    matrix = rgb.new_tensor(LUMA_CHROMA)
    planes = torch.einsum("ij,...jhw->...ihw", matrix, rgb)
    return planes - rgb.new_tensor([MEAN_LUMA, 0.0, 0.0])[:, None, None]


def to_rgb(planes: Tensor) -> Tensor:
    """The reverse of :func:`to_luma_chroma`; not clipped."""
    matrix = torch.linalg.inv(torch.tensor(LUMA_CHROMA)).to(planes)
    shifted = planes + planes.new_tensor([MEAN_LUMA, 0.0, 0.0])[:, None, None]
    return torch.einsum("ij,...jhw->...ihw", matrix, shifted)


class MaskedPCA(nn.Module):
    """Patches ⇒ codes by the posterior mean above; luma, chroma and the mask's shape apart.

    Args:
        patch_size: side S of a patch.
        luma, chroma, shape: numbers spent on luma, on each of the two chroma planes, on the shape.
        noise: the variance σ² of what the basis leaves unexplained.

    The code is (luma, chroma 1, chroma 2, shape), each number about of unit variance. The bases
    are buffers: :mod:`eie.train.basis` fits them, no gradient does.
    """

    luma_basis: Tensor
    chroma_basis: Tensor
    shape_basis: Tensor
    shape_mean: Tensor

    def __init__(
        self, patch_size: int, luma: int, chroma: int, shape: int, noise: float = 1e-4
    ) -> None:
        super().__init__()
        samples = patch_size * patch_size
        self.noise = noise
        self.register_buffer("luma_basis", torch.zeros(samples, luma))
        self.register_buffer("chroma_basis", torch.zeros(samples, chroma))
        self.register_buffer("shape_basis", torch.zeros(samples, shape))
        self.register_buffer("shape_mean", torch.zeros(samples))

    @property
    def length(self) -> int:
        return self.luma_basis.shape[1] + 2 * self.chroma_basis.shape[1] + self.shape_basis.shape[1]

    def forward(self, patches: Tensor) -> Tensor:
        """(N, 4, S, S) masked RGB and mask, in [0, 1] ⇒ (N, length) float32 codes."""
        with torch.autocast(patches.device.type, enabled=False):
            patches = patches.float()
            planes = to_luma_chroma(patches[:, :3]).flatten(2).mT  # (N, S·S, 3)
            mask = patches[:, 3].flatten(1)  # (N, S·S)
            luma = posterior_mean(planes[..., :1], mask, self.luma_basis, self.noise)
            chroma = posterior_mean(planes[..., 1:], mask, self.chroma_basis, self.noise)
            distance = signed_distance(patches[:, 3]).flatten(1)  # (N, S·S)
            away = (distance - self.shape_mean)[..., None] / DISTANCE_UNIT  # (N, S·S, 1)
            weight = border_weight(distance)
            shape = posterior_mean(away, weight, self.shape_basis, SHAPE_NOISE)
            return torch.cat([part.mT.flatten(1) for part in (luma, chroma, shape)], dim=1)


def border_weight(distance: Tensor) -> Tensor:
    """Signed distances in samples ⇒ what they count, in [FAR_WEIGHT, 1]."""
    return FAR_WEIGHT + (1 - FAR_WEIGHT) * torch.exp(-(distance / NEAR).square())


def signed_distance(mask: Tensor) -> Tensor:
    """(N, S, S) masks in [0, 1] ⇒ float32 distance to the border in samples, inside > 0.

    The border of a patch's box counts as a border of the patch. No more than DISTANCE_LIMIT.
    """
    return torch.cat([_signed_distance(part) for part in mask.split(CHUNK)])


def _signed_distance(mask: Tensor) -> Tensor:
    inside = nn.functional.pad((mask > 0.5).float(), (1, 1, 1, 1))  # (N, S + 2, S + 2)
    within, without = _distance_to(1 - inside), _distance_to(inside)
    # Both count whole samples from the other side's nearest one: the border lies between.
    distance = within - without
    distance = (distance - 0.5 * distance.sign())[:, 1:-1, 1:-1]
    return distance.clamp(-DISTANCE_LIMIT, DISTANCE_LIMIT)


def _distance_to(target: Tensor) -> Tensor:
    """(N, S, S) 1 or 0 ⇒ exact distance of every sample to the nearest 1, along rows, then columns.

    Where there is none it is large.
    """
    side = target.shape[-1]
    away = torch.arange(-side + 1.0, side, device=target.device).square()  # (2·S − 1,)
    squared = 4.0 * side * side * (1 - target)  # (N, S, S)
    for _ in range(2):
        squared = _nearest(squared, away).mT
    return squared.sqrt()


def _nearest(squared: Tensor, away: Tensor) -> Tensor:
    """(N, S, S) ⇒ least sum of another sample's of the row and the squared distance to it."""
    side = squared.shape[-1]
    nearest = squared
    for other in range(side):  # one at a time: all at once would be a cube of samples
        shifted = squared[..., other, None] + away[side - 1 - other : 2 * side - 1 - other]
        nearest = torch.minimum(nearest, shifted)
    return nearest


def posterior_mean(planes: Tensor, mask: Tensor, basis: Tensor, noise: float) -> Tensor:
    """c = (BᵀMB + σ²I)⁻¹ BᵀM x for every patch and plane.

    Args:
        planes: (N, Q, R) R planes of Q samples.
        mask: (N, Q) weights in [0, 1].
        basis: (Q, K) B.

    Returns:
        (N, K, R).
    """
    components = basis.shape[1]
    row, column = torch.tril_indices(components, components, device=basis.device)
    axes = basis.mT.contiguous()  # (K, Q)
    # BᵀMB is linear in M: one large product for all patches, and only for the lower triangle,
    # which is all that Cholesky reads.
    gram = basis.new_zeros(len(mask), components, components)
    gram[:, row, column] = mask @ (axes[row] * axes[column]).mT  # (N, K·(K + 1)/2)
    gram.diagonal(dim1=1, dim2=2).add_(noise)
    seen = ((planes * mask[..., None]).mT @ basis).mT  # (N, K, R)
    return torch.cholesky_solve(seen, torch.linalg.cholesky(gram))
