"""The closed-form linear code."""

import cv2
import numpy as np
import torch

from eie.models.linear_code import (
    DISTANCE_LIMIT,
    FAR_WEIGHT,
    SHAPE_NOISE,
    border_weight,
    posterior_mean,
    principal_axes,
    signed_distance,
    to_luma_chroma,
    to_rgb,
)
from eie.train.encoder.bases import masked_pca


def test_luma_and_chroma_go_back_to_rgb() -> None:
    rgb = torch.rand(2, 3, 4, 5)
    assert torch.allclose(to_rgb(to_luma_chroma(rgb)), rgb, atol=1e-5)


def test_posterior_mean_ignores_what_the_mask_hides() -> None:
    torch.manual_seed(0)
    basis, code = torch.randn(64, 5), torch.randn(3, 5, 2)
    planes = basis @ code
    mask = (torch.rand(3, 64) < 0.5).float()
    hidden = planes + 100 * (1 - mask)[..., None]
    assert torch.allclose(posterior_mean(hidden, mask, basis, 1e-6), code, atol=1e-3)


def test_posterior_mean_solves_the_regularised_least_squares() -> None:
    torch.manual_seed(1)
    basis, planes = torch.randn(20, 4), torch.randn(1, 20, 1)
    mask, noise = torch.rand(1, 20), 0.3
    weight = mask[0].sqrt()[:, None]
    stacked = torch.cat([weight * basis, noise**0.5 * torch.eye(4)])
    target = torch.cat([weight * planes[0], torch.zeros(4, 1)])
    expected = torch.linalg.lstsq(stacked, target).solution
    assert torch.allclose(posterior_mean(planes, mask, basis, noise)[0], expected, atol=1e-4)


def test_missing_samples_do_not_cost_the_basis_its_directions() -> None:
    torch.manual_seed(2)
    truth = torch.linalg.qr(torch.randn(36, 3)).Q * torch.tensor([3.0, 2.0, 1.0])
    code = torch.randn(4000, 1, 3)
    mask = (torch.rand(4000, 36) < 0.5).float()
    found = masked_pca(code @ truth.mT, mask, 3, noise=1e-3, rounds=12)
    onto = torch.linalg.qr(found).Q
    assert (truth - onto @ (onto.mT @ truth)).norm() < 0.05 * truth.norm()


def smooth_basis(side: int, components: int) -> torch.Tensor:
    """(side², components) products of cosines, slow ones first and larger."""
    order = sorted((u * u + v * v, u, v) for u in range(8) for v in range(8))[:components]
    place = torch.pi * (torch.arange(side) + 0.5) / side
    columns = [
        torch.outer(torch.cos(v * place), torch.cos(u * place)).flatten() / (1 + square)
        for square, u, v in order
    ]
    return torch.stack(columns, dim=1) / side


def cells(mask: torch.Tensor) -> torch.Tensor:
    """(N, S, S) ⇒ (N, S/2, S/2) means of cells of 2×2."""
    return torch.nn.functional.avg_pool2d(mask, 2)


def test_principal_axes_hold_nearly_all_that_eigenvectors_do() -> None:
    basis, mask = smooth_basis(16, 40), discs(20, 16)
    axes = principal_axes(cells(mask), basis, 12)
    assert torch.allclose(axes.mT @ axes, torch.eye(12).expand(20, -1, -1), atol=1e-4)
    gram = basis.mT @ (mask.flatten(1)[..., None] * basis)  # (20, 40, 40)
    best = torch.linalg.eigvalsh(gram)[:, -12:].sum(dim=1)
    held = (axes.mT @ gram @ axes).diagonal(dim1=1, dim2=2).sum(dim=1)
    first = gram.diagonal(dim1=1, dim2=2)[:, :12].sum(dim=1)
    assert (held > 0.995 * best).all() and (held > first).all()


def test_principal_axes_hardly_move_with_the_mask() -> None:
    basis, mask = smooth_basis(16, 40), cells(discs(5, 16))
    axes = principal_axes(mask, basis, 12)
    moved = principal_axes((mask + 1e-4 * torch.rand_like(mask)).clamp(max=1), basis, 12)
    assert (moved - axes).abs().max() < 0.02


def test_all_components_need_no_axes() -> None:
    axes = principal_axes(torch.rand(2, 4, 4), smooth_basis(8, 10), 10)
    assert torch.equal(axes, torch.eye(10).expand(2, -1, -1))


def test_numbers_go_further_within_the_shape() -> None:
    basis, mask = smooth_basis(16, 40), discs(200, 16)
    torch.manual_seed(4)
    planes = (basis @ torch.randn(200, 40, 1)) * mask.flatten(1)[..., None]

    def error(code_basis: torch.Tensor, axes: torch.Tensor | None) -> torch.Tensor:
        code = posterior_mean(planes, mask.flatten(1), code_basis, 1e-7, axes)
        decoded = code_basis @ (code if axes is None else axes @ code)
        return ((decoded - planes) * mask.flatten(1)[..., None]).square().sum()

    adapted = error(basis, principal_axes(cells(mask), basis, 12))
    assert adapted < 0.85 * error(basis[:, :12], None)


def discs(count: int, side: int) -> torch.Tensor:
    """(count, side, side) masks of discs of random places and sizes."""
    torch.manual_seed(3)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    centre = side / 2 + side / 8 * torch.randn(count, 2, 1, 1)
    radius = side / 3 + side / 16 * torch.randn(count, 1, 1)
    return ((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < radius**2).float()


def test_signed_distance_counts_from_the_border() -> None:
    mask = torch.zeros(1, 9, 9)
    mask[0, 2:7, 2:7] = 1
    distance = signed_distance(mask)[0]
    assert distance[2, 4] == 0.5 and distance[1, 4] == -0.5
    assert distance[4, 4] == 2.5 and distance[0, 4] == -1.5


def test_signed_distance_is_the_exact_one_within_limits() -> None:
    mask = torch.cat([discs(7, 32), (torch.rand(3, 32, 32) < 0.3).float()])
    for one, found in zip(mask.numpy(), signed_distance(mask).numpy(), strict=True):
        inside = np.pad(one, 1).astype(np.uint8)
        within, without = (
            cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            for part in (inside, 1 - inside)
        )
        expected = (within - without - 0.5 * np.sign(within - without))[1:-1, 1:-1]
        expected = expected.clip(-DISTANCE_LIMIT, DISTANCE_LIMIT)
        assert np.allclose(found, expected, atol=1e-5)


def test_an_empty_mask_and_a_full_one_have_distances() -> None:
    empty, full = signed_distance(torch.stack([torch.zeros(8, 8), torch.ones(8, 8)]))
    assert (empty < 0).all() and (full > 0).all()


def test_distances_count_by_their_nearness_to_the_border() -> None:
    weight = border_weight(torch.tensor([0.0, 2.0, -2.0, 8.0]))
    assert weight[0] == 1 and weight[1] == weight[2] < 1 and FAR_WEIGHT <= weight[3] < weight[2]


def test_the_shape_code_tells_inside_from_outside() -> None:
    mask = discs(400, 16)
    distance = signed_distance(mask).flatten(1)
    weight = border_weight(distance)
    mean = distance.mean(dim=0)
    basis = masked_pca((distance - mean)[:, None], weight, 12, SHAPE_NOISE)
    code = posterior_mean((distance - mean)[..., None], weight, basis, SHAPE_NOISE)
    inside = (basis @ code)[..., 0] + mean > 0
    assert (inside == (mask.flatten(1) > 0)).float().mean() > 0.98
