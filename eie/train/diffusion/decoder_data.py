"""Training crops of stage 2 with element dropout (paper §3.4).

A crop shows a photo cut into elements. In most crops an object mask of another photo is laid over
it: the elements under it are dropped, and the decoder must make up what they showed. With the
random partition such crops are cut by yet another photo's label map, so that the border of the hole
does not trace what was there. In some crops nothing but elements is known, as in `--free`; in
others everything outside the hole is, as in anchored rendering.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eie.train.core.decomposed_photos import boxes_in_view, random_view
from eie.train.core.settings import CropSettings
from eie.train.diffusion.encoded_photos import EncodedPhoto, EncodedPhotos, ShardedPhotos
from eie.train.diffusion.masks import Mask, MaskDatabase, draw_mask
from eie.train.diffusion.settings import DropoutSettings


@dataclass(frozen=True, eq=False)
class DecoderBatch:
    """A batch of stage 2.

    Attributes:
        target: (B, 3, crop, crop) uint8, the photo.
        guess: (B, 3, crop, crop) uint8, a first guess of the photo: the light decoder's picture of
            all elements or, where pixels are known, what the classical decoder makes of them.
        guessed: (B, 1, crop, crop) bool, where the guess may be seen.
        covered: (B, 1, crop, crop) bool, where an element is present.
        known: (B, 1, crop, crop) bool, where the photo's pixels are known.
        appearance: (B, N, D) float32 embeddings, or (B, N, 4, S, S) uint8 patches for an encoder
            that is trained along.
        box: (B, N, 4) float32 (cx, cy, w, h) in shares of the crop.
        present: (B, N) bool, False for dropped elements and for padding.
        caption: (B, L) uint8, what the photo's text file says in UTF-8, with zeros after it.
    """

    target: Tensor
    guess: Tensor
    guessed: Tensor
    covered: Tensor
    known: Tensor
    appearance: Tensor
    box: Tensor
    present: Tensor
    caption: Tensor

    def captions(self) -> list[str]:
        """The photos' texts, empty for photos without one."""
        return [bytes(row.tolist()).rstrip(b"\0").decode() for row in self.caption]


def draw_batch(
    photos: EncodedPhotos | ShardedPhotos,
    masks: MaskDatabase | None,
    crops: CropSettings,
    dropout: DropoutSettings,
    seed: tuple[int, ...],
    filled: bool = False,
    patches: bool = False,
) -> DecoderBatch:
    """Random crops of random photos; a pure function of the seed.

    Args:
        patches: give elements' patches, not their embeddings.
        filled: whether the classical decoder fills holes in what is known, as a first guess.
    """
    random = np.random.default_rng(seed)
    drawn = [
        _draw_crop(photos, masks, crops, dropout, random, filled, patches)
        for _ in range(crops.batch)
    ]
    most = max(len(crop["present"]) for crop in drawn)
    for crop in drawn:
        missing = most - len(crop["present"])
        for name in ("appearance", "box", "present"):
            crop[name] = np.pad(crop[name], [(0, missing)] + [(0, 0)] * (crop[name].ndim - 1))
        crop["box"][most - missing :] = 1.0  # a size that can be divided by
    longest = max(len(crop["caption"]) for crop in drawn)
    for crop in drawn:
        crop["caption"] = np.pad(crop["caption"], (0, longest - len(crop["caption"])))
    return DecoderBatch(
        **{
            field.name: torch.from_numpy(np.stack([crop[field.name] for crop in drawn]))
            for field in fields(DecoderBatch)
        }
    )


def _draw_crop(
    photos: EncodedPhotos | ShardedPhotos,
    masks: MaskDatabase | None,
    crops: CropSettings,
    dropout: DropoutSettings,
    random: np.random.Generator,
    filled: bool,
    patches: bool,
) -> dict[str, NDArray[Any]]:
    """One crop, its values as in :class:`DecoderBatch` without the batch axis.

    Crops are not mirrored: a mirrored patch has another embedding.
    """
    crop = crops.crop
    index, dropping = int(random.integers(len(photos))), random.random() < dropout.share
    # What is drawn at random stays the same whether the partition is another photo's or not.
    photo = photos.get(index, foreign=dropping and dropout.random_partition)
    view, factor, dropped, hole, known = _draw_hole(
        photo.label_map, dropping, masks, crops, dropout, random
    )
    values = _pictures(photo, view, crop) | {
        "covered": ~hole[None],
        "guessed": ~hole[None],
        "known": known[None],
        "caption": np.frombuffer(photos.caption(index).encode() + b"\0", dtype=np.uint8),
    }
    if filled and known.any():
        values |= {"guess": _filled(values["target"], known), "guessed": np.ones_like(known)[None]}
    elements = _elements(photo, view, factor, crop, dropped, patches)
    return {name: np.ascontiguousarray(value) for name, value in (values | elements).items()}


class _Hole(NamedTuple):
    """A crop's view of its photo and scale; the dropped elements, their pixels, what is known."""

    view: tuple[slice, slice]
    factor: NDArray[np.float64]
    dropped: NDArray[np.bool_]
    hole: Mask
    known: Mask


def _draw_hole(
    label_map: NDArray[np.uint16],
    dropping: bool,
    masks: MaskDatabase | None,
    crops: CropSettings,
    dropout: DropoutSettings,
    random: np.random.Generator,
) -> _Hole:
    crop = crops.crop
    view, factor = random_view(label_map.shape, crops, random)
    labels = cv2.resize(label_map[view], (crop, crop), interpolation=cv2.INTER_NEAREST)
    mask = (
        draw_mask(masks, crop, dropout.side, random) if dropping else np.zeros((crop, crop), bool)
    )
    count = int(label_map.max()) + 1
    dropped = _mostly_under(mask, labels, count, dropout.covered)  # (P,)
    hole = dropped[labels]
    anchored = dropping and random.random() < dropout.known
    known = _eroded(~hole, random) if anchored else np.zeros_like(hole)
    return _Hole(view, factor, dropped, hole, known)


def _pictures(photo: EncodedPhoto, view: tuple[slice, slice], crop: int) -> dict[str, NDArray[Any]]:
    """Target and the light decoder's picture of a view, (3, crop, crop) uint8 each."""
    return {
        name: np.moveaxis(_seen(whole[view], crop), 2, 0)
        for name, whole in (("target", photo.pixels), ("guess", photo.light))
    }


def _seen(part: NDArray[np.uint8], crop: int) -> NDArray[np.uint8]:
    """(h, w, 3) of a photo as a crop shows it, (crop, crop, 3)."""
    method = cv2.INTER_AREA if min(part.shape[:2]) > crop else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (crop, crop), interpolation=method), dtype=np.uint8)


def _filled(target: NDArray[np.uint8], known: Mask) -> NDArray[np.uint8]:
    """(3, crop, crop), unknown pixels made from the known ones as rendering does."""
    from eie.rendering import ClassicalDecoder

    photo = np.ascontiguousarray(np.moveaxis(target, 0, 2))
    return np.ascontiguousarray(np.moveaxis(ClassicalDecoder().fills(photo, ~known)[0], 2, 0))


def _elements(
    photo: EncodedPhoto,
    view: tuple[slice, slice],
    factor: NDArray[np.float64],
    crop: int,
    dropped: NDArray[np.bool_],
    patches: bool,
) -> dict[str, NDArray[Any]]:
    """The elements that reach into a view, boxes in shares of it."""
    box, near = boxes_in_view(photo.box, view, factor, crop)
    return {
        "appearance": (photo.patches if patches else photo.embeddings)[near],
        "box": (box[near] / crop).astype(np.float32),
        "present": ~dropped[near],
    }


def _mostly_under(mask: Mask, labels: NDArray[Any], count: int, share: float) -> NDArray[np.bool_]:
    """(count,) bool, which labels have at least that share of their pixels under a mask."""
    whole = np.bincount(labels.ravel(), minlength=count)
    under = np.bincount(labels[mask], minlength=count)
    return (under > 0) & (under >= share * whole)


def _eroded(known: Mask, random: np.random.Generator) -> Mask:
    """A hole a little wider than its elements, as rendering's dilation makes it."""
    reach = int(random.integers(0, 7))
    if reach == 0:
        return known
    distance = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray(distance > reach)
