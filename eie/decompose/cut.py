"""Cutting elements along masks that the user has: what is outlined already need not be guessed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eie.decompose.connectivity import connect


def cut_along(
    labels: NDArray[np.integer],
    affinity: NDArray[np.float32],
    mask: NDArray[np.bool_],
    minimum_area: float,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Part every element that a mask's border crosses, so that elements lie in or out of it.

    What is under one mask counts as one object, apart from all else. Pieces smaller than
    `minimum_area` join a neighbour on their side of the border, if there is one.

    Args:
        labels: (H, W) label map, every value 0..K-1 one 4-connected piece.
        affinity: (K, K) in [0, 1].
        mask: (H, W) bool.
        minimum_area: in pixels.

    Returns:
        Label map (H, W) and affinity (L, L) of the L elements, whose parts have the affinity of
        what they were part of, but 1 within the mask and 0 across its border.
    """
    from skimage.measure import label

    sides = labels.astype(np.int64) * 2 + mask  # (H, W)
    pieces = label(sides, background=-1, connectivity=1) - 1  # type: ignore[no-untyped-call]
    cut, piece = connect(pieces, minimum_area=minimum_area, apart=mask)
    first = np.unique(pieces, return_index=True)[1][piece]  # (L,) a pixel of each element
    parent, inside = labels.ravel()[first], mask.ravel()[first]
    parted = affinity[np.ix_(parent, parent)]  # (L, L)
    parted[np.ix_(inside, inside)] = 1
    parted[inside[:, None] != inside] = 0
    return cut, parted
