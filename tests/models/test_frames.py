"""Frames of boxes as tensors mean what those of the table do."""

import numpy as np
import torch

from eie import geometry
from eie.models.frames import boxes_around, in_frame, is_turned

ANGLE, SHEAR = np.array([0.0, 30.0, 90.0, -125.0]), np.array([0.0, 0.0, 0.0, 0.75])
FRAME = torch.from_numpy(geometry.frames(ANGLE, SHEAR))
BOX = torch.tensor([[5.0, 6, 10, 4]] * 4, dtype=torch.float64)


def test_boxes_around_turned_ones() -> None:
    expected = geometry.boxes_around(BOX.numpy(), ANGLE, SHEAR)
    assert np.allclose(boxes_around(BOX, FRAME).numpy(), expected)
    assert boxes_around(BOX, None) is BOX


def test_ways_in_a_box_were_it_not_turned() -> None:
    own = torch.tensor([[3.0, -1]] * 4, dtype=torch.float64)
    x, y = (FRAME @ own[:, :, None])[..., 0].unbind(1)
    assert torch.allclose(torch.stack(in_frame(FRAME, x, y), dim=1), own)


def test_which_are_turned() -> None:
    assert is_turned(FRAME).tolist() == [False, True, True, True]
