"""Encoding: every patch of a set gets its appearance embedding (paper §3.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eie.elements import ElementSet, Embeddings, Source

if TYPE_CHECKING:
    from eie.models.content import LoadedEncoder

__all__ = ["encode"]

BATCH = 256
"""Patches encoded at a time."""


def encode(
    elements: ElementSet, *, model: str | Path = "tiny", device: str | None = None
) -> ElementSet:
    """Embed the appearance of every patch that this encoder has not embedded yet.

    Args:
        elements: the set; its sources must have pixels.
        model: "tiny" (embedded), a model folder, or a hub id.
        device: "cpu", "cuda", "mps"; None for the best there is.

    Raises:
        UsageError: a source has no pixels.
        MissingModelError: the model is not there, damaged, or of another kind.
    """
    from eie.models.content import load_content_encoder

    encoder = load_content_encoder(model, device)
    sources = tuple(
        source
        if source.embeddings and source.embeddings.encoder_hash == encoder.weight_hash
        else replace(source, embeddings=_embed(source, encoder))
        for source in elements.sources
    )
    return replace(elements, sources=sources)


def _embed(source: Source, encoder: LoadedEncoder) -> Embeddings:
    import torch

    from eie.encode.patches import cut_patches

    model = encoder.model
    patches = cut_patches(source, model.config.patch_size)  # (P, 4, S, S)
    with torch.inference_mode():
        values = torch.cat([model(part.to(model.device)) for part in patches.split(BATCH)])
    return Embeddings(values.float().cpu().numpy(), encoder.name, encoder.weight_hash)
