"""The loop that trains a small network on what is all in memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from eie.train.core.loop import learning_rate
from eie.train.core.settings import LoopSettings

_WARMUP = 50


def minimise(
    network: nn.Module, loss: Callable[[], Tensor], steps: int, rate: float, weight_decay: float
) -> list[float]:
    """Change a network's weights so that a loss falls, by AdamW; the losses of all steps.

    Args:
        loss: of what it draws for a step, by the network as it is.
        rate: the highest learning rate, after 50 steps; it falls to nothing along a cosine.
    """
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=weight_decay)
    schedule, losses = LoopSettings(steps, _WARMUP), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * learning_rate(step, schedule)
        found = loss()
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        losses.append(float(found.detach()))
    return losses
