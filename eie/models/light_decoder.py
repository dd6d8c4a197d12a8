"""The light decoder D_light: embeddings, boxes ⇒ picture, in one pass (paper §3.2, stage 1).

    embeddings ⇒ tokens (self-attention) ⇒ patches ⇒ canvas ⇒ refined by queries on its grid

Each element is decoded to a patch of colours and signed distance by itself, after its token has
looked at its neighbours; the patches are placed by their boxes and merged
(:mod:`eie.models.patch_compositing`). A trunk at 1/4 of the resolution, whose queries attend to the
elements around them, adds what patches alone cannot know: it goes on with edges across borders,
and sharpens. No masks and no pixels of the source
are seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.canvas import CLAIMED, GRID, TILE
from eie.models.content_encoder import MaskedPCA
from eie.models.folder_model import FolderModel
from eie.models.linear_code import to_rgb
from eie.models.local_attention import FeedForward, LocalAttention, nearest_elements
from eie.models.patch_compositing import place

SIZE_FEATURES = 2

STEP = 0.1
"""Factor of what networks add to codes and colours. These have to be hit to a hundredth and sum
over a thousand features: at the rate that is right for other layers they would be tossed about."""


class LightDecoder(FolderModel):
    """8 self-attention layers over elements, 4 cross-attention layers from the output grid.

    Args:
        embedding_dim: D of the encoder.
        patch_size: side S of the decoded patches, in samples.
        luma, chroma, shape: as the encoder's linear code; all 0 decodes patches from tokens alone.
        patch_luma, patch_chroma, patch_shape: components of decoded patches, at least as many as
            the code has; what it does not hold, tokens tell. 0 for as many. The first two are the
            encoder's, too.
        token_dim, self_layers: of the element tokens.
        trunk_dim, cross_layers: of the trunk at 1/4 resolution.
        heads: of all attention.
        neighbours: elements that a query or token attends to.
        encoder_hash: SHA-256 of the weights of the encoder it was trained with, in hex.
    """

    def __init__(
        self,
        embedding_dim: int = 128,
        patch_size: int = 64,
        luma: int = 0,
        chroma: int = 0,
        shape: int = 0,
        patch_luma: int = 0,
        patch_chroma: int = 0,
        patch_shape: int = 0,
        token_dim: int = 512,
        self_layers: int = 8,
        trunk_dim: int = 512,
        cross_layers: int = 4,
        heads: int = 8,
        neighbours: int = 16,
        encoder_hash: str = "",
    ) -> None:
        super().__init__()
        self._configure(locals())
        self.to_token = nn.Linear(embedding_dim + SIZE_FEATURES, token_dim)
        self.self_attention = nn.ModuleList(
            LocalAttention(token_dim, token_dim, heads) for _ in range(self_layers)
        )
        self.self_feed_forward = nn.ModuleList(
            FeedForward(token_dim, 2) for _ in range(self_layers)
        )
        self.patch_head = PatchHead(
            embedding_dim,
            token_dim,
            patch_size,
            (luma, chroma, shape),
            (patch_luma, patch_chroma, patch_shape),
        )
        self.stem = nn.Conv2d(7 * GRID * GRID, trunk_dim, 1)
        self.blocks = nn.ModuleList(ResidualBlock(trunk_dim) for _ in range(cross_layers))
        self.cross_attention = nn.ModuleList(
            LocalAttention(trunk_dim, token_dim, heads) for _ in range(cross_layers)
        )
        self.head = nn.Conv2d(trunk_dim, 3 * GRID * GRID, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        embeddings: Tensor,
        box: Tensor,
        visible: Tensor,
        size: tuple[int, int],
        rank: Tensor | None = None,
        flip: Tensor | None = None,
        frame: Tensor | None = None,
    ) -> Tensor:
        """Decode a batch of element sets.

        Args:
            embeddings: (B, N, D).
            box: (B, N, 4) (cx, cy, w, h) on the canvas in pixels.
            visible: (B, N) bool; False for deleted elements and for padding.
            size: height and width of the canvas in pixels.
            rank: (B, N) whole numbers ≥ 0 without gaps, larger is nearer to the viewer; None if
                the elements are all of one photo and stand side by side.
            flip: (B, N, 2) bool, mirrored (left-right, top-bottom); None for no mirroring.
            frame: (B, N, 2, 2) how boxes are turned (:mod:`eie.models.frames`); None if all are
                upright.

        Returns:
            (B, 3, height, width) RGB, about [0, 1], not clipped.
        """
        return self.decode(embeddings, box, visible, size, rank, flip, frame)[0]

    def decode(
        self,
        embeddings: Tensor,
        box: Tensor,
        visible: Tensor,
        size: tuple[int, int],
        rank: Tensor | None = None,
        flip: Tensor | None = None,
        frame: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`forward`, and where the elements are.

        Returns:
            (B, 3, height, width) RGB, about [0, 1], not clipped; and (B, 1, height, width) bool,
            whether an element claims the pixel, so that it is drawn and not only continued.
        """
        padded = tuple(-(-length // TILE) * TILE for length in size)
        tokens = self.tokens(embeddings, box, visible, frame)  # (B, N, T)
        patches = self.patch_head(embeddings, tokens)  # (B, N, 4, S, S)
        rank = torch.zeros_like(visible, dtype=torch.long) if rank is None else rank
        flip = visible.new_zeros(*visible.shape, 2) if flip is None else flip
        canvas = place(patches, box.float(), visible, rank, flip, (padded[0], padded[1]), frame)
        claim = canvas[:, -1:].exp()  # (B, 1, H, W)
        # What is only continued was never there to learn from.
        drawn = (claim / CLAIMED).clamp(max=1)
        refined = canvas[:, :3] + drawn * self._refinement(canvas, tokens, box, visible, frame)
        covered = claim > CLAIMED  # (B, 1, H, W)
        return refined[..., : size[0], : size[1]], covered[..., : size[0], : size[1]]

    def tokens(
        self, embeddings: Tensor, box: Tensor, visible: Tensor, frame: Tensor | None
    ) -> Tensor:
        """(B, N, D) embeddings ⇒ (B, N, T) tokens that know their neighbours."""
        tokens = self.token_start(embeddings, box)
        near = nearest_elements(box, box, visible, self.config.neighbours, frame)
        for attention, feed_forward in zip(
            self.self_attention, self.self_feed_forward, strict=True
        ):
            tokens = feed_forward(attention(tokens, tokens, near))
        return tokens

    def token_start(self, embeddings: Tensor, box: Tensor) -> Tensor:
        """(B, N, D) embeddings and boxes ⇒ (B, N, T) tokens that know nothing of each other."""
        sizes = (box[..., 2:] / 32).log()  # (B, N, 2)
        tokens: Tensor = self.to_token(torch.cat([embeddings, sizes], dim=-1))
        return tokens

    def _refinement(
        self, canvas: Tensor, tokens: Tensor, box: Tensor, visible: Tensor, frame: Tensor | None
    ) -> Tensor:
        """(B, 7, H, W) merged patches and their claim ⇒ (B, 3, H, W) what they lack."""
        batch, _, height, width = canvas.shape
        rows, columns = height // GRID, width // GRID
        queries = grid_boxes(rows, columns, canvas.device).expand(batch, -1, -1)  # (B, Q, 4)
        near = nearest_elements(queries, box, visible, self.config.neighbours, frame)
        trunk = self.trunk(canvas)  # (B, C, rows, columns)
        for block, attention in zip(self.blocks, self.cross_attention, strict=True):
            trunk = block(trunk)
            flat = trunk.permute(0, 2, 3, 1).flatten(1, 2)  # (B, Q, C)
            flat = attention(flat, tokens, near)
            trunk = flat.view(batch, rows, columns, -1).permute(0, 3, 1, 2)  # (B, C, …)
        return self.lacking(trunk)

    def trunk(self, canvas: Tensor) -> Tensor:
        """(B, 7, H, W) merged patches and their claim ⇒ (B, C, H/4, W/4) where the trunk starts."""
        level = canvas - canvas.new_tensor([0.5] * 6 + [0.0])[:, None, None]
        scaled = level * canvas.new_tensor([2.0] * 6 + [0.25])[:, None, None]
        inputs = F.pixel_unshuffle(scaled, GRID)  # (B, 7·16, rows, columns)
        start: Tensor = self.stem(inputs.contiguous(memory_format=torch.channels_last))
        return start

    def lacking(self, trunk: Tensor) -> Tensor:
        """(B, C, H/4, W/4) where the trunk ends ⇒ (B, 3, H, W) what is added to colours."""
        return STEP * F.pixel_shuffle(self.head(trunk), GRID).float()


class PatchHead(nn.Module):
    """Embeddings ⇒ patches: a linear basis, which tokens correct.

    Without a code (all lengths 0) the patches come from the tokens by a learned basis.

    Args:
        code: lengths of the code's luma, chroma (two planes of that length) and shape.
        patch: components of the patches' luma, of each chroma plane and of the shape; 0 for as
            many as the code has.
    """

    def __init__(
        self,
        embedding_dim: int,
        token_dim: int,
        patch_size: int,
        code: tuple[int, int, int],
        patch: tuple[int, int, int],
    ) -> None:
        super().__init__()
        coded = any(code)
        if not coded:
            code = (embedding_dim // 2, embedding_dim // 8, embedding_dim // 4)
        luma, chroma, shape = (most or own for most, own in zip(patch, code, strict=True))
        if luma < code[0] or chroma < code[1] or shape < code[2]:
            raise ValueError("patches must have at least the components that the code has")
        self.code = MaskedPCA(patch_size, *code, luma, chroma) if coded else None
        self.patch_size, self.lengths = patch_size, (luma, chroma, chroma, shape)
        samples = patch_size * patch_size
        self.correction = nn.Linear(token_dim, sum(self.lengths))
        if self.code is not None:
            nn.init.zeros_(self.correction.weight)
            nn.init.zeros_(self.correction.bias)
        self.luma_basis = nn.Parameter(torch.empty(samples, luma))
        self.chroma_basis = nn.Parameter(torch.empty(samples, chroma))
        self.shape_basis = nn.Parameter(torch.empty(samples, shape))
        for basis in (self.luma_basis, self.chroma_basis, self.shape_basis):
            # Normal numbers, on the meta device, make torch import its compiler for a second.
            nn.init.uniform_(basis, -0.035, 0.035)
        self.shape_mean = nn.Parameter(torch.zeros(samples))

    def forward(self, embeddings: Tensor, tokens: Tensor) -> Tensor:
        """(B, N, D), (B, N, T) ⇒ (B, N, 4, S, S) RGB and signed distance in samples, float32."""
        held = None
        if self.code is not None:
            held = self.code.components(embeddings.flatten(0, 1))  # (B·N, K of the code)
            held = held.unflatten(0, tokens.shape[:2])
        return self.decoded(tokens, held)

    def decoded(self, tokens: Tensor, held: Tensor | None) -> Tensor:
        """:meth:`forward`, given what the embeddings hold: (B, N, K of the code) or None."""
        parts = self.correction(tokens).float()  # (B, N, K)
        with torch.autocast(tokens.device.type, enabled=False):
            if held is not None:
                more = parts.shape[-1] - held.shape[-1]
                parts = STEP * parts + F.pad(held, (0, more))
            luma, blue, red, shape = parts.split(self.lengths, dim=-1)  # 4 × (B, N, ·)
            planes = torch.stack(
                [
                    luma @ self.luma_basis.mT,
                    blue @ self.chroma_basis.mT,
                    red @ self.chroma_basis.mT,
                ],
                dim=2,
            )  # (B, N, 3, S·S)
            side = self.patch_size
            colour = to_rgb(planes.unflatten(3, (side, side)))  # (B, N, 3, S, S)
            distance = (shape @ self.shape_basis.mT + self.shape_mean)[:, :, None]
            return torch.cat([colour, distance.unflatten(3, (side, side))], dim=2)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a residual, normalised at each place by itself.

    A norm over places would let an edit change the whole picture, and crops differ from photos.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.layers = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1), nn.GELU(), nn.Conv2d(dim, dim, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) ⇒ (B, C, H, W)."""
        normal = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.layers(normal)


def grid_boxes(rows: int, columns: int, device: torch.device) -> Tensor:
    """(1, rows·columns, 4) boxes in pixels of the cells of the trunk's grid, row-major."""
    y, x = torch.meshgrid(
        torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
    )
    centre = (torch.stack([x, y], dim=-1).flatten(0, 1) + 0.5) * GRID  # (Q, 2)
    return torch.cat([centre, torch.full_like(centre, GRID)], dim=1)[None]
