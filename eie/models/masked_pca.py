"""The linear code of masked patches as part of a network: :mod:`eie.models.linear_code`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eie.models.linear_code import LinearCode


class MaskedPCA(nn.Module):
    """A :class:`eie.models.linear_code.LinearCode` whose bases are among a network's tensors.

    Args:
        patch_size: side S of a patch.
        luma, chroma, shape: numbers spent on luma, on each of the two chroma planes, on the shape.
        luma_components, chroma_components: components of the bases that luma and each chroma plane
            are made of, at least as many; 0 for as many.
        noise: the variance σ² of what the basis leaves unexplained.

    The bases are buffers: :mod:`eie.train.encoder.bases` fits them, no gradient does.
    """

    luma_basis: Tensor
    chroma_basis: Tensor
    shape_basis: Tensor
    shape_mean: Tensor

    def __init__(
        self,
        patch_size: int,
        luma: int,
        chroma: int,
        shape: int,
        luma_components: int = 0,
        chroma_components: int = 0,
        noise: float = 1e-4,
    ) -> None:
        super().__init__()
        samples = patch_size * patch_size
        self.noise = noise
        self.lengths = (luma, chroma, chroma, shape)
        self.register_buffer("luma_basis", torch.zeros(samples, luma_components or luma))
        self.register_buffer("chroma_basis", torch.zeros(samples, chroma_components or chroma))
        self.register_buffer("shape_basis", torch.zeros(samples, shape))
        self.register_buffer("shape_mean", torch.zeros(samples))

    @property
    def length(self) -> int:
        return sum(self.lengths)

    def forward(self, patches: Tensor, added: Tensor | None = None) -> Tensor:
        """As :meth:`eie.models.linear_code.LinearCode.code`."""
        with torch.autocast(patches.device.type, enabled=False):
            coded: Tensor = self._code().code(patches.float(), added)
            return coded

    def components(self, codes: Tensor) -> Tensor:
        """As :meth:`eie.models.linear_code.LinearCode.components`."""
        with torch.autocast(codes.device.type, enabled=False):
            components: Tensor = self._code().components(codes.float())
            return components

    def _code(self) -> LinearCode:
        bases = (self.luma_basis, self.chroma_basis, self.shape_basis, self.shape_mean)
        return LinearCode(self.lengths, *bases, self.noise)
