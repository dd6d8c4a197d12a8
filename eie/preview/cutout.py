"""Selected elements as a picture of their own, transparent around."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.files.images import Photo
from eie.preview.overlay import row_map
from eie.render import render
from eie.render.pictures import split_alpha


def cutout(elements: ElementSet, ids: Iterable[int]) -> Photo:
    """The picture as it stands where elements are seen, fully transparent elsewhere.

    Args:
        elements: the set.
        ids: of the elements; parts that others hide are left out.

    Returns:
        Photo of the canvas's size, (H, W, 4) uint8 with straight alpha, or (H, W, 2) of a grey
        photo, with the profile and metadata of source 0. The photo's own alpha is kept; what is
        fully transparent is black.

    Raises:
        UsageError: an unknown id, or a set without pixels.
    """
    wanted = tuple(ids)
    for element in wanted:
        if element not in elements.table.id:
            raise UsageError(f"there is no element {element}")
    if any(source.pixels is None for source in elements.sources):
        raise UsageError(
            "the file has no pixels to cut out", hint="run eie decompose without --no-pixels"
        )
    photo = render(elements).photo
    colour, alpha = split_alpha(photo.pixels)
    member = np.append(np.isin(elements.table.id, wanted), False)  # row −1, nothing, is the last
    seen = member[row_map(elements, elements.canvas)]  # (H, W)
    opaque = np.where(seen, 255 if alpha is None else alpha, 0).astype(np.uint8)
    pixels = np.concatenate([colour * (opaque > 0)[..., None], opaque[..., None]], axis=2)
    return replace(photo, pixels=pixels.astype(np.uint8))
