"""Borders, selections and clicks drawn on photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eie.editing.click_simulation import Click
from eie.evaluate.core.case_result import Labels, Mask, Pixels
from eie.evaluate.measures.superpixel_metrics import borders

Colour = tuple[int, int, int]

YELLOW: Colour = (255, 230, 0)
GREEN: Colour = (0, 255, 0)
RED: Colour = (255, 0, 0)


def outlined(pixels: Pixels, labels: Labels, colour: Colour) -> Pixels:
    """The photo with a label map's borders drawn on it, two pixels wide."""
    edges = borders(labels)
    edges[1:] |= edges[:-1]
    edges[:, 1:] |= edges[:, :-1]
    drawn = pixels.copy()
    drawn[edges] = colour
    return drawn


def marked(pixels: Pixels, selected: Mask, clicks: Sequence[Click] = ()) -> Pixels:
    """The photo with what is selected lit and outlined, and the clicks: green joins, red cuts."""
    lit = np.where(selected[..., None], pixels, pixels // 3)
    drawn = outlined(lit, selected.astype(np.uint8), YELLOW)
    radius = max(2, max(selected.shape) // 120)
    for click in clicks:
        left, top = max(0, click.x - radius), max(0, click.y - radius)
        spot = drawn[top : click.y + radius + 1, left : click.x + radius + 1]
        spot[:] = GREEN if click.joins else RED
    return drawn
