"""What a U-Net reads of texts, as Stable Diffusion 1.x, 2.x and XL have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PARTS = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
"""A pipeline's parts that read texts; the second pair is Stable Diffusion XL's."""


@dataclass(frozen=True, eq=False)
class ReadText:
    """B texts as a U-Net takes them.

    Attributes:
        states: (B, L, T), of every token.
        pooled: (B, P), of every text as a whole; None for a U-Net that takes none.
    """

    states: Tensor
    pooled: Tensor | None = None

    def repeated(self, times: int, dtype: torch.dtype) -> ReadText:
        """Each text `times` times in a row, in another precision."""
        planes = (
            None if plane is None else plane.to(dtype).repeat_interleave(times, dim=0)
            for plane in (self.states, self.pooled)
        )
        return ReadText(*planes)  # type: ignore[arg-type]

    def added(self, size: tuple[int, int]) -> dict[str, Tensor] | None:
        """What Stable Diffusion XL's U-Net is told besides: `added_cond_kwargs`.

        Args:
            size: (H, W) of the pictures in pixels; they are not parts of larger ones.
        """
        if self.pooled is None:
            return None
        told = self.pooled.new_tensor([*size, 0, 0, *size])  # original size, crop, target size
        return {"text_embeds": self.pooled, "time_ids": told.expand(len(self.pooled), -1)}


class TextReader:
    """CLIP's tokenizers and text encoders: one of each, or Stable Diffusion XL's two.

    Args:
        pipeline: has :data:`PARTS`, some of them None.
    """

    def __init__(self, pipeline: Any) -> None:
        self.parts = {name: getattr(pipeline, name) for name in PARTS}

    def __bool__(self) -> bool:
        return self.parts["text_encoder"] is not None

    @property
    def encoders(self) -> list[Any]:
        found = (self.parts["text_encoder"], self.parts["text_encoder_2"])
        return [encoder for encoder in found if encoder is not None]

    def __call__(self, texts: Sequence[str], device: torch.device) -> ReadText:
        """B texts, long ones cut off, in the encoders' precision."""
        if len(self.encoders) == 1:
            tokens = self._tokens("tokenizer", texts, device)
            return ReadText(self.parts["text_encoder"](tokens)[0])
        states = []
        for name, tokenizer in (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")):
            tokens = self._tokens(tokenizer, texts, device)
            read = self.parts[name](tokens, output_hidden_states=True)
            states.append(read.hidden_states[-2])  # (B, L, T)
        # The second encoder's first output is its projection of the whole text.
        return ReadText(torch.cat(states, dim=-1), read[0])

    def _tokens(self, name: str, texts: Sequence[str], device: torch.device) -> Tensor:
        """(B, L) of a tokenizer."""
        tokenizer = self.parts[name]
        tokens: Tensor = tokenizer(
            list(texts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return tokens.to(device)
