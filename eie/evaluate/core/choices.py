"""What is named to an evaluation: checked before the first case, segmenters loaded but once."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from eie.decomposition import preloaded
from eie.errors import UsageError

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


def check_names(what: str, named: Iterable[str], known: Iterable[str]) -> None:
    """Refuse what there is not.

    Args:
        what: is named, as in "no baseline 'x'".

    Raises:
        UsageError: a name is unknown.
    """
    known = list(known)
    for name in named:
        if name not in known:
            raise UsageError(f"no {what} '{name}'", hint=f"there is: {', '.join(known)}")


def check_decoders(decoders: Iterable[str], *, free: bool) -> None:
    """Refuse decoders that there are not or, if `free`, that need more than embeddings.

    Raises:
        UsageError: one is unknown, or cannot render from embeddings alone.
    """
    from eie.rendering import DECODERS

    decoders = list(decoders)
    check_names("decoder", decoders, DECODERS)
    for name in decoders if free else ():
        if not hasattr(DECODERS[name], "decode"):
            raise UsageError(
                f"the decoder '{name}' cannot render from embeddings alone",
                hint="name others, or do not ask for free rendering",
            )


def decoder_options(name: str, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options ("model", "seed" …) that a decoder has."""
    from eie.rendering import DECODERS

    taken = inspect.signature(DECODERS[name]).parameters
    return {key: value for key, value in offered.items() if key in taken}
