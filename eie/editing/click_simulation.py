"""A person who clicks until a thing is selected, as the interactive-segmentation literature has it.

The first click is at the thing's innermost point; every further one in the middle of the largest
error: on what is missing it joins, on what is too much it cuts off (Xu et al., "Deep interactive
object selection", CVPR 2016; Sofiiuk et al., "Reviving iterative training with mask guidance for
interactive segmentation", ICIP 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""(H, W), a thing or what is selected."""


class Click(NamedTuple):
    """A pixel of the photo that was clicked, to join what is there or to cut it off."""

    x: int
    y: int
    joins: bool


Selector = Callable[[Sequence[Click]], Mask]
"""What is selected after some clicks."""


def simulate_clicks(truth: Mask, select: Selector, count: int) -> tuple[list[Click], list[Mask]]:
    """Click up to `count` times; it ends early where nothing is wrong any more.

    Args:
        truth: the thing; not empty.
        select: called with all clicks so far, the first of which joins.

    Returns:
        the clicks, and what was selected after each.
    """
    clicks: list[Click] = []
    selected: list[Mask] = []
    mask = np.zeros_like(truth)
    while len(clicks) < count and (mask != truth).any():
        clicks.append(next_click(truth, mask) if clicks else Click(*innermost(truth), True))
        mask = select(clicks)
        selected.append(mask)
    return clicks, selected


def next_click(truth: Mask, selected: Mask) -> Click:
    """The middle of the largest connected region of what is missing, or of what is too much.

    The two must differ.
    """
    missing, surplus = (_largest_region(truth & ~selected), _largest_region(selected & ~truth))
    joins = bool(missing.sum() >= surplus.sum())
    return Click(*innermost(missing if joins else surplus), joins)


def innermost(mask: Mask) -> tuple[int, int]:
    """(x, y) of the pixel that is farthest from everything outside; the photo's frame is outside.

    Of several the first. The mask must not be empty.
    """
    y, x = np.unravel_index(int(depths(mask).argmax()), mask.shape)
    return int(x), int(y)


def depths(mask: Mask) -> NDArray[np.float64]:
    """(H, W) how far each pixel is from everything outside; the photo's frame is outside."""
    from scipy.ndimage import distance_transform_edt

    found: NDArray[np.float64] = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return found


def intersection_over_union(one: Mask, other: Mask) -> float:
    """In [0, 1]; 1 for two empty masks."""
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 1.0


def clicks_needed(overlaps: Sequence[float], wanted: float, most: int) -> int:
    """NoC: the clicks until a wanted overlap is reached; `most` if it never is."""
    return next((n for n, value in enumerate(overlaps, 1) if value >= wanted), most)


def _largest_region(mask: Mask) -> Mask:
    """(H, W) bool, the largest region connected by pixel sides; empty if the mask is."""
    from scipy.ndimage import label

    regions, _ = label(mask)
    area = np.bincount(regions.ravel())
    area[0] = 0
    largest: Mask = (regions == area.argmax()) & mask
    return largest
