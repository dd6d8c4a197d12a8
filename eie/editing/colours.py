"""The colours of what is pasted: brought into the profile of the photo that it is added to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.elements import Source
from eie.errors import BadInputError
from eie.notes import tell

if TYPE_CHECKING:
    from eie.files.colours import Intent

INTENTS = ("relative", "perceptual")
"""What becomes of colours that the photo's profile does not have: the nearest are taken, or all
colours move together."""


def in_colours_of(host: Source, guest: Source, where: str, intent: str = INTENTS[0]) -> Source:
    """A source as it is to be shown among another's pixels.

    Args:
        host: the photo; without a profile its colours are sRGB.
        guest: what is added to it.
        where: the guest's file, for notes.
        intent: out of :data:`INTENTS`.

    Returns:
        The guest itself, where both profiles show the same colours; else with converted pixels, the
        host's profile and no embeddings, which are those of the old colours.
    """
    if guest.icc == host.icc:
        return guest
    from eie.files.colours import conversion, profile_name  # Pillow is slow to import

    if guest.pixels is None:
        tell([f"has no pixels to convert from {profile_name(guest.icc)}"], where)
        return guest
    target = host.icc if host.icc is not None and host.icc[16:20] == b"RGB " else None
    channels = guest.pixels.shape[2]
    chosen: Intent = "perceptual" if intent == "perceptual" else "relative"
    try:
        convert = conversion(guest.icc, target, chosen, colours=3 if channels > 2 else 1)
    except BadInputError as error:
        tell([f"{error.message}; its colours are taken for those of the photo"], where)
        return guest
    if convert is None:
        return guest
    tell(
        [
            f"its colours are converted from {profile_name(guest.icc)} to {profile_name(target)} "
            f"({intent})"
        ],
        where,
    )
    pixels: Any = convert(np.asarray(guest.pixels))
    return replace(guest, pixels=pixels, icc=target, embeddings=None)
