"""Attention of queries to the elements nearest to them, biased by relative geometry.

Every query sees a fixed number of neighbours, so cost grows with the number of queries alone, and
geometry enters only relative to the query: any canvas size and any number of elements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eie.models.frames import in_frame

GEOMETRY_FEATURES = 6
REFERENCE_SIZE = 32.0
"""Element size in pixels that has size feature 0: the paper's average."""

LOGITS = 1 << 24
"""Products of queries and elements held at a time; bounds memory whatever the canvas."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The K elements nearest to each query of a batch.

    Attributes:
        element: (B, Q, K) index into the elements of the query's own image.
        geometry: (B, Q, K, GEOMETRY_FEATURES) how the element lies to the query.
        present: (B, Q, K) bool, False where an image has fewer visible elements than K.
    """

    element: Tensor
    geometry: Tensor
    present: Tensor


def nearest_elements(
    place: Tensor, box: Tensor, visible: Tensor, count: int, frame: Tensor | None = None
) -> Neighbours:
    """The nearest elements to each query, distance measured in sizes of the element.

    Args:
        place: (B, Q, 4) the queries' boxes (cx, cy, w, h) in pixels.
        box: (B, N, 4) the elements' boxes in pixels.
        visible: (B, N) bool; others are never neighbours.
        count: K; fewer where there are fewer elements.
        frame: (B, N, 2, 2) how the elements' boxes are turned; None if all are upright. Queries
            lie to an element as if it were upright: what is turned as one sees itself as before.
    """
    batch, elements = visible.shape
    count = min(count, elements)
    distance = torch.zeros(batch, place.shape[1], elements, device=box.device)
    ways: Iterable[Tensor] = (place[:, :, None, a] - box[:, None, :, a] for a in (0, 1))
    if frame is not None:
        ways = in_frame(frame[:, None], *ways)
    for axis, away in enumerate(ways):  # 2 × (B, Q, N)
        distance += (away / box[:, None, :, axis + 2]).square()
    distance = distance.masked_fill(~visible[:, None], torch.inf)
    nearest, element = distance.topk(count, dim=2, largest=False, sorted=False)  # (B, Q, K)
    image = torch.arange(batch, device=box.device)[:, None, None]
    near = box[image, element]  # (B, Q, K, 4)
    way = place[:, :, None, :2] - near[..., :2]  # (B, Q, K, 2)
    if frame is not None:
        way = torch.stack(in_frame(frame[image, element], way[..., 0], way[..., 1]), dim=-1)
    return Neighbours(
        element=element,
        geometry=_relative(way, place[:, :, None, 2:], near[..., 2:]),
        present=nearest.isfinite(),
    )


def _relative(way: Tensor, query_size: Tensor, size: Tensor) -> Tensor:
    """(…, 2) ways from elements to queries and their sizes ⇒ (…, GEOMETRY_FEATURES)."""
    away = way / size
    away = away.sign() * away.abs().mul(2).log1p()  # far is far, near is fine-grained
    ratio = (query_size / size).log()
    return torch.cat([away, ratio, (size / REFERENCE_SIZE).log()], dim=-1)


class LocalAttention(nn.Module):
    """Pre-norm multi-head attention to neighbours, with a residual.

    A small network of the relative geometry gives each head its bias. Products are taken with all
    elements, and then those with the neighbours are picked: on a CPU one dense product of matrices
    is several times faster than gathering a key and a value for every neighbour of every query.
    """

    def __init__(self, query_dim: int, element_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(query_dim)
        self.element_norm = nn.LayerNorm(element_dim)
        self.to_query = nn.Linear(query_dim, query_dim)
        self.to_key_value = nn.Linear(element_dim, 2 * query_dim)
        self.geometry = nn.Sequential(
            nn.Linear(GEOMETRY_FEATURES, 32), nn.GELU(), nn.Linear(32, heads)
        )
        self.to_out = nn.Linear(query_dim, query_dim)

    def forward(self, query: Tensor, element: Tensor, near: Neighbours) -> Tensor:
        """(B, Q, D) queries and (B, N, E) elements ⇒ (B, Q, D)."""
        (batch, queries, dim), elements = query.shape, element.shape[1]
        head = dim // self.heads
        q = self.to_query(self.norm(query)).view(batch, queries, self.heads, head)
        q = q.transpose(1, 2) * head**-0.5  # (B, heads, Q, head)
        pairs = self.to_key_value(self.element_norm(element))  # (B, N, 2·D)
        pairs = pairs.view(batch, elements, 2, self.heads, head).permute(2, 0, 3, 1, 4)
        key, value = pairs.unbind(0)  # 2 × (B, heads, N, head)
        bias = self.geometry(near.geometry).permute(0, 3, 1, 2)  # (B, heads, Q, K)
        bias = bias.masked_fill(~near.present[:, None], torch.finfo(bias.dtype).min)
        index = near.element[:, None].expand_as(bias)  # (B, heads, Q, K)
        chunk = max(1, LOGITS // (batch * self.heads * elements))
        if chunk >= queries:
            mixed = _attended(q, bias, index, key, value)  # (B, heads, Q, head)
        else:
            split = zip(q.split(chunk, 2), bias.split(chunk, 2), index.split(chunk, 2), strict=True)
            parts = [
                _attended(some, near_bias, which, key, value) for some, near_bias, which in split
            ]
            mixed = torch.cat(parts, dim=2)  # (B, heads, Q, head)
        return query + self.to_out(mixed.transpose(1, 2).reshape(batch, queries, dim))


def _attended(query: Tensor, bias: Tensor, index: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, H, Q, D), 2 × (B, H, Q, K), 2 × (B, H, N, D) ⇒ (B, H, Q, D) means of chosen values."""
    products = query @ key.mT  # (B, H, Q, N)
    logit = products.gather(3, index).float() + bias  # (B, H, Q, K)
    attention = logit.softmax(dim=-1).to(value.dtype)
    # In one dimension: scatter copies all of the products twice if they are in bfloat16.
    elements = products.shape[-1]
    place = index.flatten(0, 2)  # (B·H·Q, K)
    row = torch.arange(place.shape[0], device=index.device) * elements  # (B·H·Q,)
    place = (place + row[:, None]).flatten()
    weight = torch.zeros_like(products).flatten().index_copy_(0, place, attention.flatten())
    return weight.view_as(products) @ value


class FeedForward(nn.Module):
    """Pre-norm two-layer network with a residual."""

    def __init__(self, dim: int, widen: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, widen * dim), nn.GELU(), nn.Linear(widen * dim, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) ⇒ (…, D)."""
        return x + self.layers(x)
