"""The content encoder E: patches ⇒ appearance embeddings (paper §3.2, stage 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eie.models.folder_model import FolderModel
from eie.models.kl_encoder import KLEncoder
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


STEP = 0.1
"""Factor of what the convolutions add to the linear code, whose numbers have unit variance: small
changes of weights are to be small changes of it."""


class ContentEncoder(FolderModel):
    """Stable Diffusion's KL-autoencoder encoder with 4 downsamplings, on patches.

    Its defaults are the paper's scale. With `luma`, `chroma` and `shape` the convolutions correct
    a closed-form linear code (:class:`MaskedPCA`) instead of starting from
    nothing; with `unshuffle` the first downsampling is a pixel unshuffle, which keeps the
    arithmetic in wide layers at low resolution.

    Args:
        patch_size: side S of a patch, a multiple of 16.
        embedding_dim: numbers an element, D.
        block_out_channels: channels at each resolution: one more than the downsamplings made by
            convolutions (5, or 4 with `unshuffle`).
        layers_per_block, norm_num_groups: as in :class:`eie.models.kl_encoder.KLEncoder`.
        unshuffle: whether the first downsampling is a pixel unshuffle.
        luma, chroma, shape: lengths of the linear code's parts, all 0 for none; the code must
            then be as long as the embedding.
        patch_luma, patch_chroma: components that the code's luma and chroma choose axes of; 0 for
            as many as the code has.
    """

    def __init__(
        self,
        patch_size: int = 64,
        embedding_dim: int = 128,
        block_out_channels: tuple[int, ...] = (128, 128, 256, 512, 512),
        layers_per_block: int = 2,
        norm_num_groups: int = 32,
        unshuffle: bool = False,
        luma: int = 0,
        chroma: int = 0,
        shape: int = 0,
        patch_luma: int = 0,
        patch_chroma: int = 0,
    ) -> None:
        super().__init__()
        self._configure(locals())
        cells = (patch_size // 16) ** 2
        if patch_size % 16 or embedding_dim % cells:
            raise ValueError("patch_size must be a multiple of 16 and embedding_dim of (S/16)²")
        if len(block_out_channels) != (4 if unshuffle else 5):
            raise ValueError("block_out_channels must make 4 downsamplings in all")
        self.convolutions = KLEncoder(
            in_channels=16 if unshuffle else 4,
            out_channels=embedding_dim // cells,
            block_out_channels=tuple(block_out_channels),
            layers_per_block=layers_per_block,
            norm_num_groups=norm_num_groups,
        )
        self.linear = (
            MaskedPCA(patch_size, luma, chroma, shape, patch_luma, patch_chroma)
            if luma + chroma + shape
            else None
        )
        if self.linear is not None:
            if self.linear.length != embedding_dim:
                raise ValueError("luma + 2·chroma + shape must equal embedding_dim")
            for parameter in self.convolutions.conv_out.parameters():
                nn.init.zeros_(parameter)

    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches.

        Args:
            patches: (N, 4, S, S) masked RGB and mask, in [0, 1].

        Returns:
            (N, D) embeddings.
        """
        added = self.added(patches)  # (N, D)
        if self.linear is None:
            return added
        coded: Tensor = self.linear(patches, added)
        return coded

    def added(self, patches: Tensor) -> Tensor:
        """(N, 4, S, S) ⇒ (N, D): what the convolutions add to the linear code, if there is one;
        else all."""
        image = patches * 2 - 1  # (N, 4, S, S)
        if self.config.unshuffle:
            image = nn.functional.pixel_unshuffle(image, 2)  # (N, 16, S/2, S/2)
        features = self.convolutions(image.contiguous(memory_format=torch.channels_last))
        embedding = features.flatten(1).float()  # (N, D/cells, S/16, S/16) ⇒ (N, D)
        return embedding if self.linear is None else STEP * embedding
