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
from torch.nn import functional as F

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

SHAPE_SLOPE = 3.0
"""How fast, by the sample, a shape's mask falls from 1 to 0 across its border."""

AXES_ROUNDS = 2
"""Rounds of orthogonal iteration; with 1 of them 2/3 of what 4 give, with 2 nearly all."""

CHUNK = 256
"""Patches worked on at a time; bounds memory."""


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

    What is best for whole boxes is not for the part of one that exists. So colours have more
    components than the code has numbers, and the numbers stand for the principal axes of B c
    *within the shape*, which a decoder finds from the shape's code as the encoder does: the idea
    of the shape-adaptive DCT (Sikora & Makai 1995), for a learned basis. It is worth .5 dB.

    Args:
        patch_size: side S of a patch.
        luma, chroma, shape: numbers spent on luma, on each of the two chroma planes, on the shape.
        luma_components, chroma_components: components of the bases that luma and each chroma plane
            are made of, at least as many; 0 for as many.
        noise: the variance σ² of what the basis leaves unexplained.

    The code is (luma, chroma 1, chroma 2, shape), each number about of unit variance. The bases
    are buffers: :mod:`eie.train.encoder.bases` fits them, no gradient does.
    """

    luma_basis: Tensor
    chroma_basis: Tensor
    shape_basis: Tensor
    shape_mean: Tensor

    def __init__(
        self,
        patch_size: int,
        luma: int,
        chroma: int,
        shape: int,
        luma_components: int = 0,
        chroma_components: int = 0,
        noise: float = 1e-4,
    ) -> None:
        super().__init__()
        samples = patch_size * patch_size
        self.patch_size, self.noise = patch_size, noise
        self.lengths = (luma, chroma, chroma, shape)
        self.register_buffer("luma_basis", torch.zeros(samples, luma_components or luma))
        self.register_buffer("chroma_basis", torch.zeros(samples, chroma_components or chroma))
        self.register_buffer("shape_basis", torch.zeros(samples, shape))
        self.register_buffer("shape_mean", torch.zeros(samples))

    @property
    def length(self) -> int:
        return sum(self.lengths)

    def forward(self, patches: Tensor, added: Tensor | None = None) -> Tensor:
        """Code patches.

        Args:
            patches: (N, 4, S, S) masked RGB and mask, in [0, 1].
            added: (N, length) added to the code; colours are coded within the shape that a decoder
                will see, this included. None for nothing.

        Returns:
            (N, length) float32.
        """
        shape = self.shape_code(patches)
        if added is None:
            return torch.cat([self.colour_code(patches, shape), shape], dim=1)
        colours = self.length - self.lengths[-1]
        shape = shape + added[:, colours:]
        colour = self.colour_code(patches, shape) + added[:, :colours]
        return torch.cat([colour, shape], dim=1)

    def shape_code(self, patches: Tensor) -> Tensor:
        """(N, 4, S, S) ⇒ (N, shape) float32 code of the mask."""
        with torch.autocast(patches.device.type, enabled=False):
            distance = signed_distance(patches[:, 3].float()).flatten(1)  # (N, S·S)
            away = (distance - self.shape_mean)[..., None] / DISTANCE_UNIT  # (N, S·S, 1)
            weight = border_weight(distance)
            return posterior_mean(away, weight, self.shape_basis, SHAPE_NOISE)[..., 0]

    def colour_code(self, patches: Tensor, shape_code: Tensor) -> Tensor:
        """(N, 4, S, S), (N, shape) ⇒ (N, luma + 2·chroma) float32 code within that shape."""
        with torch.autocast(patches.device.type, enabled=False):
            patches = patches.float()
            planes = to_luma_chroma(patches[:, :3]).flatten(2).mT  # (N, S·S, 3)
            mask = patches[:, 3].flatten(1)  # (N, S·S)
            luma_axes, chroma_axes = self.axes(shape_code)
            luma = posterior_mean(planes[..., :1], mask, self.luma_basis, self.noise, luma_axes)
            chroma = posterior_mean(
                planes[..., 1:], mask, self.chroma_basis, self.noise, chroma_axes
            )
            return torch.cat([luma.mT.flatten(1), chroma.mT.flatten(1)], dim=1)

    def components(self, codes: Tensor) -> Tensor:
        """(N, length) codes ⇒ (N, components) float32 of luma, both chroma planes and the shape."""
        # A few at a time: the axes are a hundred times as large as the codes.
        return torch.cat([self._components(some) for some in codes.float().split(CHUNK)])

    def _components(self, codes: Tensor) -> Tensor:
        luma, blue, red, shape = codes.split(self.lengths, dim=1)  # 4 × (N, ·)
        luma_axes, chroma_axes = self.axes(shape)
        colours = ((luma_axes, luma), (chroma_axes, blue), (chroma_axes, red))
        with torch.autocast(codes.device.type, enabled=False):
            parts = [(axes @ numbers[..., None])[..., 0] for axes, numbers in colours]
        return torch.cat([*parts, shape], dim=1)

    @torch.no_grad()
    def axes(self, shape_code: Tensor) -> tuple[Tensor, Tensor]:
        """(N, shape) codes ⇒ the principal axes of luma and of chroma within these shapes.

        Returns:
            (N, components, numbers) float32 each: what a number stands for, in components.
        """
        with torch.autocast(shape_code.device.type, enabled=False):
            distance = shape_code.float() @ self.shape_basis.mT * DISTANCE_UNIT + self.shape_mean
            mask = torch.sigmoid(SHAPE_SLOPE * distance)  # (N, S·S)
            side = self.patch_size
            mask = F.avg_pool2d(mask.unflatten(1, (side, side)), 2)  # (N, S/2, S/2)
            return (
                principal_axes(mask, self.luma_basis, self.lengths[0]),
                principal_axes(mask, self.chroma_basis, self.lengths[1]),
            )


def principal_axes(mask: Tensor, basis: Tensor, count: int) -> Tensor:
    """The `count` principal axes of B c within masks, c ~ N(0, I), by orthogonal iteration.

    A few rounds from the basis's own first axes, not the eigenvectors themselves: those jump where
    two eigenvalues meet, these follow the mask smoothly, so that rounding changes hardly anything.

    Args:
        mask: (N, S/2, S/2) weights in [0, 1] of cells of 2×2 samples.
        basis: (S·S, K) B, columns as long as their standard deviations, the longest first.

    Returns:
        (N, K, count) orthonormal columns.
    """
    components = basis.shape[1]
    if count == components:
        return torch.eye(count, device=basis.device).expand(len(mask), -1, -1)
    rows, columns = mask.shape[1:]
    cells = basis.view(rows, 2, columns, 2, components).transpose(1, 2).flatten(2, 3)
    products = (cells.mT @ cells).flatten(0, 1).flatten(1)  # (S·S/4, K·K)
    gram = (mask.flatten(1) @ products).unflatten(1, (components, components))  # (N, K, K)
    axes = _aligned(gram[:, :, :count])
    for _ in range(AXES_ROUNDS - 1):
        axes = gram @ _orthonormal(axes)
    return _orthonormal(axes)[:, :, :count]


def _aligned(columns: Tensor) -> Tensor:
    """(N, K, C) with columns of 0 up to a multiple of 16.

    Matrix products round by where a matrix begins in memory: a code must not depend on how many
    other patches are coded with it.
    """
    return F.pad(columns, (0, -columns.shape[2] % 16))


def _orthonormal(columns: Tensor) -> Tensor:
    """(N, K, C) ⇒ the orthonormal columns of its QR decomposition, R's diagonal positive."""
    ortho, upper = torch.linalg.qr(columns)
    # QR decompositions differ in these signs, and a code must mean the same everywhere.
    return ortho * upper.diagonal(dim1=1, dim2=2).sign()[:, None]


def border_weight(distance: Tensor) -> Tensor:
    """Signed distances in samples ⇒ what they count, in [FAR_WEIGHT, 1]."""
    return FAR_WEIGHT + (1 - FAR_WEIGHT) * torch.exp(-(distance / NEAR).square())


def signed_distance(mask: Tensor) -> Tensor:
    """(N, S, S) masks in [0, 1] ⇒ float32 distance to the border in samples, inside > 0.

    The border of a patch's box counts as a border of the patch. No more than DISTANCE_LIMIT.
    """
    return torch.cat([_signed_distance(part) for part in mask.split(CHUNK)])


def _signed_distance(mask: Tensor) -> Tensor:
    inside = F.pad((mask > 0.5).float(), (1, 1, 1, 1))  # (N, S + 2, S + 2)
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


def posterior_mean(
    planes: Tensor, mask: Tensor, basis: Tensor, noise: float, axes: Tensor | None = None
) -> Tensor:
    """c = (AᵀMA + σ²I)⁻¹ AᵀM x for every patch and plane.

    Args:
        planes: (N, Q, R) R planes of Q samples.
        mask: (N, Q) weights in [0, 1].
        basis: (Q, K) B.
        axes: (N, K, C) orthonormal W of each patch, A = B W; None for all of B.

    Returns:
        (N, C, R), or (N, K, R) without axes.
    """
    components = basis.shape[1]
    row, column = torch.tril_indices(components, components, device=basis.device)
    columns = basis.mT.contiguous()  # (K, Q)
    # BᵀMB is linear in M: one large product for all patches, of the lower triangle.
    half = mask @ (columns[row] * columns[column]).mT  # (N, K·(K + 1)/2)
    gram = basis.new_zeros(len(mask), components, components)
    gram[:, row, column] = half
    seen = ((planes * mask[..., None]).mT @ basis).mT  # (N, K, R)
    numbers = components
    if axes is not None:
        gram[:, column, row] = half
        numbers, axes = axes.shape[2], _aligned(axes)
        gram, seen = axes.mT @ gram @ axes, axes.mT @ seen
    gram.diagonal(dim1=1, dim2=2).add_(noise)
    return torch.cholesky_solve(seen, torch.linalg.cholesky(gram))[:, :numbers]
