"""Linear maps that make what an element looks like a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Reduction(nn.Module):
    """Linear maps of parts of the features: (N, ΣF) ⇒ (N, Σreduced)."""

    def __init__(self, features: Sequence[int], reduced: Sequence[int]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(map(nn.Linear, features, reduced))
        self.parts = list(features)

    def forward(self, features: Tensor) -> Tensor:
        parts = features.split(self.parts, dim=1)
        return torch.cat(
            [reduce(part) for reduce, part in zip(self.maps, parts, strict=True)], dim=1
        )
