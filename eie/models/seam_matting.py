"""Which pixels around something that is taken away still show it: a small convolutional network.

The border of an object is a matter of matting: along it pixels are mixtures of the object and of
what is behind it, by antialiasing, blur and compression, and elements miss parts of it. As in Deep
Image Matting (Xu et al., CVPR 2017) a network reads the photo beside a mask and says at every pixel
how likely it shows the object; it only has to be asked near the mask's border.

    pixels and mask in blocks of 2×2 ⇒ 1/2 ──────── ⊕ ⇒ 1/2 ⇒ logit
                                     ⇒ 1/4 ── ⊕ ┘
                                     ⇒ 1/8 ───┘
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.errors import MissingModelError
from eie.models.content import EMBEDDED, TINY
from eie.models.residual import ResidualBlock

FOLDER = "matting"
"""Of a model folder."""

WEIGHTS_FILE = "model.safetensors"

BLOCK = 2
"""Pixels along the side of the blocks that the finest level works on."""

WIDTHS = (32, 64, 96)
"""Channels at 1/2, 1/4 and 1/8 of the resolution."""

BLOCKS = 2
"""Residual blocks at each of these."""

MULTIPLE = BLOCK * 2 ** (len(WIDTHS) - 1)
"""Pixels of which a picture's sides are multiples."""


class SeamMatting(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4 * BLOCK**2, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(4 * fine, wide, 1) for fine, wide in pairwise(WIDTHS))
        self.up = nn.ModuleList(nn.Conv2d(wide, 4 * fine, 1) for fine, wide in pairwise(WIDTHS))
        self.before, self.after = (
            nn.ModuleList(
                nn.Sequential(*(ResidualBlock(width) for _ in range(BLOCKS))) for width in widths
            )
            for widths in (WIDTHS, WIDTHS[:-1])
        )
        self.head = nn.Conv2d(WIDTHS[0], BLOCK**2, 3, padding=1)

    def forward(self, pixels: Tensor, gone: Tensor) -> Tensor:
        """How likely pixels show what is taken away.

        Args:
            pixels: (B, 3, H, W) RGB in [0, 1]; sides are multiples of :data:`MULTIPLE`.
            gone: (B, 1, H, W), 1 where something is taken away, else 0.

        Returns:
            (B, 1, H, W) logits.
        """
        planes = torch.cat([pixels * 2 - 1, gone], dim=1)  # (B, 4, H, W)
        carried = self.stem(F.pixel_unshuffle(planes, BLOCK))  # (B, w₀, H/2, W/2)
        levels = [self.before[0](carried)]
        for down, body in zip(self.down, self.before[1:], strict=True):
            levels.append(body(down(F.pixel_unshuffle(levels[-1], 2))))  # (B, w, h/2, w/2)
        carried = levels.pop()
        for up, body in zip(reversed(self.up), reversed(self.after), strict=True):
            carried = body(levels.pop() + F.pixel_shuffle(up(carried), 2))  # (B, w, 2h, 2w)
        return F.pixel_shuffle(self.head(carried), BLOCK)


def load_seam_matting(model: Path = EMBEDDED / TINY) -> SeamMatting:
    """The network of a model folder, in evaluation mode, without gradients.

    Raises:
        MissingModelError: there is none, or it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = model / FOLDER / WEIGHTS_FILE
    network = SeamMatting()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise MissingModelError(
            f"no weights of seam matting could be read: {error}",
            where=str(path),
            hint="make some with eie train matting",
        ) from error
    return network.eval().requires_grad_(False)
