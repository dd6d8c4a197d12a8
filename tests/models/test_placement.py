"""Placing decoded patches on the canvas."""

import torch

from eie.models.placement import LOGIT_LIMIT, TILE, overlapping_pairs, place

SIDE = 32


def flat_patch(value: float) -> torch.Tensor:
    """(2, SIDE, SIDE) a patch of one value whose signed distance is that of its box."""
    step = torch.arange(SIDE) + 0.5
    edge = torch.minimum(step, SIDE - step)
    distance = torch.minimum(edge[:, None], edge[None, :])
    return torch.stack([torch.full((SIDE, SIDE), value), distance])


def placed(values, boxes, size=(64, 96), ranks=None, flips=None, visible=None):
    count = len(values)
    patches = torch.stack([v if torch.is_tensor(v) else flat_patch(v) for v in values])[None]
    return place(
        patches,
        torch.tensor([boxes], dtype=torch.float32),
        torch.tensor([visible or [True] * count]),
        torch.tensor([ranks or [0] * count]),
        torch.tensor([flips or [[False, False]] * count]),
        size,
    )[0]


def test_pairs_are_the_overlapping_ones() -> None:
    box = torch.tensor([[[16.0, 16, 20, 20], [64, 16, 30, 10], [-50, 16, 10, 10]]])
    pairs = overlapping_pairs(box, torch.tensor([[True, True, True]]), TILE, 4 * TILE)
    found = set(zip(pairs.element.tolist(), pairs.tile.tolist(), strict=True))
    assert found == {(0, 0), (1, 1), (1, 2)}


def test_a_box_is_filled_and_its_size_followed() -> None:
    canvas = placed([0.2, 0.9], [[48, 32, 96, 64], [60, 30, 24, 12]], ranks=[0, 1])
    assert torch.allclose(canvas[0, 26:34, 52:68], torch.tensor(0.9), atol=0.02)
    assert torch.allclose(canvas[0, 2:20, :], torch.tensor(0.2), atol=0.02)


def test_a_moved_box_moves_by_as_much() -> None:
    first = placed([0.1, 0.9], [[48, 32, 96, 64], [30, 30, 20, 20]], ranks=[0, 1])[0]
    second = placed([0.1, 0.9], [[48, 32, 96, 64], [47, 35, 20, 20]], ranks=[0, 1])[0]
    assert torch.allclose(first[10:50, 10:50], second[15:55, 27:67], atol=0.02)


def test_the_higher_rank_wins_whatever_the_shapes_say() -> None:
    boxes = [[48, 32, 96, 64], [48, 32, 30, 30]]
    for ranks, expected in (([0, 1], 0.9), ([1, 0], 0.1), ([3, 9], 0.9)):
        canvas = placed([0.1, 0.9], boxes, ranks=ranks)
        assert abs(canvas[0, 32, 48] - expected) < 0.02


def test_hidden_elements_leave_what_surrounds_them() -> None:
    canvas = placed([0.4, 0.9], [[16, 32, 32, 64], [80, 32, 32, 64]], visible=[True, False])
    assert torch.allclose(canvas[0], torch.tensor(0.4), atol=0.02)


def test_flipping_mirrors_within_the_box() -> None:
    ramp = flat_patch(0.0)
    ramp[0] = torch.linspace(0, 1, SIDE)[None, :]
    box = [[40, 30, 32, 32]]
    plain = placed([ramp], box)[0][14:46, 24:56]
    mirrored = placed([ramp], box, flips=[[True, False]])[0][14:46, 24:56]
    assert torch.allclose(plain.flip(1)[:, 1:-1], mirrored[:, 1:-1], atol=1e-4)


def test_gradients_reach_patches_and_claims_stay_within_limits() -> None:
    patches = torch.randn(1, 3, 4, SIDE, SIDE, requires_grad=True)
    box = torch.tensor([[[20.0, 20, 30, 30], [40, 30, 50, 20], [70, 40, 9, 70]]])
    none = torch.zeros(1, 3, 2, dtype=torch.bool)
    canvas = place(
        patches, box, torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3), none, (64, 96)
    )
    assert canvas.isfinite().all()
    assert canvas[:, -1].max() <= LOGIT_LIMIT + torch.log(torch.tensor(3.0))
    canvas.square().sum().backward()
    assert patches.grad is not None and patches.grad.abs().sum() > 0
