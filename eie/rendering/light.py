"""The `light` decoder: embeddings, boxes ⇒ picture in one pass (paper §3.2, stage 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.elements import ElementSet
from eie.pictures import Picture, to_channels
from eie.rendering.element_tensors import element_inputs, embedded, stretched_inputs

if TYPE_CHECKING:
    from eie.rendering.anchored import Scene


@dataclass(frozen=True)
class LightDecoder:
    """Decodes the whole canvas from embeddings and boxes.

    Attributes:
        model: "tiny" (embedded), a model folder, or a hub id.
        working_size: long side in pixels at which larger canvases are decoded.
        device: "cpu", "cuda", "mps"; None for the CPU if the model is bundled, else the fastest.
    """

    model: str | Path = "tiny"
    working_size: int = 1024
    device: str | None = None

    @property
    def name(self) -> str:
        return "light"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"model": str(self.model), "working_size": self.working_size}

    def fill(self, scene: Scene) -> Picture:
        """The decoded canvas in the layout of source 0, alpha opaque."""
        return as_layout(self.decode(scene.elements), scene.source.shape[2])

    def decode(self, elements: ElementSet) -> Picture:
        """(H, W, 3) uint8 RGB of the whole canvas; elements without embeddings are encoded.

        Raises:
            UsageError: embeddings of another encoder than this decoder was trained with.
            MissingModelError: the model is not there.
        """
        import cv2

        from eie.models.content_checkpoints import load_canvas_decoder

        decoder = load_canvas_decoder(self.model, self.device)
        inputs = element_inputs(embedded(elements, decoder.encoder_hash, self.model, self.device))
        height, width = elements.canvas
        factor = min(1.0, self.working_size / max(height, width))
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        stretch = np.array([size[1] / width, size[0] / height], dtype=np.float32)
        placed = stretched_inputs(inputs, stretch, np.zeros(2, np.float32))
        picture = decoder.decode(**placed, size=size)  # (3, h, w)
        rounded = np.round(picture.clip(0, 1) * 255).transpose(1, 2, 0)  # (h, w, 3)
        pixels: Picture = np.ascontiguousarray(rounded, np.uint8)
        if size == (height, width):
            return pixels
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(resized, np.uint8)


def as_layout(rgb: Picture, channels: int) -> Picture:
    """(H, W, 3) RGB ⇒ (H, W, C) grey, grey+alpha, RGB or RGBA."""
    colour = to_channels(rgb, channels)
    if channels in (1, 3):
        return colour
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=2)
