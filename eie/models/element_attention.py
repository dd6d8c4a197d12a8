"""Element cross-attention θ_S: how a diffusion U-Net sees image elements (paper §3.3, stage 2).

    embeddings, boxes ⇒ tokens ⇒ keys and values of every layer ⇒ U-Net

After every text cross-attention of a diffusers `UNet2DConditionModel` stands a cross-attention to
the element tokens. Both read the same features and both outputs are added with equal weight:

    z ← z + CrossAttention(z, text) + CrossAttention_S(z, elements)

The U-Net stays diffusers' own: its attention processors are wrapped, and what the layers need comes
with each call (`cross_attention_kwargs`), so that nothing is kept on modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.frames import boxes_around, in_frame

TEXT_ATTENTION = ".attn2.processor"
"""How diffusers' names of the text cross-attentions' processors end."""

ARGUMENT = "elements"
"""The cross-attention argument that carries an :class:`ElementContext`."""

FAR = 4.0
"""Box sizes from an element beyond which it is no farther for the geometry bias."""


@dataclass(frozen=True, eq=False)
class ElementContext:
    """The elements of one denoising call, as its layers read them.

    Attributes:
        layers: θ_S by the name of the U-Net layer it follows.
        keys, values: (B, heads, N + 1, head) by layer name, the null token first.
        present: (B, N + 1) bool, False for padding and for elements that are not there.
        box: (B, N, 4) (cx, cy, w, h) in shares of the canvas; only for the geometry bias.
        aspect: canvas width divided by height; only for the geometry bias.
        masked: whether some are not present; without any, attention goes without a mask.
        frame: (B, N, 2, 2) how boxes are turned, in pixels (:mod:`eie.models.frames`); None if all
            are upright; only for the geometry bias.
        null_rows: rows of the U-Net's batch, before those B, that have the null set. All that they
            can read is the null token, whatever they ask, so that attention need not be computed.
    """

    layers: Mapping[str, ElementLayer]
    keys: Mapping[str, Tensor]
    values: Mapping[str, Tensor]
    present: Tensor
    box: Tensor
    aspect: float
    masked: bool = True
    frame: Tensor | None = None
    null_rows: int = 0

    def repeated(self, times: int) -> ElementContext:
        """The context in which each set stands `times` times, without computing it again."""
        if times == 1:
            return self
        return replace(
            self,
            keys={name: key.repeat_interleave(times, 0) for name, key in self.keys.items()},
            values={name: value.repeat_interleave(times, 0) for name, value in self.values.items()},
            present=self.present.repeat_interleave(times, 0),
            box=self.box.repeat_interleave(times, 0),
            frame=None if self.frame is None else self.frame.repeat_interleave(times, 0),
        )


class ElementLayer(nn.Module):
    """One cross-attention to elements: own queries, keys, values and output.

    The output starts at zero, so that the U-Net starts as it was.

    Args:
        query_dim: channels of the U-Net's features there.
        token_dim: T of the element tokens.
        heads: attention heads, as in the text attention beside it.
        geometry_bias: whether elements near a query's place weigh more, by a learnt amount.
    """

    def __init__(self, query_dim: int, token_dim: int, heads: int, geometry_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(query_dim, query_dim, bias=False)
        self.to_k = nn.Linear(token_dim, query_dim, bias=False)
        self.to_v = nn.Linear(token_dim, query_dim, bias=False)
        self.to_out = nn.Linear(query_dim, query_dim)
        for parameter in self.to_out.parameters():
            nn.init.zeros_(parameter)
        self.nearness = nn.Parameter(torch.linspace(0.5, 4.0, heads)) if geometry_bias else None

    def keys_values(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, T) ⇒ keys and values, (B, heads, N, head) each."""
        return self._by_head(self.to_k(tokens)), self._by_head(self.to_v(tokens))

    def add_to(
        self, features: Tensor, hidden: Tensor, context: ElementContext, name: str
    ) -> Tensor:
        """Features with what is read of the elements added.

        Args:
            features: (null_rows + B, Q, C); changed in place where there are null rows.
            hidden: the same shape, what asks.
            name: of the U-Net's layer.
        """
        key, value, null_rows = context.keys[name], context.values[name], context.null_rows
        if not null_rows:
            return features + self(hidden, key, value, context)
        null = value[0, :, 0].flatten()  # (C,), what all of them read
        # No product of matrices: with a single row, its last bits depend on the weights' place
        # in memory.
        features[:null_rows] += (self.to_out.weight * null).sum(dim=1) + self.to_out.bias  # (C,)
        features[null_rows:] += self(hidden[null_rows:], key, value, context)  # (B, Q, C)
        return features

    def forward(
        self, hidden: Tensor, key: Tensor, value: Tensor, context: ElementContext
    ) -> Tensor:
        """(B, Q, C) features ⇒ the same shape, to be added."""
        query = self._by_head(self.to_q(hidden))  # (B, heads, Q, head)
        mask = context.present[:, None, None] if context.masked else None  # (B, 1, 1, N + 1)
        if self.nearness is not None:
            away = _distances(hidden.shape[1], context).to(query)[:, None]  # (B, 1, Q, N + 1)
            bias = -F.softplus(self.nearness).to(query)[:, None, None] * away
            mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)  # (B, heads, …)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.to_out(read.transpose(1, 2).flatten(2))  # (B, heads, Q, head) ⇒ (B, Q, C)

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, N, C) ⇒ (B, heads, N, C / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class ElementAttention(ModelMixin, ConfigMixin):
    """Tokens of elements and the cross-attention layers that a U-Net reads them with.

    Args:
        embedding_dim: D of the content encoder.
        layer_sizes: channels and heads of every layer, by the U-Net's own name of its attention.
        token_dim: T of the tokens.
        hidden_dim: width of the token network.
        frequencies: of the Fourier embedding, of each of x, y, w and h.
        geometry_bias: see :class:`ElementLayer`; False is the paper.
        encoder_hash: SHA-256 of the weights of the encoder it was trained with, in hex.
    """

    @register_to_config
    def __init__(
        self,
        embedding_dim: int,
        layer_sizes: dict[str, list[int]],
        token_dim: int = 768,
        hidden_dim: int = 768,
        frequencies: int = 8,
        geometry_bias: bool = False,
        encoder_hash: str = "",  # noqa: ARG002 - kept in the configuration
    ) -> None:
        super().__init__()
        self.to_token = nn.Sequential(
            nn.Linear(embedding_dim + 8 * frequencies, hidden_dim),
            nn.SiLU(),
            nn.Linear(hidden_dim, token_dim),
        )
        self.null_token = nn.Parameter(torch.randn(token_dim) * 0.02)
        self.layers = nn.ModuleDict(
            {
                _module_name(name): ElementLayer(channels, token_dim, heads, geometry_bias)
                for name, (channels, heads) in layer_sizes.items()
            }
        )

    @classmethod
    def for_unet(cls, unet: nn.Module, embedding_dim: int, **options: Any) -> ElementAttention:
        """An untrained θ_S with a layer for every text cross-attention of a U-Net."""
        modules = dict(unet.named_modules())
        sizes = {}
        for name in text_attentions(unet):
            attention = modules[name]
            sizes[name] = [attention.to_q.in_features, attention.heads]
        return cls(embedding_dim=embedding_dim, layer_sizes=sizes, **options)

    def tokens(self, embeddings: Tensor, box: Tensor) -> Tensor:
        """Content embedding ⊕ Fourier embedding of the box ⇒ tokens.

        Args:
            embeddings: (B, N, D).
            box: (B, N, 4) (cx, cy, w, h) in shares of the canvas's width and height.

        Returns:
            (B, N, T).
        """
        position = fourier_embedding(box, self.config.frequencies).to(embeddings)
        return self.to_token(torch.cat([embeddings, position], dim=-1))

    def forward(
        self,
        embeddings: Tensor,
        box: Tensor,
        present: Tensor,
        aspect: float = 1.0,
        frame: Tensor | None = None,
    ) -> ElementContext:
        """Everything that does not change from one denoising step to the next.

        The null token always stands before the elements: what an empty set consists of, and hence
        the unconditional side of guidance.

        Args:
            embeddings: (B, N, D).
            box: (B, N, 4) (cx, cy, w, h) in shares of the canvas's width and height.
            present: (B, N) bool; a row of False is the null set.
            aspect: canvas width divided by height.
            frame: (B, N, 2, 2) how boxes are turned, in pixels; None if all are upright. Tokens
                tell the upright boxes around them.
        """
        null = self.null_token.to(embeddings).expand(len(embeddings), 1, -1)  # (B, 1, T)
        square = box.new_tensor([aspect, 1, aspect, 1])  # shares of the height
        around = box if frame is None else boxes_around(box * square, frame) / square
        tokens = torch.cat([null, self.tokens(embeddings, around)], dim=1)  # (B, N + 1, T)
        layers = {name: self._layer(name) for name in self.config.layer_sizes}
        pairs = {name: layer.keys_values(tokens) for name, layer in layers.items()}
        return ElementContext(
            layers=layers,
            keys={name: key for name, (key, _) in pairs.items()},
            values={name: value for name, (_, value) in pairs.items()},
            present=F.pad(present, (1, 0), value=True),
            box=box,
            aspect=aspect,
            masked=not bool(present.all()),
            frame=frame,
        )

    def _layer(self, name: str) -> ElementLayer:
        """The layer that follows the U-Net's attention of that name."""
        layer = self.layers[_module_name(name)]
        if not isinstance(layer, ElementLayer):
            raise TypeError(f"{name} is no element layer")
        return layer


class ElementProcessor:
    """A text cross-attention's processor, followed by the element cross-attention.

    Args:
        name: the layer's name in its U-Net.
        text: the processor of the text cross-attention.
    """

    def __init__(self, name: str, text: Any) -> None:
        self.name, self.text = name, text

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        elements: ElementContext | None = None,
    ) -> Tensor:
        """(B, Q, C) features ⇒ (B, Q, C), the sum of what both attentions read."""
        read = _attend(self.text, attn, hidden_states, encoder_hidden_states, attention_mask, temb)
        if elements is None:
            return read
        return elements.layers[self.name].add_to(read, hidden_states, elements, self.name)


class IgnoringElements:
    """A self-attention's processor, which has nothing to do with elements."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        elements: ElementContext | None = None,  # noqa: ARG002 - diffusers gives it to all layers
    ) -> Tensor:
        """(B, Q, C) features ⇒ (B, Q, C)."""
        return _attend(
            self.processor, attn, hidden_states, encoder_hidden_states, attention_mask, temb
        )


def _attend(
    processor: Any,
    attn: nn.Module,
    hidden_states: Tensor,
    encoder_hidden_states: Tensor | None,
    attention_mask: Tensor | None,
    temb: Tensor | None,
) -> Tensor:
    """Call a processor of diffusers; those for less memory take no time embedding."""
    options = {} if temb is None else {"temb": temb}
    return processor(
        attn, hidden_states, encoder_hidden_states, attention_mask=attention_mask, **options
    )


def text_attentions(unet: Any) -> list[str]:
    """The names of a U-Net's text cross-attentions, in its order."""
    return [
        name.removesuffix(".processor")
        for name in unet.attn_processors
        if name.endswith(TEXT_ATTENTION)
    ]


def attend_to_elements(unet: Any) -> None:
    """Make a U-Net's layers read the elements given with each call; without any, it is unchanged.

    Calls then take `cross_attention_kwargs={"elements": context}`.
    """
    wrapped = {}
    for name, processor in unet.attn_processors.items():
        if isinstance(processor, ElementProcessor | IgnoringElements):
            wrapped[name] = processor
        elif name.endswith(TEXT_ATTENTION):
            wrapped[name] = ElementProcessor(name.removesuffix(".processor"), processor)
        else:
            wrapped[name] = IgnoringElements(processor)
    unet.set_attn_processor(wrapped)


def fourier_embedding(box: Tensor, frequencies: int) -> Tensor:
    """Sines and cosines of each number at octaves from half a period per canvas on.

    Args:
        box: (B, N, 4) in shares of the canvas.

    Returns:
        (B, N, 8 · frequencies) float32.
    """
    octaves = torch.pi * 2.0 ** torch.arange(frequencies, device=box.device)  # (F,)
    angle = box.float()[..., None] * octaves  # (B, N, 4, F)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(2)


def _distances(queries: int, context: ElementContext) -> Tensor:
    """(B, Q, N + 1) squared distances of queries from boxes, in box sizes, at most FAR²; null: 0.

    A query inside a box is nearer than 1/4.
    """
    box = context.box.float()  # (B, N, 4)
    width = max(1, round((queries * context.aspect) ** 0.5))
    while queries % width:  # the grid's sides are whole numbers near the canvas's aspect
        width -= 1
    height = queries // width
    x = (torch.arange(width, device=box.device) + 0.5) / width  # (w,)
    y = (torch.arange(height, device=box.device) + 0.5) / height  # (h,)
    across, down = (
        x[:, None] - box[:, None, :, 0],
        y[:, None] - box[:, None, :, 1],
    )  # (B, w or h, N)
    across, down = across[:, None], down[:, :, None]  # (B, 1, w, N), (B, h, 1, N)
    if context.frame is not None:
        wide, down = in_frame(context.frame[:, None, None], across * context.aspect, down)
        across = wide / context.aspect  # 2 × (B, h, w, N)
    across = (across / box[:, None, None, :, 2]).square()
    down = (down / box[:, None, None, :, 3]).square()
    squared = torch.maximum(across, down).flatten(1, 2)  # (B, Q, N)
    return F.pad(squared.clamp(max=FAR**2), (1, 0))


def _module_name(layer: str) -> str:
    """A name that torch takes for a submodule."""
    return layer.replace(".", "_")
