"""What eie's edits are compared with: no edit, and classical inpainting given the exact mask.

A baseline is told what eie has to find out: which pixels are the object's, softly. It makes what
the object leaves and pastes the object's own pixels at the new place. Where eie is given a mask,
the baseline makes what is white in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from eie.errors import MissingModelError
from eie.evaluate.cases.edit_case import EditCase, Plane
from eie.evaluate.core.case_result import Mask, Pixels
from eie.evaluate.measures.similarity import EXTRA_HINT, check_installed
from eie.pictures import Window


class Inpainter(Protocol):
    """Anything that fills a hole."""

    def __call__(self, image: Pixels, mask: Mask) -> Pixels:
        """(H, W, 3) of which only those pixels are used that the mask (H, W) holds: the hole."""
        ...


NOTHING = "nothing"
"""The photo as it was, unedited."""

GREY = 128

TELEA_RADIUS = 3.0
"""Pixels around a pixel that Telea's method makes it from, as in eie's `classical` decoder."""


def hole(image: Pixels, mask: Mask) -> Pixels:  # noqa: ARG001
    """Middle grey: what it costs to make nothing."""
    return np.full_like(image, GREY)


def telea(image: Pixels, mask: Mask) -> Pixels:
    """OpenCV's inpainting by fast marching (Telea, J. Graphics Tools 2004)."""
    import cv2

    hole = mask.astype(np.uint8)
    filled = cv2.inpaint(np.ascontiguousarray(image), hole, TELEA_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, dtype=np.uint8)


PATCH_RADIUS = 3
"""Of the patches that are compared: 7×7 pixels, as the method's authors took."""


def patchmatch(image: Pixels, mask: Mask) -> Pixels:
    """PatchMatch (Barnes et al., SIGGRAPH 2009) with the coarse-to-fine voting of Wexler et al.
    (PAMI 2007), by PyPatchMatch: every patch of the fill is like some patch of the surroundings.

    The same image and mask give the same pixels; the search for patches starts at random.

    Raises:
        MissingModelError: the package is not installed, or has no compiled library here.
    """
    if not has_patchmatch():
        raise MissingModelError(
            "PyPatchMatch is not installed, or has no compiled library on this machine",
            hint=f"{EXTRA_HINT}, or leave patchmatch out",
        )
    import patchmatch

    patchmatch.set_random_seed(0)
    filled = patchmatch.inpaint(np.ascontiguousarray(image), mask, patch_size=PATCH_RADIUS)
    return np.asarray(filled, dtype=np.uint8)


def has_patchmatch() -> bool:
    """Whether PyPatchMatch is installed with a compiled library for this machine."""
    try:
        import patchmatch
    except ImportError:
        return False
    return bool(patchmatch.patchmatch_available)


def patchmatch_cython(image: Pixels, mask: Mask) -> Pixels:
    """The same method by patchmatch-cython, in its own default settings, with a fixed seed.

    Raises:
        MissingModelError: the package is not installed.
    """
    check_installed("patchmatch_cython", "the baseline patchmatch-cython")
    from patchmatch_cython import inpaint_pyramid

    return np.asarray(inpaint_pyramid(np.ascontiguousarray(image), mask, seed=0), dtype=np.uint8)


def shiftmap(image: Pixels, mask: Mask) -> Pixels:
    """Statistics of patch offsets and graph cuts alone (He & Sun, ECCV 2012): eie's `classical`
    decoder without what it adds, elements and candidates from the border."""
    from eie.rendering import ClassicalDecoder

    return ClassicalDecoder(border=False).fills(image, mask)[0]


INPAINTERS: Mapping[str, Inpainter] = {
    "hole": hole,
    "telea": telea,
    "patchmatch": patchmatch,
    "patchmatch-cython": patchmatch_cython,
    "shiftmap": shiftmap,
}
"""What fills what an edit reveals, by name."""

BASELINES = (NOTHING, *INPAINTERS)
"""The names of all baselines."""


def edited_by(baseline: str, case: EditCase, *, solid: bool = False) -> Pixels:
    """(H, W, 3) the case's photo as a baseline edits it.

    Args:
        solid: make only pixels that are the object's more than the scene's, as a mask has them,
            not all that it touches.

    Raises:
        MissingModelError: a library is not there.
    """
    if baseline == NOTHING:
        return case.before
    mask = case.unknown_by_mask if solid else case.unknown
    return _edited_with(INPAINTERS[baseline], case, mask)


def _edited_with(inpaint: Inpainter, case: EditCase, mask: Mask) -> Pixels:
    """(H, W, 3) the edit: the hole is filled, the object is pasted."""
    result = case.before.copy()
    if mask.any():
        result[mask] = inpaint(case.before, mask)[mask]
    if case.target is None:
        return result
    colour = case.before[case.home.slices]
    cover = case.cover[case.home.slices]
    return _pasted(result, *_resized(colour, cover, case.target), case.target)


def _resized(colour: Pixels, cover: Plane, target: Window) -> tuple[Pixels, Plane]:
    import cv2

    if cover.shape == (target.height, target.width):
        return colour, cover
    method = cv2.INTER_AREA if target.height < cover.shape[0] else cv2.INTER_CUBIC
    size = (target.width, target.height)
    layers = [cv2.resize(layer, size, interpolation=method) for layer in (colour, cover)]
    return np.asarray(layers[0], dtype=np.uint8), np.asarray(layers[1], dtype=np.uint8)


def _pasted(canvas: Pixels, colour: Pixels, cover: Plane, target: Window) -> Pixels:
    """Colours over the canvas, in place, as far as they lie on it."""
    inside = target.clipped(Window.of(canvas))
    if inside.empty:
        return canvas
    part = inside.within(target)
    opacity = cover[part.slices][..., None].astype(np.float32) / 255
    under = canvas[inside.slices]
    canvas[inside.slices] = np.rint(under * (1 - opacity) + colour[part.slices] * opacity)
    return canvas
