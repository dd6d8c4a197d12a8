"""The segmenter of an evaluation, loaded once in every process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from eie.decomposition import preloaded

if TYPE_CHECKING:
    from eie.models.segmenter import Segmenter


@lru_cache(maxsize=1)
def loaded_segmenter(name: str, device: str | None) -> str | Segmenter:
    """What :func:`eie.decompose` takes for a name: itself if it needs no weights."""
    return preloaded(name, device)


def segmenter_hash(name: str, device: str | None) -> str | None:
    """SHA-256 of the segmenter's weights in hex; None if it has none."""
    segmenter = loaded_segmenter(name, device)
    return None if isinstance(segmenter, str) else segmenter.weight_hash
