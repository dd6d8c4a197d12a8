"""SAM's two-way mask decoder for many single prompts of one image.

Computes what `segment_anything.modeling.MaskDecoder` computes, from the same weights, with less
work:

- until a prompt first writes to the image (end of layer 1) the image side is one for all prompts;
- a prompt has T = 7 tokens and the image L = 4096, so projections of the image are moved to the
  token side: (x Wᵀ)·q = x·(q W); what remains for the image are products with H·T = 56 columns;
- only wanted mask tokens are read from: the last attention and hypernetworks run for them alone;
- transposed convolutions with stride = kernel are matrix products.

Shapes: B prompts, T tokens, L image positions, C channels, H heads, c channels of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BATCH = 2  # prompts whose image tokens (2 MB each in bfloat16) are in work at a time


@torch.inference_mode()
def decode_prompts(
    decoder: Any,
    image: Tensor,
    image_pe: Tensor,
    points: Tensor,
    rows: int,
    columns: int,
    outputs: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Mask logits and their estimated IoU, prompt by prompt in small batches.

    Args:
        decoder: segment_anything `MaskDecoder` with a `TwoWayTransformer`.
        image: (1, C, h, w) image embedding with the dense prompt added.
        image_pe: (1, C, h, w) its positional encoding.
        points: (N, P, C) embedded sparse prompts.
        rows, columns: how much of the output is wanted, from the top left, ≤ 4h and ≤ 4w.
        outputs: masks a prompt: 1 for the single-mask output alone; up to 4, the others are those
            of an ambiguous prompt.

    Yields:
        (B, outputs, rows, columns) logits of the next B prompts, in the decoder's dtype, and their
        estimated IoU (B, outputs).
    """
    dtype = decoder.iou_token.weight.dtype
    width = image.shape[-1]
    keys = _positions(image).to(dtype)  # (L, C)
    pe = _positions(image_pe).to(dtype)  # (L, C)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])  # (O, C)
    own = own.expand(len(points), -1, -1)  # (N, O, C)
    tokens = torch.cat([own, points.to(dtype)], dim=1)  # (N, T, C)

    transformer = decoder.transformer
    first, *others = transformer.layers
    shared, shared_placed = keys[None], (keys + pe)[None]  # (1, L, C)
    queries = _read_shared(first, tokens, keys, pe)  # (N, T, C)
    upscale = _Upscaling(decoder, width, rows, columns)
    for start in range(0, len(tokens), _BATCH):
        token_pe = tokens[start : start + _BATCH]  # (B, T, C)
        x = queries[start : start + _BATCH]  # (B, T, C)
        image = _write(first, x + token_pe, x, shared, shared_placed)  # (B, L, C)
        placed = image + pe  # (B, L, C)
        for layer in others:
            x = layer.norm1(x + _self_attention(layer.self_attn, x + token_pe, x))
            attention = layer.cross_attn_token_to_image
            x = layer.norm2(x + _read(attention, x + token_pe, image, placed))
            x = layer.norm3(x + layer.mlp(x))
            image = _write(layer, x + token_pe, x, image, placed)
            placed = image + pe
        own, own_pe = x[:, : 1 + outputs], token_pe[:, : 1 + outputs]  # (B, 1 + outputs, C)
        attention = transformer.final_attn_token_to_image
        own = transformer.norm_final_attn(own + _read(attention, own + own_pe, image, placed))
        networks = decoder.output_hypernetworks_mlps[:outputs]
        weights = [network(own[:, 1 + n]) for n, network in enumerate(networks)]  # (B, C / 8) each
        quality = decoder.iou_prediction_head(own[:, 0])[:, :outputs]  # (B, outputs)
        yield upscale(image, torch.stack(weights, dim=1)), quality


def _positions(x: Tensor) -> Tensor:
    """(1, C, h, w) ⇒ (h·w, C)."""
    return x[0].flatten(1).T.contiguous()


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, H·c) ⇒ (B, H, T, c)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    """(B, H, T, c) ⇒ (B, T, H·c)."""
    return x.transpose(1, 2).flatten(2)


def _self_attention(attention: Any, q: Tensor, v: Tensor) -> Tensor:
    """Tokens (B, T, C) among themselves ⇒ (B, T, C)."""
    heads = attention.num_heads
    out = F.scaled_dot_product_attention(
        _heads(attention.q_proj(q), heads),
        _heads(attention.k_proj(q), heads),
        _heads(attention.v_proj(v), heads),
    )
    return attention.out_proj(_merge(out))


def _read_shared(layer: Any, tokens: Tensor, keys: Tensor, pe: Tensor) -> Tensor:
    """Layer 1 up to its image side: all N prompts read the same image.

    tokens (N, T, C), keys and pe (L, C) ⇒ (N, T, C).
    """
    x = tokens
    if layer.skip_first_layer_pe:
        x = layer.norm1(_self_attention(layer.self_attn, x, x))
    else:
        x = layer.norm1(x + _self_attention(layer.self_attn, x + tokens, x))
    attention = layer.cross_attn_token_to_image
    heads = attention.num_heads
    out = F.scaled_dot_product_attention(
        _heads(attention.q_proj(x + tokens).flatten(0, 1)[None], heads),  # (1, H, N·T, c)
        _heads(attention.k_proj(keys + pe)[None], heads),  # (1, H, L, c)
        _heads(attention.v_proj(keys)[None], heads),  # (1, H, L, c)
    )
    x = layer.norm2(x + attention.out_proj(_merge(out)).view_as(x))
    return layer.norm3(x + layer.mlp(x))


def _through(tokens: Tensor, projection: nn.Linear, heads: int) -> Tensor:
    """Carry tokens' head vectors back through the projection of the image they will meet.

    (B, T, H·c), weight (H·c, C) ⇒ (B, H·T, C), scaled as attention logits are.
    """
    x = _heads(tokens, heads)  # (B, H, T, c)
    weight = projection.weight.unflatten(0, (heads, -1))  # (H, c, C)
    return ((x * x.shape[-1] ** -0.5) @ weight).flatten(1, 2)


def _logits(x: Tensor, placed: Tensor) -> Tensor:
    """(B, H·T, C) and image with encoding, (B or 1, L, C) ⇒ (B, H·T, L)."""
    if len(placed) == 1:
        return F.linear(x, placed[0])
    return x @ placed.transpose(1, 2)


def _read(attention: Any, q: Tensor, image: Tensor, placed: Tensor) -> Tensor:
    """Tokens attend to each prompt's own image: q (B, T, C), image, placed (B, L, C) ⇒ (B, T, C).

    The bias of k_proj adds the same to all logits of a token, so the softmax does not see it; that
    of v_proj passes the weighted mean unchanged.
    """
    heads = attention.num_heads
    x = _through(attention.q_proj(q), attention.k_proj, heads)  # (B, H·T, C)
    seen = _logits(x, placed).softmax(dim=-1) @ image  # (B, H·T, C)
    seen = seen.unflatten(1, (heads, -1))  # (B, H, T, C)
    weight = attention.v_proj.weight.unflatten(0, (heads, -1))  # (H, c, C)
    out = _merge(seen @ weight.transpose(1, 2)) + attention.v_proj.bias  # (B, T, H·c)
    return attention.out_proj(out)


def _write(layer: Any, k: Tensor, v: Tensor, image: Tensor, placed: Tensor) -> Tensor:
    """The image attends to the tokens: k, v (B, T, C), image, placed (B or 1, L, C) ⇒ (B, L, C)."""
    attention = layer.cross_attn_image_to_token
    heads = attention.num_heads
    k = attention.k_proj(k)  # (B, T, H·c)
    x = _through(k, attention.q_proj, heads)  # (B, H·T, C)
    bias = attention.q_proj.bias.unflatten(0, (heads, 1, -1))  # (H, 1, c)
    shift = (_heads(k, heads) * bias).sum(-1) * bias.shape[-1] ** -0.5  # (B, H, T)
    logits = _logits(x, placed).unflatten(1, (heads, -1)) + shift[..., None]  # (B, H, T, L)
    weights = logits.softmax(dim=2).flatten(1, 2)  # (B, H·T, L), over T

    v = _heads(attention.v_proj(v), heads)  # (B, H, T, c)
    out = attention.out_proj.weight.unflatten(1, (heads, -1)).permute(1, 2, 0)  # (H, c, C)
    v = (v @ out).flatten(1, 2)  # (B, H·T, C)
    image = image + attention.out_proj.bias
    image = torch.baddbmm(image, weights.transpose(1, 2), v)
    return layer.norm4(image)


class _Upscaling:
    """`output_upscaling` and the product with the hypernetwork's weights, at the wanted part."""

    def __init__(self, decoder: Any, width: int, rows: int, columns: int) -> None:
        first, self.norm, self.activation, second, self.last_activation = decoder.output_upscaling
        self.first, self.first_bias = _as_product(first)
        self.second, self.second_bias = _as_product(second)
        self.width = width
        self.rows, self.columns = rows, columns
        self.used = -(-rows // 4)  # rows of image positions

    def __call__(self, image: Tensor, weights: Tensor) -> Tensor:
        """(B, L, C) and (B, M, C / 8) ⇒ (B, M, rows, columns)."""
        x = image[:, : self.used * self.width]  # (B, l, C)
        x = torch.addmm(self.first_bias, x.reshape(-1, x.shape[-1]), self.first)  # (B·l, 4·C/4)
        x = x.unflatten(1, (4, -1))  # (B·l, 4, C/4)
        x = F.layer_norm(x, x.shape[-1:], self.norm.weight, self.norm.bias, self.norm.eps)
        x = self.activation(x).flatten(0, 1)  # (B·l·4, C/4)
        x = self.last_activation(torch.addmm(self.second_bias, x, self.second))  # (B·l·4, 4·C/8)
        x = weights @ x.view(len(image), -1, weights.shape[-1]).transpose(1, 2)  # (B, M, l·16)
        x = x.unflatten(2, (self.used, self.width, 2, 2, 2, 2))  # B, M, y, x, dy, dx, ddy, ddx
        x = x.permute(0, 1, 2, 4, 6, 3, 5, 7).flatten(5, 7).flatten(2, 4)  # (B, M, 4·y, 4·x)
        cut: Tensor = x[..., : self.rows, : self.columns]
        return cut


def _as_product(convolution: nn.ConvTranspose2d) -> tuple[Tensor, Tensor]:
    """A 2×2 transposed convolution with stride 2 as (in, 4·out) matrix and (4·out,) bias."""
    bias = torch.zeros_like(convolution.weight[0, :, 0, 0])
    if convolution.bias is not None:
        bias = convolution.bias
    return convolution.weight.permute(0, 2, 3, 1).flatten(1).contiguous(), bias.repeat(4)
