"""Attention to the nearest elements."""

import numpy as np
import torch

from eie.geometry import frames
from eie.models.local_attention import LocalAttention, nearest_elements


def boxes(count: int) -> torch.Tensor:
    """(2, count, 4) boxes in pixels."""
    return torch.cat([100 * torch.rand(2, count, 2), 5 + 20 * torch.rand(2, count, 2)], dim=2)


def test_it_is_softmax_attention_to_the_chosen_elements() -> None:
    torch.manual_seed(0)
    attention = LocalAttention(8, 6, heads=2)
    query, element = torch.randn(2, 5, 8), torch.randn(2, 7, 6)
    box = boxes(7)
    near = nearest_elements(box[:, :5], box, torch.ones(2, 7, dtype=torch.bool), 3)
    found = attention(query, element, near)

    q = attention.to_query(attention.norm(query)).unflatten(2, (2, 4)) / 2  # 4 numbers a head
    pairs = attention.to_key_value(attention.element_norm(element)).unflatten(2, (2, 2, 4))
    bias = attention.geometry(near.geometry)  # (2, 5, 3, heads)
    for image in range(2):
        for place in range(5):
            chosen = near.element[image, place]
            key, value = pairs[image, chosen].unbind(1)  # (3, heads, 4)
            logit = (key * q[image, place]).sum(-1) + bias[image, place]  # (3, heads)
            mixed = (logit.softmax(dim=0)[..., None] * value).sum(dim=0).flatten()  # (8,)
            expected = query[image, place] + attention.to_out(mixed)
            assert torch.allclose(found[image, place], expected, atol=1e-5)


def test_hidden_elements_are_never_neighbours() -> None:
    torch.manual_seed(1)
    attention = LocalAttention(8, 6, heads=2)
    query, element, box = torch.randn(2, 5, 8), torch.randn(2, 7, 6), boxes(7)
    visible = torch.tensor([[True] * 2 + [False] * 5] * 2)
    near = nearest_elements(box[:, :5], box, visible, 4)
    first = attention(query, element, near)
    changed = torch.where(visible[..., None], element, 9.0)
    assert torch.allclose(attention(query, changed, near), first, atol=1e-6)


def test_gradients_reach_queries_and_elements() -> None:
    torch.manual_seed(2)
    attention = LocalAttention(8, 6, heads=2)
    query = torch.randn(2, 5, 8, requires_grad=True)
    element = torch.randn(2, 7, 6, requires_grad=True)
    box = boxes(7)
    near = nearest_elements(box[:, :5], box, torch.ones(2, 7, dtype=torch.bool), 3)
    attention(query, element, near).square().sum().backward()
    assert query.grad.abs().sum() > 0 and element.grad.abs().sum() > 0


def test_what_turns_as_one_sees_itself_as_before() -> None:
    box = torch.rand(1, 7, 4) * 40 + 10
    visible = torch.ones(1, 7, dtype=torch.bool)
    frame = torch.from_numpy(frames(np.full(7, 35.0), np.full(7, 0.4))).float()[None]
    turned = box.clone()
    turned[..., :2] = (frame @ box[..., :2, None])[..., 0]
    before, after = (
        nearest_elements(box, box, visible, 4),
        nearest_elements(turned, turned, visible, 4, frame),
    )
    order, again = before.element.sort(dim=2), after.element.sort(dim=2)
    assert torch.equal(order.values, again.values)
    one = before.geometry.gather(2, order.indices[..., None].expand(-1, -1, -1, 6))
    other = after.geometry.gather(2, again.indices[..., None].expand(-1, -1, -1, 6))
    assert torch.allclose(one, other, atol=1e-4)
