"""How boxes are turned, as learned models are told: frames of :mod:`eie.geometry` as tensors.

A frame is a 2×2 matrix that carries what would lie in a box, were it not turned, to where it lies
about the box's centre. None stands for frames of boxes that all are upright.
"""

from __future__ import annotations

import torch
from torch import Tensor


def boxes_around(box: Tensor, frame: Tensor | None) -> Tensor:
    """(…, 4) boxes and their frames (…, 2, 2) ⇒ (…, 4) the smallest upright boxes around them."""
    if frame is None:
        return box
    size = (frame.to(box).abs() @ box[..., 2:, None])[..., 0]  # (…, 2)
    return torch.cat([box[..., :2], size], dim=-1)


def in_frame(frame: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Ways on the canvas, from the centre of a box ⇒ the same in the box, were it not turned.

    Args:
        frame: (…, 2, 2); its leading axes broadcast with those of x and y.
    """
    xx, xy, yx, yy = frame.to(x).flatten(-2).unbind(-1)
    area = xx * yy - xy * yx
    return (yy * x - xy * y) / area, (xx * y - yx * x) / area


def is_turned(frame: Tensor) -> Tensor:
    """(…, 2, 2) ⇒ (…) bool, which frames are not those of upright boxes."""
    upright = torch.eye(2, dtype=frame.dtype, device=frame.device)
    return (frame != upright).flatten(-2).any(-1)
