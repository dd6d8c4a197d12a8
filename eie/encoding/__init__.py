"""Encoding: every patch of a set gets its appearance embedding (paper §3.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eie.elements import ElementSet, Embeddings, Source

if TYPE_CHECKING:
    from eie.models.content_checkpoints import PatchEncoder

__all__ = ["encode"]

BATCH = 256
"""Patches encoded at a time. Batches are filled up to it: libraries choose their kernels, and with
them the order of sums, by size, and a patch is to get the same embedding in whatever company."""


def encode(
    elements: ElementSet, *, model: str | Path = "tiny", device: str | None = None
) -> ElementSet:
    """Embed the appearance of every patch that this encoder has not embedded yet.

    Args:
        elements: the set; its sources must have pixels.
        model: "tiny" (embedded), a model folder, or a hub id.
        device: "cpu", "cuda", "mps"; None for the CPU if the model is bundled, else the fastest.

    Raises:
        UsageError: a source has no pixels.
        MissingModelError: the model is not there, damaged, or of another kind.
    """
    from eie.models.content_checkpoints import load_patch_encoder

    encoder = load_patch_encoder(model, device)
    sources = tuple(
        source
        if source.embeddings and source.embeddings.encoder_hash == encoder.weight_hash
        else replace(source, embeddings=_embed(source, encoder))
        for source in elements.sources
    )
    return replace(elements, sources=sources)


def _embed(source: Source, encoder: PatchEncoder) -> Embeddings:
    from eie.encoding.patches import cut_patches

    size = encoder.patch_size
    patches = cut_patches(source, size)  # (P, 4, S, S)
    count = len(patches)
    filled = np.zeros((count + -count % BATCH, 4, size, size), np.float32)
    filled[:count] = patches
    parts = [encoder.embed(filled[n : n + BATCH]) for n in range(0, len(filled), BATCH)]
    return Embeddings(np.concatenate(parts)[:count], encoder.name, encoder.weight_hash)
