"""Augmentation: pictures of a training varied each time they come, so that they are not learnt by
heart.

What is drawn once and comes again, such as holes with their fills, is soon known to a network: of a
thousand batches that came seven times each a refiner had 8 % less of the loss than of new ones.
All pictures of a part are varied alike, so a fill still fits its surroundings.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from eie.train.settings import AugmentSettings

_CLEAR = 0.999
"""How much of a resized pixel must be known for it to be: what is hidden must not show."""


def drawn_zoom(settings: AugmentSettings) -> float:
    """A factor that a part is enlarged by."""
    low, high = settings.zoom
    zoomed = torch.rand(()) < settings.zoomed
    return float(low + (high - low) * torch.rand(())) if zoomed else 1.0


def resized(known: Tensor, pictures: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """A square part at another size.

    Args:
        known: (1, h, h), 1 or 0.
        pictures: (N, 3, h, h) in [0, 1].
        side: in pixels, what h becomes.
    """
    if known.shape[-1] == side:
        return known, pictures
    planes = torch.cat([known[None].expand(-1, 3, -1, -1), pictures])  # (1 + N, 3, h, h)
    planes = F.interpolate(planes, (side, side), mode="bilinear", antialias=True)
    return (planes[0, :1] > _CLEAR).to(known), planes[1:]


def augmented(known: Tensor, pictures: Tensor, settings: AugmentSettings) -> tuple[Tensor, Tensor]:
    """A square part mirrored, turned and in other colours, or not, by torch's generator.

    Args:
        known: (1, h, h), 1 or 0.
        pictures: (N, 3, h, h) in [0, 1].

    Returns:
        The same shapes and ranges.
    """
    if torch.rand(()) < 0.5:
        known, pictures = known.flip(-1), pictures.flip(-1)
    if torch.rand(()) < settings.turned:
        turns = int(torch.randint(1, 4, ()))
        known, pictures = (planes.rot90(turns, (-2, -1)) for planes in (known, pictures))
    if torch.rand(()) < settings.recoloured:
        pictures = recoloured(pictures, settings)
    return known, pictures


def recoloured(pictures: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, 3, h, w) in [0, 1], all in the same other colours."""
    from torchvision.transforms.v2 import ColorJitter

    jitter = ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue)
    # A contrast's mean is each picture's own: as one tall picture they have one.
    tall: Tensor = jitter(torch.cat(list(pictures), dim=1))  # (3, N·h, w)
    return torch.stack(list(tall.chunk(len(pictures), dim=1)))
