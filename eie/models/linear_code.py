"""A linear code of masked patches in closed form: where a learned encoder starts from.

All of it works on tensors and on NumPy's arrays alike, and gives what it is given.

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

from dataclasses import dataclass
from typing import Any

import numpy as np

from eie.models.graph import product

Array = Any
"""A `torch.Tensor` or a `numpy.ndarray`; what is used is common to both."""

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


def namespace(array: Array) -> Any:
    """The module with the functions for an array: numpy or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


@dataclass(frozen=True, eq=False)
class LinearCode:
    """Patches ⇒ codes by the posterior mean above; luma, chroma and the mask's shape apart.

    What is best for whole boxes is not for the part of one that exists. So colours have more
    components than the code has numbers, and the numbers stand for the principal axes of B c
    *within the shape*, which a decoder finds from the shape's code as the encoder does: the idea
    of the shape-adaptive DCT (Sikora & Makai 1995), for a learned basis. It is worth .5 dB.

    Attributes:
        lengths: numbers spent on luma, on each of the two chroma planes, and on the shape.
        luma_basis, chroma_basis: (S·S, K) float32, K at least the numbers.
        shape_basis, shape_mean: (S·S, numbers) and (S·S,) float32.
        noise: the variance σ² of what a basis leaves unexplained.

    The code is (luma, chroma 1, chroma 2, shape), each number about of unit variance.
    """

    lengths: tuple[int, int, int, int]
    luma_basis: Array
    chroma_basis: Array
    shape_basis: Array
    shape_mean: Array
    noise: float = 1e-4

    def code(self, patches: Array, added: Array | None = None) -> Array:
        """Code patches.

        Args:
            patches: (N, 4, S, S) masked RGB and mask, in [0, 1].
            added: (N, length) added to the code; colours are coded within the shape that a decoder
                will see, this included. None for nothing.

        Returns:
            (N, length) float32.
        """
        xp = namespace(patches)
        shape = self.shape_code(patches)
        if added is None:
            return xp.concat([self.colour_code(patches, shape), shape], 1)
        colours = sum(self.lengths[:-1])
        shape = shape + added[:, colours:]
        colour = self.colour_code(patches, shape) + added[:, :colours]
        return xp.concat([colour, shape], 1)

    def shape_code(self, patches: Array) -> Array:
        """(N, 4, S, S) ⇒ (N, shape) code of the mask."""
        distance = signed_distance(patches[:, 3]).reshape(len(patches), -1)  # (N, S·S)
        away = (distance - self.shape_mean)[..., None] / DISTANCE_UNIT  # (N, S·S, 1)
        weight = border_weight(distance)
        return posterior_mean(away, weight, self.shape_basis, SHAPE_NOISE)[..., 0]

    def colour_code(self, patches: Array, shape_code: Array) -> Array:
        """(N, 4, S, S), (N, shape) ⇒ (N, luma + 2·chroma) code within that shape."""
        count = len(patches)
        planes = to_luma_chroma(patches[:, :3]).reshape(count, 3, -1).mT  # (N, S·S, 3)
        mask = patches[:, 3].reshape(count, -1)  # (N, S·S)
        luma_axes, chroma_axes = self.axes(shape_code)
        luma = posterior_mean(planes[..., :1], mask, self.luma_basis, self.noise, luma_axes)
        chroma = posterior_mean(planes[..., 1:], mask, self.chroma_basis, self.noise, chroma_axes)
        parts = [luma.mT.reshape(count, -1), chroma.mT.reshape(count, -1)]
        return namespace(patches).concat(parts, 1)

    def components(self, codes: Array) -> Array:
        """(N, length) codes ⇒ (N, components) of luma, both chroma planes and the shape."""
        # A few at a time: the axes are a hundred times as large as the codes.
        parts = [self._components(codes[n : n + CHUNK]) for n in range(0, len(codes), CHUNK)]
        return namespace(codes).concat(parts, 0)

    def _components(self, codes: Array) -> Array:
        ends = np.cumsum(self.lengths).tolist()
        starts = [0, *ends[:-1]]
        luma, blue, red, shape = (
            codes[:, a:b] for a, b in zip(starts, ends, strict=True)
        )  # 4 × (N, ·)
        luma_axes, chroma_axes = self.axes(shape)
        colours = ((luma_axes, luma), (chroma_axes, blue), (chroma_axes, red))
        parts = [(axes @ numbers[..., None])[..., 0] for axes, numbers in colours]
        return namespace(codes).concat([*parts, shape], 1)

    def axes(self, shape_code: Array) -> tuple[Array, Array]:
        """(N, shape) codes ⇒ the principal axes of luma and of chroma within these shapes.

        No gradient passes through them.

        Returns:
            (N, components, numbers) float32 each: what a number stands for, in components.
        """
        xp = namespace(shape_code)
        code = shape_code if xp is np else shape_code.detach()
        distance = _product(code, self.shape_basis.mT) * DISTANCE_UNIT + self.shape_mean
        mask = 1 / (1 + xp.exp(-SHAPE_SLOPE * distance))  # (N, S·S)
        half = round(mask.shape[1] ** 0.5) // 2
        mask = mask.reshape(len(mask), half, 2, half, 2).mean((2, 4))  # (N, S/2, S/2)
        return (
            principal_axes(mask, self.luma_basis, self.lengths[0]),
            principal_axes(mask, self.chroma_basis, self.lengths[1]),
        )


def to_luma_chroma(rgb: Array) -> Array:
    """(..., 3, H, W) RGB in [0, 1] ⇒ luma − MEAN_LUMA and two chroma planes, same shape."""
    xp = namespace(rgb)
    planes = xp.einsum("ij,...jhw->...ihw", _like(rgb, LUMA_CHROMA), rgb)
    return planes - _like(rgb, [MEAN_LUMA, 0.0, 0.0])[:, None, None]


def to_rgb(planes: Array) -> Array:
    """The reverse of :func:`to_luma_chroma`; not clipped."""
    xp = namespace(planes)
    matrix = _like(planes, np.linalg.inv(np.array(LUMA_CHROMA)))
    shifted = planes + _like(planes, [MEAN_LUMA, 0.0, 0.0])[:, None, None]
    return xp.einsum("ij,...jhw->...ihw", matrix, shifted)


def _like(array: Array, values: Any) -> Array:
    """Values in the type of an array, beside it."""
    return namespace(array).asarray(values, dtype=array.dtype, device=array.device)


def _zeros(array: Array, *shape: int) -> Array:
    return namespace(array).zeros(shape, dtype=array.dtype, device=array.device)


def _identity(array: Array, count: int) -> Array:
    return namespace(array).eye(count, dtype=array.dtype, device=array.device)


def principal_axes(mask: Array, basis: Array, count: int) -> Array:
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
        same = _identity(mask, count)
        return namespace(mask).broadcast_to(same, (len(mask), count, count))
    rows, columns = mask.shape[1:]
    cells = basis.reshape(rows, 2, columns, 2, components).swapaxes(1, 2)
    cells = cells.reshape(rows * columns, 4, components)
    products = (cells.mT @ cells).reshape(rows * columns, -1)  # (S·S/4, K·K)
    gram = _product(mask.reshape(len(mask), -1), products)  # (N, K·K)
    gram = gram.reshape(-1, components, components)
    axes = _aligned(gram[:, :, :count])
    for _ in range(AXES_ROUNDS - 1):
        axes = gram @ _orthonormal(axes)
    return _orthonormal(axes)[:, :, :count]


def _aligned(columns: Array) -> Array:
    """(N, K, C) with columns of 0 up to a multiple of 16.

    PyTorch's matrix products round by where a matrix begins in memory: a code must not depend on
    how many other patches are coded with it. NumPy's do each matrix by itself.
    """
    if isinstance(columns, np.ndarray):
        return columns
    count = columns.shape[2]
    padded = _zeros(columns, *columns.shape[:2], count + -count % 16)
    padded[:, :, :count] = columns
    return padded


def _orthonormal(columns: Array) -> Array:
    """(N, K, C) ⇒ the orthonormal columns of its QR decomposition, R's diagonal positive."""
    xp = namespace(columns)
    if xp is np and (quick := _orthonormal_by_cholesky(columns)) is not None:
        return quick
    ortho, upper = xp.linalg.qr(columns)
    # QR decompositions differ in these signs, and a code must mean the same everywhere.
    return ortho * xp.sign(upper.diagonal(0, 1, 2))[:, None]


def _orthonormal_by_cholesky(columns: Array) -> Array | None:
    """The same in less time than NumPy's QR takes; None if columns depend on each other."""
    wide = columns.astype(np.float64)
    try:
        lower = np.linalg.cholesky(wide.mT @ wide)  # (N, C, C)
    except np.linalg.LinAlgError:
        return None
    return (wide @ np.linalg.inv(lower).mT).astype(np.float32)


def border_weight(distance: Array) -> Array:
    """Signed distances in samples ⇒ what they count, in [FAR_WEIGHT, 1]."""
    near = distance / NEAR
    return FAR_WEIGHT + (1 - FAR_WEIGHT) * namespace(distance).exp(-near * near)


def signed_distance(mask: Array) -> Array:
    """(N, S, S) masks in [0, 1] ⇒ distance to the border in samples, inside > 0.

    The border of a patch's box counts as a border of the patch. No more than DISTANCE_LIMIT.
    """
    parts = [_signed_distance(mask[n : n + CHUNK]) for n in range(0, len(mask), CHUNK)]
    return namespace(mask).concat(parts, 0)


def _signed_distance(mask: Array) -> Array:
    xp = namespace(mask)
    count, rows, columns = mask.shape
    inside = _zeros(mask, count, rows + 2, columns + 2)
    inside[:, 1:-1, 1:-1] = mask > 0.5
    within, without = _distance_to(1 - inside), _distance_to(inside)
    # Both count whole samples from the other side's nearest one: the border lies between.
    distance = within - without
    distance = (distance - 0.5 * xp.sign(distance))[:, 1:-1, 1:-1]
    return distance.clip(-DISTANCE_LIMIT, DISTANCE_LIMIT)


def _distance_to(target: Array) -> Array:
    """(N, S, S) 1 or 0 ⇒ exact distance of every sample to the nearest 1, along rows, then columns.

    Where there is none it is large.
    """
    xp = namespace(target)
    side = target.shape[-1]
    away = _like(target, np.arange(-side + 1.0, side) ** 2)  # (2·S − 1,)
    squared = 4.0 * side * side * (1 - target)  # (N, S, S)
    for _ in range(2):
        squared = _nearest(squared, away).mT
    return xp.sqrt(squared)


def _nearest(squared: Array, away: Array) -> Array:
    """(N, S, S) ⇒ least sum of another sample's of the row and the squared distance to it."""
    xp = namespace(squared)
    side = squared.shape[-1]
    nearest = squared
    for other in range(side):  # one at a time: all at once would be a cube of samples
        shifted = squared[..., other, None] + away[side - 1 - other : 2 * side - 1 - other]
        nearest = xp.minimum(nearest, shifted)
    return nearest


def posterior_mean(
    planes: Array, mask: Array, basis: Array, noise: float, axes: Array | None = None
) -> Array:
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
    row, column = np.tril_indices(components)
    # BᵀMB is linear in M: one large product for all patches, of the lower triangle.
    pairs = _zeros(basis, len(basis), len(row))  # (Q, K·(K + 1)/2)
    for index in range(components):
        start = index * (index + 1) // 2
        pairs[:, start : start + index + 1] = basis[:, : index + 1] * basis[:, index, None]
    half = _product(mask, pairs)  # (N, K·(K + 1)/2)
    gram = _zeros(mask, len(mask), components, components)
    gram[:, row, column] = half
    gram[:, column, row] = half
    seen = ((planes * mask[..., None]).mT @ basis).mT  # (N, K, R)
    numbers = components
    if axes is not None:
        numbers, axes = axes.shape[2], _aligned(axes)
        gram, seen = axes.mT @ gram @ axes, axes.mT @ seen
    return _solved(gram + noise * _identity(gram, gram.shape[1]), seen)[:, :numbers]


def _product(rows: Array, table: Array) -> Array:
    """(N, Q), (Q, P) ⇒ (N, P).

    NumPy's product rounds a row by where it stands among others; a code must not depend on that.
    """
    return product(rows, table) if isinstance(rows, np.ndarray) else rows @ table


def _solved(gram: Array, seen: Array) -> Array:
    """(N, K, K) positive definite, (N, K, R) ⇒ (N, K, R)."""
    if isinstance(gram, np.ndarray):
        return np.linalg.solve(gram, seen)
    import torch

    return torch.cholesky_solve(seen, torch.linalg.cholesky(gram))
