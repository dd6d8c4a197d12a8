"""Which elements make up the thing at each element: three candidates, as Segment Anything's.

    element features, geometry ⇒ tokens (N, D), which attend to each other
    tokens, relations ⇒ for every query three masks over the elements, refined in rounds,
                        and their estimated IoU

The first candidate is learnt to be the thing that a person means; the other two are free to be a
part of it or a group around it: only the better of them counts (multiple choice learning, as for
Segment Anything's three masks; Kirillov et al., ICCV 2023, §3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.elements import CANDIDATES, SHARPNESS
from eie.models.feature_reduction import Reduction

GEOMETRY = 10
"""Numbers that tell where an element lies and its colour; see :class:`ElementGraph`."""

RELATIONS = 24
"""Numbers that tell how two elements stand to each other; see :func:`relations`."""

_MOST_LOGIT = 8.0
"""Logits of a round are clipped to this before the next one reads them."""


@dataclass(frozen=True)
class ObjectHeadConfig:
    """Sizes of the head.

    features: numbers that tell what an element looks like: to segmenter and recogniser, and to the
        detector.
    reduced: of both after a linear map each.
    width, layers, heads: of the transformer over elements.
    pair_width: hidden numbers of a pair of elements.
    rounds: how often the masks are made, each time knowing those before.
    dropout: share of hidden numbers that training drops.
    """

    features: tuple[int, ...] = (1376, 1248)
    reduced: tuple[int, ...] = (112, 64)
    width: int = 128
    layers: int = 3
    heads: int = 4
    pair_width: int = 24
    rounds: int = 2
    dropout: float = 0.1


class ElementGraph(NamedTuple):
    """What the head is told of a photo's N elements.

    features: (N, F) float32, means of the features of image encoder, recogniser and detector.
    geometry: (N, 10) float32: centre x, y and spread x, y as shares of the photo's width and
        height; area as a share of the photo; share of the photo's edge; log of width by height;
        mean colour in [0, 1].
    affinity: (N, N) float32 in [0, 1], as :attr:`eie.elements.Source.affinity`.
    merged: (3, N, N) float32: likeness at which two elements come into one region when touching
        regions are merged, the most alike first; that region's area as a share of the photo; and
        how near they are by way of alike elements (:mod:`eie.patch_graph`).
    touching: (N, N) bool.
    together: (4, N, N) float32 in [0, 1], how they stand to the things that the detector sees
        (:func:`eie.decomposition.detections.together`).
    """

    features: Tensor
    geometry: Tensor
    affinity: Tensor
    merged: Tensor
    touching: Tensor
    together: Tensor

    def to(self, device: torch.device | str) -> ElementGraph:
        """The same on a device."""
        return ElementGraph(*(part.to(device) for part in self))

    @property
    def area(self) -> Tensor:
        """(N,) shares of the photo."""
        return self.geometry[:, 4]


class AttentionLayer(nn.Module):
    """A transformer layer, normalised before each half, with a bias for every pair."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """(N, D) and (heads, N, N) ⇒ (N, D)."""
        qkv = self.qkv(self.norm1(x)).unflatten(1, (3, self.heads, -1))  # (N, 3, heads, c)
        q, k, v = qkv.permute(1, 2, 0, 3)  # (heads, N, c) each
        seen = F.scaled_dot_product_attention(q[None], k[None], v[None], bias[None])[0]
        x = x + self.dropout(self.out(seen.transpose(0, 1).flatten(1)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class MaskRound(nn.Module):
    """One making of all masks: from pairs, tokens and the masks of the round before."""

    def __init__(self, config: ObjectHeadConfig, first: bool) -> None:
        super().__init__()
        width, pair = config.width, config.pair_width
        self.pair = nn.Linear(RELATIONS + (0 if first else CANDIDATES), pair)
        self.query_pair = nn.Linear(width, pair)
        self.element_pair = nn.Linear(width, pair)
        self.logits = nn.Sequential(
            nn.LayerNorm(pair),
            nn.Linear(pair, 2 * pair),
            nn.GELU(),
            nn.Linear(2 * pair, 2 * pair),
            nn.GELU(),
            nn.Linear(2 * pair, CANDIDATES),
        )
        self.query = nn.Linear(width, CANDIDATES * 32)
        self.key = nn.Linear(width, 32)

    def forward(self, x: Tensor, query: Tensor, pairs: Tensor) -> Tensor:
        """Elements (N, D), queries (Q, D), pairs (Q, N, R) ⇒ logits (Q, N, 3)."""
        pair = self.pair(pairs) + self.query_pair(query)[:, None] * self.element_pair(x)
        vectors = self.query(query).unflatten(1, (CANDIDATES, -1))  # (Q, 3, 32)
        products = torch.einsum("qcd,nd->qnc", vectors, self.key(x)) * 32**-0.5  # (Q, N, 3)
        logits: Tensor = self.logits(pair) + products
        return logits


class ObjectHead(nn.Module):
    """Masks over elements for queries that are elements."""

    def __init__(self, config: ObjectHeadConfig = ObjectHeadConfig()) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.embed = nn.Linear(sum(config.reduced), width)
        self.place = nn.Linear(GEOMETRY, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Sequential(
            nn.Linear(RELATIONS, 16), nn.GELU(), nn.Linear(16, config.heads * config.layers)
        )
        self.layers = nn.ModuleList(
            AttentionLayer(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.last_norm = nn.LayerNorm(width)
        self.rounds = nn.ModuleList(MaskRound(config, r == 0) for r in range(config.rounds))
        self.updates = nn.ModuleList(
            nn.Sequential(
                nn.Linear((CANDIDATES + 1) * width, width),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(width, width),
            )
            for _ in range(config.rounds - 1)
        )
        self.update_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.rounds - 1))
        self.quality = nn.Sequential(
            nn.Linear(2 * width + 3 + CANDIDATES, 64),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(64, 1),
        )

    def tokens(self, graph: ElementGraph, related: Tensor) -> Tensor:
        """(N, D): elements that know each other.

        Args:
            graph: its features reduced, (N, reduced).
            related: (N, N, R), the relations of all pairs.
        """
        x = self.norm(self.embed(graph.features) + self.place(placed(graph.geometry)))  # (N, D)
        biases = self.bias(related).permute(2, 0, 1)  # (heads·layers, N, N)
        for layer, bias in zip(self.layers, biases.split(self.config.heads), strict=True):
            x = layer(x, bias)
        known: Tensor = self.last_norm(x)
        return known

    def forward(
        self, graph: ElementGraph, queries: Tensor, related: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """:meth:`candidates` of queries (Q,), given the relations (N, N, R) of all pairs.

        The graph's features are reduced, (N, reduced).
        """
        x = self.tokens(graph, related)  # (N, D)
        return self.candidates(x, graph.area, queries, related[queries])

    def candidates(
        self, x: Tensor, area: Tensor, queries: Tensor, related: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """What queries stand for.

        Args:
            x: (N, D), of :meth:`tokens`.
            area: (N,) the elements' shares of the photo.
            queries: (Q,) indices of elements.
            related: (Q, N, R), the relations of the queries to all elements.

        Returns:
            the logits (Q, N, 3) of every round, that an element is in a candidate, and of the
            last ones' estimated IoU the logits (Q, 3).
        """
        query = x[queries]  # (Q, D)
        pairs, made = related, []
        for index, layer in enumerate(self.rounds):
            logits = layer(x, query, pairs)  # (Q, N, 3)
            made.append(logits)
            weight = logits.sigmoid() * area[:, None]  # (Q, N, 3)
            total = weight.sum(dim=1).clamp(min=1e-6)  # (Q, 3)
            mean = torch.einsum("qnc,nd->qcd", weight, x) / total[..., None]  # (Q, 3, D)
            if index < len(self.updates):
                told = torch.cat([query[:, None], mean], dim=1).flatten(1)  # (Q, 4·D)
                query = self.update_norms[index](query + self.updates[index](told))
                before = logits.clamp(-_MOST_LOGIT, _MOST_LOGIT) / 4
                pairs = torch.cat([related, before], dim=2)  # (Q, N, R + 3)
        return made, self._estimated(query, mean, logits, total, area)

    def _estimated(
        self, query: Tensor, mean: Tensor, logits: Tensor, total: Tensor, area: Tensor
    ) -> Tensor:
        """(Q, 3) logits of the estimated IoU."""
        chance = logits.sigmoid()  # (Q, N, 3)
        share = area[:, None]  # (N, 1)
        sure = (chance * (chance - 0.5).abs() * share).sum(dim=1) / total  # (Q, 3)
        strict, loose = (((chance > limit) * share).sum(dim=1) for limit in (0.7, 0.3))
        stable = strict / loose.clamp(min=1e-6)  # (Q, 3)
        facts = torch.stack([total.log() / 3, sure, stable], dim=2)  # (Q, 3, 3)
        which = torch.eye(CANDIDATES, device=query.device).expand(query.shape[0], -1, -1)
        every = query[:, None].expand(-1, CANDIDATES, -1)  # (Q, 3, D)
        estimated: Tensor = self.quality(torch.cat([every, mean, facts, which], dim=2))
        return estimated[..., 0]


class ObjectEnsemble(nn.Module):
    """Several heads that started and were asked differently: their mean errs less than any."""

    def __init__(self, config: ObjectHeadConfig = ObjectHeadConfig(), members: int = 2) -> None:
        super().__init__()
        self.config = config
        self.reduce = Reduction(config.features, config.reduced)
        self.heads = nn.ModuleList(ObjectHead(config) for _ in range(members))

    def forward(
        self, graph: ElementGraph, related: Tensor, queries: Sequence[Tensor]
    ) -> list[tuple[list[Tensor], Tensor]]:
        """What each head gives for queries of its own, as :meth:`ObjectHead.candidates`."""
        graph = graph._replace(features=self.reduce(graph.features))
        return [head(graph, some, related) for head, some in zip(self.heads, queries, strict=True)]

    @torch.inference_mode()
    def candidates(self, graph: ElementGraph, block: int = 128) -> tuple[Tensor, Tensor]:
        """What every element stands for.

        The first candidate is the mean of all heads' candidates, weighted by exp(8 · score); its
        score is the mean of the heads' best ones. The others are the first head's, and score no
        higher.

        Args:
            block: queries that are asked for at a time.

        Returns:
            probabilities (N, N, 3) that an element is in a query's candidate, scores (N, 3).
        """
        tokens, related = self.known(graph)  # (M, N, D), (N, N, R)
        every = torch.arange(len(graph.area), device=graph.area.device)
        told = [
            self.asked(tokens, graph.area, some, related[some])
            for some in torch.split(every, block)
        ]
        chances, scores = zip(*told, strict=True)
        return torch.cat(chances), torch.cat(scores)

    def known(self, graph: ElementGraph) -> tuple[Tensor, Tensor]:
        """What is known of elements before any is asked for: every head's tokens (M, N, D), and
        the relations (N, N, R) of all pairs."""
        every = torch.arange(graph.area.shape[0], device=graph.area.device)
        related = relations(graph, every)  # (N, N, R)
        graph = graph._replace(features=self.reduce(graph.features))
        heads = [cast(ObjectHead, head) for head in self.heads]
        return torch.stack([head.tokens(graph, related) for head in heads]), related

    def asked(
        self, tokens: Tensor, area: Tensor, queries: Tensor, related: Tensor
    ) -> tuple[Tensor, Tensor]:
        """:meth:`candidates` of queries (Q,), given what is :meth:`known`.

        Args:
            tokens: (M, N, D).
            area: (N,) the elements' shares of the photo.
            queries: (Q,) indices of elements.
            related: (Q, N, R), the relations of the queries to all elements.
        """
        told = [
            cast(ObjectHead, head).candidates(x, area, queries, related)
            for head, x in zip(self.heads, tokens.unbind(0), strict=True)
        ]
        chance = torch.stack([made[-1].sigmoid() for made, _ in told])  # (M, Q, N, 3)
        score = torch.stack([quality.sigmoid() for _, quality in told])  # (M, Q, 3)
        weight = (SHARPNESS * score).softmax(dim=2)  # (M, Q, 3)
        mean = torch.einsum("mqnc,mqc->qn", chance, weight) / len(told)  # (Q, N)
        best = score.amax(dim=2).mean(dim=0)  # (Q,)
        others = torch.minimum(score[0, :, 1:], best[:, None])  # (Q, 2)
        return (
            torch.cat([mean[..., None], chance[0, ..., 1:]], dim=2),
            torch.cat([best[:, None], others], dim=1),
        )


def placed(geometry: Tensor) -> Tensor:
    """(N, 10) geometry on scales that a network likes."""
    centre, size, rest = geometry[:, :2], geometry[:, 2:5], geometry[:, 5:]
    edge, aspect, colour = rest[:, :1], rest[:, 1:2], rest[:, 2:]
    return torch.cat(
        [
            2 * centre - 1,
            size.clamp(min=1e-6).log() / 2 + 1,
            (20 * edge).clamp(max=3),
            aspect,
            2 * colour - 1,
        ],
        dim=1,
    )


def relations(graph: ElementGraph, queries: Tensor) -> Tensor:
    """How queries stand to all elements: (Q, N, 24).

    Affinity both ways as logits; likeness; touching; the way from one to the other in shares of the
    photo's longer side, and its length; whether it is the same; when the two merge, and how large
    they are then; how near they are; difference of mean colours; ratio of areas; how they stand to
    the things that the detector sees. Some of them in several powers.

    Args:
        queries: (Q,) indices of elements.
    """
    affinity = graph.affinity.clamp(1e-4, 1 - 1e-4)  # (N, N)
    own = affinity.diagonal().clamp(min=0.1).sqrt()  # (N,)
    relative = (affinity / own / own[:, None]).clamp(max=1)  # (N, N)
    likeness = (relative + relative.T) / 2
    centre, area, colour = graph.geometry[:, :2], graph.area, graph.geometry[:, 7:]
    aspect = graph.geometry[0, 6].exp()
    scale = torch.stack([aspect, torch.ones_like(aspect)]) / aspect.clamp(min=1)  # (2,)
    way = (centre - centre[queries, None]) * scale  # (Q, N, 2)
    length = way.norm(dim=2)  # (Q, N)
    at, size, near = graph.merged[:, queries]  # (Q, N) each
    alike, touching = likeness[queries], graph.touching[queries].float()  # (Q, N) each
    same = queries[:, None] == torch.arange(area.shape[0], device=area.device)  # (Q, N)
    return torch.stack(
        [
            affinity[queries].logit() / 4,
            affinity.T[queries].logit() / 4,
            alike,
            alike**4,
            touching,
            touching * alike,
            *(3 * way).unbind(dim=2),
            3 * length,
            (-8 * length).exp(),
            same.float(),
            at,
            at**3,
            size.log() / 4,
            near,
            near**2,
            *(3 * (colour - colour[queries, None]).abs()).unbind(dim=2),
            (area / area[queries, None]).log() / 3,
            *(2 * graph.together[:, queries]).unbind(dim=0),
        ],
        dim=2,
    )
