"""Mattes of patches: what part of each pixel about their border is theirs, and in what colours.

    patches' mask ⇒ a matte at a size that can be paid for ⇒ cover and colours of any crop

A small thing that a click took is told by colour first (:mod:`eie.rendering.grabcut`), as its
patches hold some of its ground. :mod:`eie.matting` estimates mattes; its lengths are stated for
photos whose usual dilation is 4 pixels (512 × 384) or less, and grow with it. A long band is solved
at a fraction of the size; its local linear models α = a·I + b then give the alpha of the photo's
own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.elements import SURE, Source
from eie.geometry import common_box, corners
from eie.matting import BAND, SEEN, Floats, Matting, linear_models
from eie.patch_graph import touching_patches
from eie.pictures import Mask, Picture, Plane, Window, split_alpha
from eie.rendering.grabcut import AROUND, FEW, told_by_colour

UNIT = 4
"""Usual dilation of the photos that lengths are stated for, in pixels."""

_FAINT = 0.02
"""Alpha below which a pixel is not the thing's, and above 1 less which it is its alone."""

_ALIKE = 0.8
"""Share of patches, of those in either, that a selection and the candidate that it is have in
common."""

_DOUBTED = 0.5
"""Share of a border's pairs of patches between which there is some chance that they are one thing:
mostly all where heads tell things, none along a mask."""

_MOST, _LARGEST = 100_000, 2_000_000
"""Most pixels of a band, and of a window around it, at the size at which it is solved."""


@dataclass(frozen=True, eq=False)
class Matte:
    """Alpha and colours about a thing's border, at 1 / `step` of its source's size.

    Attributes:
        members: (P,) bool, the patches of the source that are the thing.
        window: of the source, that the planes cover; around it the thing is not.
        step: pixels of the source to one of the planes, along both axes.
        alpha: (h, w) in [0, 1].
        models: (h, w, C + 1), a and b of α = a·I + b for colours I in [0, 1]; of no use if `step`
            is 1.
        sides: (h, w, 2), whether a pixel is known to be the thing's, and not the thing's: 1 or 0.
        inside, outside: (h, w, C) in [0, 1], blurred colours of the thing and of what is behind.
        reach: pixels of the source beyond the patches that alpha reaches; what it is beyond them
            has no meaning if that is 0.
    """

    members: NDArray[np.bool_]
    window: Window
    step: int
    alpha: Floats
    models: Floats
    sides: Floats
    inside: Floats
    outside: Floats
    reach: float

    def at(self, crop: Window, colour: Picture) -> tuple[Plane, Picture]:
        """The matte of a part of the source.

        Args:
            crop: of the source.
            colour: (h, w, C) uint8, the source's pixels there, without their alpha.

        Returns:
            (h, w) uint8 alpha, 255 where all is the thing's, and (h, w, C) uint8 colours of the
            thing, its own where alpha is 255 and of no meaning where it is 0.
        """
        pixels = colour / np.float32(255)  # (h, w, C)
        if self.step == 1:
            alpha = self._warped(self.alpha, crop)
        else:
            models = self._warped(self.models, crop)
            alpha = (pixels * models[..., :-1]).sum(axis=2) + models[..., -1]
            sides = self._warped(self.sides, crop)
            alpha[sides[..., 0] > 1 - _FAINT] = 1
            alpha[sides[..., 1] > 1 - _FAINT] = 0
        alpha[_beyond(crop, self.window)] = 0
        alpha = ((alpha - _FAINT) / (1 - 2 * _FAINT)).clip(0, 1)
        cover = np.rint(alpha * 255).astype(np.uint8)
        own = colour.copy()
        mixed = (cover > 0) & (cover < 255)
        if mixed.any():
            share = alpha[mixed][:, None]  # (n, 1)
            inside, outside = (
                self._warped(plane, crop)[mixed] for plane in (self.inside, self.outside)
            )
            rest = pixels[mixed] - share * inside - (1 - share) * outside
            own[mixed] = np.rint((inside + share * rest).clip(0, 1) * 255)
        return cover, own

    def _warped(self, plane: Floats, crop: Window) -> Floats:
        """(h, w) or (h, w, K) of the planes ⇒ of a crop of the source."""
        import cv2

        if self.step == 1:
            rows = np.arange(crop.top, crop.bottom).clip(self.window.top, self.window.bottom - 1)
            columns = np.arange(crop.left, crop.right).clip(self.window.left, self.window.right - 1)
            part: Floats = plane[np.ix_(rows - self.window.top, columns - self.window.left)]
            return part
        scale = 1 / self.step
        shift = [
            (low - own + 0.5) * scale - 0.5
            for low, own in ((crop.left, self.window.left), (crop.top, self.window.top))
        ]
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        warped = cv2.warpAffine(
            plane,
            matrix,
            (crop.width, crop.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, dtype=np.float32).reshape(
            crop.height, crop.width, *plane.shape[2:]
        )


def matte_of(
    source: Source, pixels: Picture, members: NDArray[np.bool_], unit: float, most: float
) -> Matte | None:
    """The matte of some patches, or None where they have no border.

    Args:
        source: where the patches come from.
        pixels: (H, W, C) its pixels.
        members: (P,) bool, the patches that are the thing.
        unit: the usual dilation of such a photo, in pixels.
        most: pixels beyond the patches that alpha may reach.
    """
    scale = max(1.0, unit / UNIT)
    x0, y0, x1, y1 = corners(common_box(source.home_box[members])).astype(int).tolist()
    box, whole = Window(y0, x0, y1, x1), Window.of(source.label_map)
    window = box.grown(int(np.ceil(SEEN * scale))).clipped(whole)
    mask = members[source.label_map[window.slices]]
    if mask.all():
        return None
    if _is_clicked(source, members, window):
        wide = box.grown(int(np.ceil(AROUND * scale))).clipped(whole)
        colour, _ = split_alpha(pixels[wide.slices])
        thing = told_by_colour(colour, source.label_map[wide.slices], members, scale, most)
        mask = thing[window.within(wide).slices]
    colour, opacity = split_alpha(pixels[window.slices])
    step = _least_step(mask, scale)
    while True:
        most_here = most if step == 1 else max(0.0, np.floor(most / step) - 2)  # safely within
        matting = Matting.of(
            block_means(colour, step),
            block_means(mask, step) > 0.5,
            None if opacity is None else block_means(opacity == 0, step) > 0,
            scale / step,
            most_here,
        )
        trimap = matting.trimap()
        if np.count_nonzero(trimap.unknown) <= _MOST:
            break
        step += 1
    alpha, known = matting.alpha(trimap), ~trimap.unknown
    inside, outside = matting.colours(alpha)
    return Matte(
        members=members,
        window=window,
        step=step,
        alpha=alpha,
        models=linear_models(matting.colour, alpha) if step > 1 else alpha[..., None],
        sides=np.dstack([known & trimap.thing, known & ~trimap.thing]).astype(np.float32),
        inside=inside,
        outside=outside,
        reach=most if most_here else 0,
    )


def _is_clicked(source: Source, members: NDArray[np.bool_], window: Window) -> bool:
    """Whether patches are few and one of the candidates, as a click takes them: a thing that is
    told by patches alone. What a mask has told apart has a border that is known."""
    count = np.count_nonzero(members)
    if source.objects is None or count > FEW:
        return False
    chances = source.objects.chances
    candidates = 2 * chances[:, members] > SURE  # (3, n, P)
    common = np.count_nonzero(candidates & members, axis=2)  # (3, n)
    if (common < _ALIKE * np.count_nonzero(candidates | members, axis=2)).all():
        return False
    touching = touching_patches(source.label_map[window.slices], source.patches)
    one, other = np.nonzero(touching & members[:, None] & ~members)  # (B,) each
    across = (chances[:, one, other] > 0) | (chances[:, other, one] > 0)  # (3, B)
    return bool(np.count_nonzero(across.any(axis=0)) > _DOUBTED * len(one))


def _least_step(mask: Mask, scale: float) -> int:
    """What to divide the size by, so that neither a mask nor the band along its border is too
    large."""
    import cv2

    box = np.ones((3, 3), np.uint8)
    border = np.count_nonzero(cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_GRADIENT, box)) / 2
    band = border * sum(BAND) * np.sqrt(scale)
    return max(1, int(np.ceil(np.sqrt(max(band / _MOST, mask.size / _LARGEST)))))


def block_means(planes: Picture | Mask, step: int) -> Floats:
    """(H, W, ...) in [0, 1] at 1 / `step` of the size, rounded up, each pixel a mean."""
    import cv2

    values: NDArray[Any] = planes
    if planes.dtype == np.bool_:
        values = planes.view(np.uint8) * np.uint8(255)
    if step > 1:
        height, width = planes.shape[:2]
        below, right = -height % step, -width % step
        if below or right:
            values = cv2.copyMakeBorder(values, 0, below, 0, right, cv2.BORDER_REPLICATE)
        size = ((width + right) // step, (height + below) // step)
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        values = values.reshape(size[1], size[0], *planes.shape[2:])
    return np.asarray(values, dtype=np.float32) / np.float32(255)


def _beyond(crop: Window, window: Window) -> Mask:
    """(h, w) bool, what of a crop lies outside of a window."""
    rows, columns = np.arange(crop.top, crop.bottom), np.arange(crop.left, crop.right)
    out = (rows < window.top) | (rows >= window.bottom)
    return out[:, None] | (columns < window.left) | (columns >= window.right)
