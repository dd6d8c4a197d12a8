"""What every method made of one case, and the arrays that evaluations pass on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB in [0, 255]."""

Mask = NDArray[np.bool_]
"""(H, W) bool."""

Labels = NDArray[np.integer]
"""(H, W) labels from 0."""

Scores = Mapping[str, Mapping[str, float]]
"""Method ⇒ measure ⇒ value; NaN where it could not be measured."""


@dataclass(frozen=True, eq=False)
class CaseResult:
    """What every method made of one case.

    Attributes:
        case: its name, unlike that of any other case of the evaluation.
        scores: method ⇒ measure ⇒ value; NaN where it could not be measured.
        pictures: title ⇒ (H, W, 3) uint8 RGB, for the contact sheet, in the order to be shown.
        arrays: name ⇒ array, what measures over the whole set are made of (features).
        focus: left, top, width and height in pixels of what is to be looked at in the pictures.
    """

    case: str
    scores: Scores
    pictures: Mapping[str, Pixels] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    focus: tuple[int, int, int, int] | None = None


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Scores as JSON knows them: None for those that could not be measured."""
    return {name: float(value) if math.isfinite(value) else None for name, value in scores.items()}
