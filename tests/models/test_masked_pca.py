"""The closed-form linear code."""

import torch

from eie.models.masked_pca import posterior_mean, to_luma_chroma, to_rgb
from eie.train.basis import masked_pca, shape_code, signed_distance


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


def test_signed_distance_counts_from_the_border() -> None:
    mask = torch.zeros(1, 9, 9, dtype=torch.uint8)
    mask[0, 2:7, 2:7] = 255
    distance = signed_distance(mask.numpy())[0]
    assert distance[2, 4] == 0.5 and distance[1, 4] == -0.5
    assert distance[4, 4] == 2.5 and distance[0, 4] == -1.5


def test_the_shape_code_tells_inside_from_outside() -> None:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    torch.manual_seed(3)
    centre, radius = 8 + 2 * torch.randn(400, 2, 1, 1), 5 + torch.randn(400, 1, 1)
    mask = ((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < radius**2).byte() * 255
    analysis, mean, synthesis, distance_mean = shape_code(mask, 12)
    code = (mask.flatten(1) / 255 - mean) @ analysis
    inside = (code @ synthesis.mT + distance_mean) > 0
    assert (inside == (mask.flatten(1) > 0)).float().mean() > 0.97
