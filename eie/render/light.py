"""The `light` decoder: embeddings, boxes ⇒ picture in one pass (paper §3.2, stage 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.elements import ElementSet
from eie.pictures import Picture, to_channels
from eie.render.embedded import element_inputs, embedded, stretched_inputs

if TYPE_CHECKING:
    from eie.render.anchored import Scene


@dataclass(frozen=True)
class LightDecoder:
    """Decodes the whole canvas from embeddings and boxes.

    Attributes:
        model: "tiny" (embedded), a model folder, or a hub id.
        working_size: long side in pixels at which larger canvases are decoded.
        device: "cpu", "cuda", "mps"; None for the best there is.
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
        import torch

        from eie.models.content import load_light_decoder
        from eie.models.devices import half_precision

        decoder = load_light_decoder(self.model, self.device)
        inputs = element_inputs(
            embedded(elements, decoder.model.config.encoder_hash, self.model, self.device)
        )
        height, width = elements.canvas
        factor = min(1.0, self.working_size / max(height, width))
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        stretch = np.array([size[1] / width, size[0] / height], dtype=np.float32)
        device = decoder.model.device
        tensors = {
            name: torch.from_numpy(value)[None].to(device)
            for name, value in stretched_inputs(inputs, stretch, np.zeros(2, np.float32)).items()
        }
        precision = half_precision(device)
        half = torch.autocast(device.type, precision, enabled=precision != torch.float32)
        with torch.inference_mode(), half:
            picture = decoder.model(**tensors, size=size)[0]  # (3, h, w)
        pixels = picture.float().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        if size != (height, width):
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(pixels)


def as_layout(rgb: Picture, channels: int) -> Picture:
    """(H, W, 3) RGB ⇒ (H, W, C) grey, grey+alpha, RGB or RGBA."""
    colour = to_channels(rgb, channels)
    if channels in (1, 3):
        return colour
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=2)
