"""Filling a hole with patches of its surroundings, by PyPatchMatch.

C. Barnes et al., "PatchMatch: A Randomized Correspondence Algorithm for Structural Image Editing",
SIGGRAPH 2009, with the coarse-to-fine voting of Wexler et al., "Space-Time Completion of Video",
PAMI 2007. Every patch of the fill is like some patch of the surroundings, so texture goes on.
"""

from __future__ import annotations

import numpy as np

from eie.evaluate.cases import Pixels
from eie.evaluate.edit_case import Mask

PATCH_RADIUS = 3
"""Of the patches that are compared: 7×7 pixels, as the method's authors took."""


def is_available() -> bool:
    """Whether PyPatchMatch is installed with a compiled library for this machine."""
    try:
        import patchmatch
    except ImportError:
        return False
    return bool(patchmatch.patchmatch_available)


def has_patches(unknown: Mask) -> bool:
    """Whether some whole patch is known, so that there is something to fill with."""
    import cv2

    side = 2 * PATCH_RADIUS + 1
    padded = np.pad((~unknown).astype(np.uint8), 1)  # what lies outside is not known either
    return bool(cv2.erode(padded, np.ones((side, side), np.uint8)).any())


def fill_with_patches(photo: Pixels, unknown: Mask, seed: int = 0) -> Pixels:
    """(h, w, 3) with the unknown pixels made from patches of the known ones.

    The same photo, mask and seed give the same pixels; the search for patches starts at random.
    :func:`is_available` and :func:`has_patches` must hold.
    """
    import patchmatch

    patchmatch.set_random_seed(seed)
    filled = patchmatch.inpaint(np.ascontiguousarray(photo), unknown, patch_size=PATCH_RADIUS)
    return np.asarray(filled, dtype=np.uint8)
