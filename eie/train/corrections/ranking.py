"""Which of all candidates a first click means: small networks, and clicks in the middle of things.

a thing, points in the middle of it ⇒ the candidates that have the clicked patch, their facts
the truth                           ⇒ every candidate's IoU; the expected one is raised
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eie.editing.candidate_ranking import FACTS, candidate_facts, candidates_with
from eie.editing.click_simulation import Mask, depths
from eie.train.corrections.fitting import minimise
from eie.train.corrections.photos import ClickedPhoto
from eie.train.corrections.settings import CorrectionSettings

_MIDDLE = 0.7
"""Clicks are where a thing is at least this deep, as a share of its depth."""

_DROPOUT = 0.2

_BATCH, _DECAY = 32, 1e-2


@dataclass(frozen=True, eq=False)
class Choice:
    """What a click may mean: (C, 27) facts of the candidates, and (C,) their IoU with the thing."""

    facts: Tensor
    overlap: Tensor


def choices_on(
    photo: ClickedPhoto, settings: CorrectionSettings, random: np.random.Generator
) -> Iterator[Choice]:
    """What clicks in the middle of things of a photo may mean: of each thing the innermost point,
    and further ones."""
    area = photo.facts.share * photo.label_map.size  # (P,)
    taken = min(settings.ranked, len(photo.things))
    for index in random.choice(len(photo.things), taken, replace=False):
        thing = photo.things[index]
        within = np.bincount(photo.label_map[thing], minlength=len(area))  # (P,) pixels
        for x, y in _middle(thing, settings.points, random):
            patch = int(photo.label_map[y, x])
            candidates = candidates_with(photo.facts, patch)
            facts = candidate_facts(photo.facts, photo.small, candidates, patch, (x, y))
            both = candidates.inside @ within  # (C,)
            overlap = both / (candidates.inside @ area + thing.sum() - both)  # (C,)
            yield Choice(torch.from_numpy(facts), torch.from_numpy(overlap).float())


def _middle(thing: Mask, points: int, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    """x and y of the innermost pixel of a thing, and of others in its middle."""
    depth = depths(thing)  # (H, W)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    yield int(x), int(y)
    lines, columns = np.nonzero(depth >= _MIDDLE * depth.max())
    drawn = random.choice(len(lines), min(points - 1, len(lines)), replace=False)
    yield from zip(columns[drawn].tolist(), lines[drawn].tolist(), strict=True)


def train_ranking(
    choices: Sequence[Choice], settings: CorrectionSettings, random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Several networks that rank candidates, as :func:`eie.editing.candidate_ranking.network`
    reads them: tensors of all members, (M, out, in) and (M, out)."""
    every = torch.cat([choice.facts for choice in choices])  # (ΣC, 27)
    mean, deviation = every.mean(dim=0), every.std(dim=0) + 1e-3  # (27,)
    scaled = [Choice((c.facts - mean) / deviation, c.overlap) for c in choices]
    members = [_fit(_ranking_network(settings.hidden), scaled, settings, random)
               for _ in range(settings.members)]  # fmt: skip
    layers = [[layer for layer in member if isinstance(layer, nn.Linear)] for member in members]
    tensors: dict[str, Tensor] = {}
    for index in range(len(layers[0])):
        weight = torch.stack([linears[index].weight.detach() for linears in layers])
        bias = torch.stack([linears[index].bias.detach() for linears in layers])
        if not index:  # the facts are not scaled when they are ranked
            weight = weight / deviation
            bias = bias - weight @ mean
        tensors |= {f"{index}.weight": weight, f"{index}.bias": bias}
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _ranking_network(hidden: int) -> nn.Sequential:
    """(C, 27) scaled facts ⇒ (C, 1) logits."""
    return nn.Sequential(
        nn.Linear(FACTS, hidden), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(hidden, 1),
    )  # fmt: skip


def _fit(
    network: nn.Sequential,
    choices: Sequence[Choice],
    settings: CorrectionSettings,
    random: np.random.Generator,
) -> nn.Sequential:
    def loss() -> Tensor:
        drawn = [choices[i] for i in random.integers(len(choices), size=_BATCH)]
        told = network(torch.cat([choice.facts for choice in drawn]))[:, 0]  # (ΣC,)
        parts = told.split([len(choice.overlap) for choice in drawn])
        expected = [(part.softmax(dim=0) * c.overlap).sum()
                    for part, c in zip(parts, drawn, strict=True)]  # fmt: skip
        return -torch.stack(expected).mean()

    minimise(network, loss, settings.ranking_steps, settings.rate, _DECAY)
    return network.eval()
