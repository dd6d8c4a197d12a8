"""What is known of a source's patches before anybody clicks, and of a click before it is heeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.editing.picking import areas
from eie.elements import SHARPNESS, SURE, Source
from eie.patch_graph import likeness, thinned, touching_patches

_NOTHING = 1e-9
"""The least area that is divided by, as a share of the photo."""

_SIDE = 160
"""Pixels of the longer side at which masks are measured."""

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Numbers that tell of each of K things (K, F) ⇒ logits (K,)."""


class PatchClick(NamedTuple):
    """A patch that was clicked, to join what is there or to cut it off.

    point: x and y in pixels of the source.
    """

    patch: int
    point: tuple[float, float]
    joins: bool = True


class Hypotheses(NamedTuple):
    """Different sets of patches that clicks may mean: (H, P) bool, and their chances (H,)."""

    inside: NDArray[np.bool_]
    chance: NDArray[np.float32]

    @classmethod
    def ranked(cls, inside: NDArray[np.bool_], logits: NDArray[np.float32]) -> Hypotheses:
        chance = np.exp(logits - logits.max())
        return cls(inside, np.asarray(chance / chance.sum(), dtype=np.float32))

    @property
    def best(self) -> NDArray[np.bool_]:
        """(P,) bool, the likeliest."""
        likeliest: NDArray[np.bool_] = self.inside[self.chance.argmax()]
        return likeliest

    def safest(self, share: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(P,) bool, the hypothesis whose expected IoU with what is meant is highest (minimum Bayes
        risk): many that are alike outweigh a single likelier one.

        Args:
            share: (P,) of the photo's area.
        """
        every = self.inside.astype(np.float32)  # (H, P)
        expected = overlaps(every, every, share.astype(np.float32)) @ self.chance  # (H,)
        chosen: NDArray[np.bool_] = self.inside[expected.argmax()]
        return chosen


def overlaps(
    one: NDArray[np.floating], other: NDArray[np.floating], share: NDArray[np.floating]
) -> NDArray[np.floating]:
    """(H, K) IoU of masks (H, P) and (K, P) of patches that have a share (P,) of the photo each."""
    common = (one * share) @ other.T  # (H, K)
    union = (one @ share)[:, None] + other @ share - common  # (H, K)
    return np.asarray(common / np.maximum(union, _NOTHING))


class SmallMap(NamedTuple):
    """A label map that is small enough to measure many masks on.

    labels: (h, w) patches. step: pixels of the source a pixel of it stands for.
    """

    labels: NDArray[np.integer]
    step: int

    @classmethod
    def of(cls, label_map: NDArray[np.integer]) -> SmallMap:
        step = max(1, round(max(label_map.shape) / _SIDE))
        return cls(label_map[step // 2 :: step, step // 2 :: step], step)

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Column and line of a point of the source, in pixels."""
        height, width = self.labels.shape
        column, line = int(x // self.step), int(y // self.step)
        return min(max(column, 0), width - 1), min(max(line, 0), height - 1)


@dataclass(frozen=True, eq=False)
class ClickFacts:
    """What is known of a source's P patches before anybody clicks.

    Attributes:
        small: the label map, to measure masks on.
        chance: (3, P, P) float32 in [0, 1], that a patch is in a candidate of a clicked one.
        score: (3, P) float32 in [0, 1], estimated IoU.
        mean: (P, P) float32, the candidates' mean, weighted by their scores.
        likeness: (P, P) float32 in [0, 1].
        share: (P,) of the photo's area.
        touching: (P, P) bool.
    """

    small: SmallMap
    chance: NDArray[np.float32]
    score: NDArray[np.float32]
    mean: NDArray[np.float32]
    likeness: NDArray[np.float32]
    share: NDArray[np.float64]
    touching: NDArray[np.bool_]

    @classmethod
    def of(cls, source: Source) -> ClickFacts:
        """Those of a source with objects; without affinity, patches are like themselves alone."""
        if source.objects is None:
            raise ValueError("the source tells no objects")
        thin, _ = thinned(source.label_map)
        count = source.patches
        chance = np.asarray(source.objects.chances / SURE, dtype=np.float32)  # (3, P, P)
        score = source.objects.scores.astype(np.float32)  # (3, P)
        weight = np.exp(SHARPNESS * (score - score.max(axis=0)))  # (3, P)
        alike = np.eye(count) if source.affinity is None else likeness(source.affinity)
        return cls(
            SmallMap.of(source.label_map),
            chance,
            score,
            np.einsum("cq,cqp->qp", weight / weight.sum(axis=0), chance),
            np.asarray(alike, dtype=np.float32),
            np.maximum(areas(thin, count), 1) / thin.size,  # one thinning misses is hardly there
            touching_patches(thin, count),
        )


def network(weights: Path) -> Network:
    """What facts (K, F) say: logits (K,), the logarithm of the mean chance that several networks
    give, by weights that `eie train corrections` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    layers = [(tensors[f"{i}.weight"], tensors[f"{i}.bias"]) for i in (0, 1, 2)]

    def logits(facts: NDArray[np.float32]) -> NDArray[np.float32]:
        x = facts[None]  # (1, K, F); then (M, K, hidden) of M networks
        for index, (weight, bias) in enumerate(layers):
            x = x @ weight.swapaxes(1, 2).astype(np.float32) + bias[:, None].astype(np.float32)
            x = x if index == len(layers) - 1 else np.maximum(x, 0)
        told = x[..., 0] - x[..., 0].max(axis=1, keepdims=True)  # (M, K)
        chance = np.exp(told) / np.exp(told).sum(axis=1, keepdims=True)
        return np.asarray(np.log(chance.mean(axis=0) + 1e-30), dtype=np.float32)

    return logits
