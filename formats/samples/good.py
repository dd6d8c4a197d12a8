"""The element sets of good sample files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import skimage.data
from skimage.segmentation import slic
from skimage.transform import resize

from eie.elements import Edit, ElementSet, ElementTable, Embeddings, ObjectMasks, Source


def photo(name: str, height: int, width: int) -> np.ndarray:
    """A photo of scikit-image, (height, width, 3) uint8."""
    scaled = resize(getattr(skimage.data, name)(), (height, width), anti_aliasing=True)
    return np.round(scaled * 255).astype(np.uint8)


def source(pixels: np.ndarray, patches: int, **attributes: Any) -> Source:
    """A photo cut by SLIC; the affinity is made of the patches' mean colours."""
    _, labels = np.unique(slic(pixels, n_segments=patches, start_label=0), return_inverse=True)
    labels = labels.reshape(pixels.shape[:2])
    count = labels.max() + 1
    colour = np.array([pixels[labels == patch].mean(axis=0) for patch in range(count)])
    distance = np.linalg.norm(colour[:, None] - colour[None], axis=-1)
    affinity = np.exp(-distance / 40).astype(np.float32)
    return Source.from_label_map(labels, pixels=pixels, affinity=affinity, **attributes)


def minimal() -> ElementSet:
    """Two patches of 8 × 6 grey pixels and nothing optional but the pixels."""
    labels = np.repeat([[0, 0, 0, 1, 1, 1]], 8, axis=0)
    pixels = (np.arange(48).reshape(8, 6, 1) * 5).astype(np.uint8)
    return ElementSet.from_source(Source.from_label_map(labels, pixels=pixels))


def cat() -> ElementSet:
    """The cat, decomposed and encoded."""
    cut = source(photo("chelsea", 64, 96), 24, icc=b"a profile", exif=b"Exif\0\0a block")
    values = np.linspace(-1, 1, cut.patches * 16, dtype=np.float32).reshape(-1, 16)
    cut = replace(cut, embeddings=Embeddings(values, encoder="tiny", encoder_hash="0123abcd" * 8))
    return ElementSet.from_source(
        cut, decomposition={"segmenter": "slic", "elements": 24}, prompt="a cat"
    )


def edited() -> ElementSet:
    """The cat after a move, a group and a deletion."""
    elements = cat()
    box = elements.table.box[3] + [12, 4, 0, 0]
    moved = elements.table.set(np.array([3]), box=box, z=1)
    deleted = moved.set(np.array([5]), visible=False)
    eyes = {"eyes": (3, 4)}
    steps = (
        Edit({"move": ["3", "12,4"]}, elements.table, {}, 1),
        Edit({"group": ["eyes", "3,4"]}, moved, {}, 1),
        Edit({"delete": ["5"]}, moved, eyes, 1),
    )
    return replace(elements, table=deleted, groups=eyes, history=steps)


def composition() -> ElementSet:
    """A piece of the rocket, flipped and half its size, pasted on the cat."""
    elements = cat()
    rocket = source(photo("rocket", 40, 60), 12)
    piece = ElementTable.at_home(1, rocket.home_box, first_id=len(elements)).take(np.array([4, 5]))
    piece = piece.set(np.array([0, 1]), box=piece.box * 0.5, flip=[True, False], z=1)
    paste = Edit({"paste": ["rocket.h5:4,5", "20,20"]}, elements.table, {}, 1)
    return replace(
        elements,
        sources=(*elements.sources, rocket),
        table=elements.table.append(piece),
        history=(paste,),
    )


def turned() -> ElementSet:
    """The minimal set after a turn and an uneven stretch of what is turned."""
    elements = minimal()
    upright, both, second = elements.table, np.array([0, 1]), np.array([1])
    once = upright.set(both, angle=30.0, z=1)
    leaning = once.set(second, angle=-14.5, shear=0.625)
    steps = (
        Edit({"rotate": ["all", "30"]}, upright, {}, 1),
        Edit({"scale": ["1", "1,2"]}, once, {}, 1),
    )
    return replace(elements, table=leaning, history=steps)


def without_pixels() -> ElementSet:
    """The cat as `eie decompose --no-pixels` leaves it."""
    elements = cat()
    return replace(elements, sources=(replace(elements.sources[0], pixels=None),))


def with_objects() -> ElementSet:
    """The cat, as a segmenter leaves it that tells what points stand for."""
    elements = cat()
    cut = elements.sources[0]
    order = np.arange(cut.patches)
    apart = np.abs(np.subtract.outer(order, order))
    chances = np.stack([np.maximum(7 - apart * step, 0) for step in (7, 2, 1)])
    scores = np.linspace(0.25, 0.75, 3 * cut.patches).reshape(3, -1)
    objects = ObjectMasks(chances.astype(np.uint8), scores.astype(np.float16).astype(np.float32))
    return replace(elements, sources=(replace(cut, objects=objects),))


GOOD: dict[str, Callable[[], ElementSet]] = {
    "minimal": minimal,
    "photo": cat,
    "edited": edited,
    "composition": composition,
    "turned": turned,
    "no-pixels": without_pixels,
    "objects": with_objects,
}
