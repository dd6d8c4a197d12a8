"""What a U-Net reads of a text: CLIP's last states, as in Stable Diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def encode_texts(
    tokenizer: Any, text_encoder: Any, texts: Sequence[str], device: torch.device
) -> Tensor:
    """B texts ⇒ (B, L, C) on the device, in the encoder's precision; long texts are cut off."""
    tokens = tokenizer(
        list(texts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    encoded: Tensor = text_encoder(tokens.input_ids.to(device))[0]
    return encoded
