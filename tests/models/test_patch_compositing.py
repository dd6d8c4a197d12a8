"""Placing decoded patches on the canvas."""

import numpy as np
import torch

from eie.geometry import frames
from eie.models.patch_compositing import LOGIT_LIMIT, TILE, overlapping_pairs, place

SIDE = 32


def flat_patch(value: float) -> torch.Tensor:
    """(2, SIDE, SIDE) a patch of one value whose signed distance is that of its box."""
    step = torch.arange(SIDE) + 0.5
    edge = torch.minimum(step, SIDE - step)
    distance = torch.minimum(edge[:, None], edge[None, :])
    return torch.stack([torch.full((SIDE, SIDE), value), distance])


def placed(values, boxes, size=(64, 96), ranks=None, flips=None, visible=None, turns=None):
    count = len(values)
    patches = torch.stack([v if torch.is_tensor(v) else flat_patch(v) for v in values])[None]
    return place(
        patches,
        torch.tensor([boxes], dtype=torch.float32),
        torch.tensor([visible or [True] * count]),
        torch.tensor([ranks or [0] * count]),
        torch.tensor([flips or [[False, False]] * count]),
        size,
        None if turns is None else torch.from_numpy(frames(turns, np.zeros(count)))[None].float(),
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


def test_a_quarter_turn_is_the_picture_of_the_box_turned() -> None:
    ramp = flat_patch(0.0)
    ramp[0] = torch.linspace(0, 1, SIDE)[None, :] * torch.linspace(1, 0.5, SIDE)[:, None]
    ground = flat_patch(0.3)
    boxes = [[48, 32, 96, 64], [40, 30, 32, 32]]
    plain = placed([ground, ramp], boxes, ranks=[0, 1])[0][14:46, 24:56]
    turned = placed([ground, ramp], boxes, ranks=[0, 1], turns=[0.0, 90.0])[0][14:46, 24:56]
    inner = slice(2, -2)
    clockwise = plain.flip(0).T
    assert torch.allclose(clockwise[inner, inner], turned[inner, inner], atol=0.02)


def test_what_is_turned_by_next_to_nothing_is_placed_as_what_is_not() -> None:
    noise = torch.nn.functional.interpolate(
        torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0)), (SIDE, SIDE),
        mode="bicubic",
    )[0]  # fmt: skip
    patch = torch.cat([noise, flat_patch(0.0)[1:]])
    for box in ([50.2, 31.1, 20, 14], [45, 30, 50, 40]):
        boxes = [[48, 32, 96, 64], box]
        plain = placed([0.5, patch], boxes, ranks=[0, 1])[0]
        turned = placed([0.5, patch], boxes, ranks=[0, 1], turns=[0.0, 1e-6])[0]
        (x, y, w, h) = map(int, box)
        inside = np.s_[y - h // 2 + 1 : y + h // 2 - 1, x - w // 2 + 1 : x + w // 2 - 1]
        assert (plain - turned)[inside].abs().max() < 0.03


def test_neighbours_that_turn_together_leave_no_crack() -> None:
    """No more of the ground is seen along their border than where they stand upright."""
    upright = [[48, 32, 96, 64], [38, 32, 20, 30], [58, 32, 20, 30]]
    turned, frame = [list(box) for box in upright], frames([30.0], [0.0])[0]
    for box in turned[1:]:
        box[:2] = (np.array([48, 32]) + frame @ (np.array(box[:2]) - [48, 32])).tolist()
    plain = placed([0.1, 0.9, 0.9], upright, ranks=[0, 1, 1])[0]
    canvas = placed([0.1, 0.9, 0.9], turned, ranks=[0, 1, 1], turns=[0.0, 30.0, 30.0])[0]
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(96) - 47.5, indexing="ij")
    own = np.linalg.inv(frame)
    u, v = own[0, 0] * x + own[0, 1] * y, own[1, 0] * x + own[1, 1] * y
    within, at_home = (u.abs() < 18) & (v.abs() < 13), (x.abs() < 18) & (y.abs() < 13)
    assert canvas[within].min() > plain[at_home].min() - 0.01 > 0.8
    assert (canvas[(u.abs() > 25) | (v.abs() > 20)] - 0.1).abs().max() < 0.01


def test_the_edge_of_a_turned_box_is_no_flight_of_stairs() -> None:
    """Along a slanting edge, grey levels lie between those of both sides in every row."""
    boxes = [[48, 32, 96, 64], [20, 32, 60, 200]]
    canvas = placed([0.0, 1.0], boxes, ranks=[0, 1], turns=[0.0, 20.0])[0]
    between = ((canvas > 0.05) & (canvas < 0.95)).sum(dim=1)
    assert (between[2:-2] >= 1).all()


def test_gradients_reach_turned_patches() -> None:
    patches = torch.randn(1, 2, 4, SIDE, SIDE, requires_grad=True)
    box = torch.tensor([[[20.0, 20, 30, 30], [40, 30, 50, 20]]])
    none = torch.zeros(1, 2, 2, dtype=torch.bool)
    turns = torch.from_numpy(frames([0.0, 50.0], [0.0, 0.5]))[None].float()
    whole = torch.ones(1, 2, dtype=torch.bool)
    place(patches, box, whole, torch.zeros(1, 2), none, (64, 96), turns).sum().backward()
    assert patches.grad is not None and (patches.grad.abs().sum(dim=(2, 3, 4)) > 0).all()
