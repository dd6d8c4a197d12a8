"""Small networks that rank what clicks may mean, so that the expected IoU is the highest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eie.train.core.loop import learning_rate
from eie.train.core.settings import LoopSettings
from eie.train.corrections.choices import Choice
from eie.train.corrections.settings import CorrectionSettings

_DROPOUT = 0.2

_BATCH, _DECAY, _WARMUP = 32, 1e-2, 50


def train_ranking(
    choices: Sequence[Choice], settings: CorrectionSettings, random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Several networks that rank candidates, as :func:`eie.editing.click_facts.network` reads
    them: tensors of all members, (M, out, in) and (M, out)."""
    every = torch.cat([choice.facts for choice in choices])  # (ΣC, F)
    mean, deviation = every.mean(dim=0), every.std(dim=0) + 1e-3  # (F,) each
    scaled = [Choice((c.facts - mean) / deviation, c.overlap) for c in choices]
    members = [_fit(_ranking_network(len(mean), settings.hidden), scaled, settings, random)
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


def _ranking_network(facts: int, hidden: int) -> nn.Sequential:
    """(C, F) scaled facts ⇒ (C, 1) logits."""
    return nn.Sequential(
        nn.Linear(facts, hidden), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(_DROPOUT),
        nn.Linear(hidden, 1),
    )  # fmt: skip


def _fit(
    network: nn.Sequential,
    choices: Sequence[Choice],
    settings: CorrectionSettings,
    random: np.random.Generator,
) -> nn.Sequential:
    """Change a network's weights by AdamW, so that the IoU that its chances let expect is high."""
    optimizer = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=_DECAY)
    schedule = LoopSettings(settings.steps, _WARMUP)
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.rate * learning_rate(step, schedule)
        drawn = [choices[i] for i in random.integers(len(choices), size=_BATCH)]
        told = network(torch.cat([choice.facts for choice in drawn]))[:, 0]  # (ΣC,)
        parts = told.split([len(choice.overlap) for choice in drawn])
        expected = [(part.softmax(dim=0) * c.overlap).sum()
                    for part, c in zip(parts, drawn, strict=True)]  # fmt: skip
        optimizer.zero_grad()
        (-torch.stack(expected).mean()).backward()
        optimizer.step()
    return network.eval()
