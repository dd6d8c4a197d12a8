"""SAM's ViT image encoder with attention that stays in the cache.

The same weights and result as `segment_anything.modeling.ImageEncoderViT`. Its relative positions
add the terms q·R[i − k] and q·R[j − l] to the logit of query (i, j) and key (k, l). Both become
part of one product when the query is extended by its terms for all k and all l, and the key by the
one-hot codes of its row and column; logits are then made, used and dropped a block of queries at a
time instead of as one (heads, 4096, 4096) tensor that is written and read five times.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_QUERIES = 256  # queries of one head whose logits (2 MB in bfloat16) are in work at a time


@torch.inference_mode()
def encode_image(encoder: Any, image: Tensor) -> Tensor:
    """Embed a preprocessed image.

    Args:
        encoder: the `image_encoder` of any Sam; another one than `ImageEncoderViT` is just called.
        image: (1, 3, img_size, img_size) normalised and padded, in the encoder's dtype.

    Returns:
        (1, C, h, w) image embedding.
    """
    from eie.models.sam_modeling import ImageEncoderViT

    if not isinstance(encoder, ImageEncoderViT):
        return encoder(image)
    x = encoder.patch_embed(image)  # (1, h, w, D)
    if encoder.pos_embed is not None:
        x = x + encoder.pos_embed
    for block in encoder.blocks:
        x = x + _attend(block, block.norm1(x))
        x = x + block.mlp(block.norm2(x))
    return encoder.neck(x.permute(0, 3, 1, 2))  # (1, C, h, w)


def _attend(block: Any, x: Tensor) -> Tensor:
    """Attention of a block, within windows or over the whole image: (1, h, w, D) ⇒ same."""
    from eie.models.sam_modeling import window_partition, window_unpartition

    if not block.window_size:
        return _attention(block.attn, x)
    windows, padded = window_partition(x, block.window_size)  # (W, s, s, D)
    windows = _attention(block.attn, windows)
    return window_unpartition(windows, block.window_size, padded, x.shape[1:3])


def _attention(attention: Any, x: Tensor) -> Tensor:
    """(W, h, w, D) ⇒ (W, h, w, D) for W windows of h·w positions."""
    windows, height, width, _ = x.shape
    heads, size = attention.num_heads, height * width
    qkv = attention.qkv(x).view(windows, size, 3, heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.reshape(3, windows * heads, size, -1)  # (W·H, h·w, c) each
    scaled = q * attention.scale
    if attention.use_rel_pos:
        scaled = torch.cat([scaled, *_relative_terms(attention, q, height, width)], dim=-1)
        codes = _one_hot_places(height, width).to(k)  # (h·w, h + w)
        k = torch.cat([k, codes.expand(len(k), -1, -1)], dim=-1)  # (W·H, h·w, c + h + w)

    out = torch.empty_like(v)  # (W·H, h·w, c)
    group = max(1, _QUERIES // size)  # small windows are taken several at a time
    for first in range(0, len(q), group):
        some = slice(first, first + group)
        keys = k[some].transpose(1, 2)
        for start in range(0, size, _QUERIES):
            part = slice(start, start + _QUERIES)
            weights = (scaled[some, part] @ keys).softmax(dim=-1)  # (G, Q, h·w)
            out[some, part] = weights @ v[some]
    out = out.view(windows, heads, height, width, -1).permute(0, 2, 3, 1, 4)
    return attention.proj(out.flatten(3))


def _relative_terms(attention: Any, q: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(W·H, h·w, c) ⇒ (W·H, h·w, h) and (W·H, h·w, w): what every key row, key column adds."""
    from eie.models.sam_modeling import get_rel_pos

    grid = q.unflatten(1, (height, width))  # (W·H, h, w, c)
    rows = get_rel_pos(height, height, attention.rel_pos_h)  # (h, h, c)
    columns = get_rel_pos(width, width, attention.rel_pos_w)  # (w, w, c)
    by_row = torch.einsum("bhwc,hkc->bhwk", grid, rows)
    by_column = torch.einsum("bhwc,wkc->bhwk", grid, columns)
    return by_row.flatten(1, 2), by_column.flatten(1, 2)


def _one_hot_places(height: int, width: int) -> Tensor:
    """(h·w, h + w): the row and the column of every position, one-hot."""
    rows = torch.eye(height).repeat_interleave(width, dim=0)
    columns = torch.eye(width).repeat(height, 1)
    return torch.cat([rows, columns], dim=1)
