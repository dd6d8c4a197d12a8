"""What the object head learns from: views of photos, and the segments that people see in them.

    photo ⇒ a part of it, with objects pasted on ⇒ elements, by the frozen segmenter ⇒ ObjectBatch

Everything random about view number i follows from (seed, i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eie.decomposition import elements_by_sam
from eie.decomposition.objects import element_graph
from eie.models.object_head import ElementGraph
from eie.models.segmenter import Segmenter
from eie.train.core.augmentation import FRAME, degraded, jittered_colours, paste
from eie.train.core.images import Pixels, TrainingImages
from eie.train.core.settings import SceneSettings
from eie.train.objects.settings import ObjectSettings

Labels = NDArray[np.int32]

THING, STUFF, SEGMENT = 0, 1, 2
"""What a label is: a thing, what lies around things, or a segment of which that is not known."""

_UNLABELLED = 0

_LEAST_SEGMENT = 0.004
"""Smallest segment that is learnt, as a share of the view."""


@dataclass(frozen=True, eq=False)
class ObjectBatch:
    """A crop's N elements and the S segments that people see in it.

    features, geometry, affinity, merged, touching, together: of an
        :class:`eie.models.object_head.ElementGraph`; the large ones float16.
    share: (S, N) float16, of an element's pixels, those in a segment.
    depth: (S, N) float16 in [0, 1], how far inside the segment an element lies.
    kind: (S,) uint8, see :data:`THING`.
    unlabelled: (N,) float16, the share of an element's pixels that nobody labelled.
    """

    features: Tensor
    geometry: Tensor
    affinity: Tensor
    merged: Tensor
    touching: Tensor
    together: Tensor
    share: Tensor
    depth: Tensor
    kind: Tensor
    unlabelled: Tensor

    def to(self, device: torch.device) -> ObjectBatch:
        return ObjectBatch(**{name: tensor.to(device) for name, tensor in vars(self).items()})

    @property
    def graph(self) -> ElementGraph:
        return ElementGraph(
            self.features.float(),
            self.geometry,
            self.affinity.float(),
            self.merged.float(),
            self.touching,
            self.together.float(),
        )


@dataclass(frozen=True, eq=False)
class View:
    """A crop: pixels (h, w, 3), label maps (A, h, w), and what each map's labels are."""

    pixels: Pixels
    labels: Labels
    kinds: tuple[dict[int, int], ...]


def draw_batch(
    segmenter: Segmenter, images: TrainingImages, settings: ObjectSettings, step: int
) -> ObjectBatch:
    # Step −1 is that of sample pictures.
    rng = np.random.default_rng([settings.loop.seed, step + 1])
    while True:
        batch = object_batch(segmenter, _draw_view(rng, images, settings), settings.scenes.elements)
        if batch is not None:
            return batch


def _draw_view(rng: np.random.Generator, images: TrainingImages, settings: ObjectSettings) -> View:
    """A part of a photo, often with objects pasted on it."""
    with_things = [photo for photo in images.segmented if photo.things is not None]
    without = [photo for photo in images.segmented if photo.things is None]
    pools = (with_things, without, images.photos if images.cutouts else ())
    chance = np.array(settings.shares) * [len(pool) > 0 for pool in pools]
    pool = pools[rng.choice(len(pools), p=chance / chance.sum())]
    photo = pool[int(rng.integers(len(pool)))]
    kinds: tuple[dict[int, int], ...] = ({},)
    if isinstance(photo, np.ndarray):
        base, labels = photo, np.zeros((1, *photo.shape[:2]), dtype=np.int32)
    else:
        base, labels = photo.pixels, photo.segmentations.astype(np.int32)
        if photo.things is None:
            labels = labels + 1  # 0 is a segment, too
        kinds = tuple(_kinds(of_one, photo.things) for of_one in labels)
    view = _view(rng, View(base, labels, kinds), settings.least_view)
    if images.cutouts and (not kinds[0] or rng.random() < settings.pasted):
        view = _with_objects(rng, view, images.cutouts, settings.scenes)
    return view


def _kinds(labels: Labels, things: frozenset[int] | None) -> dict[int, int]:
    """What the labels of a map are."""
    found = [label for label in np.unique(labels).tolist() if label != _UNLABELLED]
    if things is None:
        return dict.fromkeys(found, SEGMENT)
    return {label: THING if label in things else STUFF for label in found}


def _view(rng: np.random.Generator, view: View, least: float) -> View:
    """A random part, at least so much of each side, mirrored or not, in the segmenter's frame."""
    height, width = view.pixels.shape[:2]
    share, stretch = rng.uniform(least, 1), np.exp(rng.normal(0, 0.12))
    rows = int(height * min(1, share * stretch))
    columns = int(width * min(1, share / stretch))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    part = np.s_[top : top + rows, left : left + columns]
    pixels, labels = view.pixels[part], view.labels[:, part[0], part[1]]
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, :, ::-1]
    pixels = degraded(rng, jittered_colours(rng, np.ascontiguousarray(pixels)))
    scale = min(1, rng.uniform(0.8, 1.1) * FRAME / max(rows, columns))
    size = (max(32, int(columns * scale)), max(32, int(rows * scale)))
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    maps = [
        cv2.resize(np.ascontiguousarray(of_one), size, interpolation=cv2.INTER_NEAREST)
        for of_one in labels
    ]
    return View(np.asarray(resized, dtype=np.uint8), np.stack(maps).astype(np.int32), view.kinds)


def _with_objects(
    rng: np.random.Generator, view: View, cutouts: Sequence[Pixels], settings: SceneSettings
) -> View:
    """Some cut-outs laid over a view; each is one more thing of every label map."""
    pixels, labels = view.pixels.copy(), view.labels.copy()
    kinds = tuple(dict(of_one) for of_one in view.kinds)
    for _ in range(rng.integers(1, settings.objects + 1)):
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        for known, label in zip(kinds, paste(rng, cutout, pixels, labels, settings), strict=True):
            known[label] = THING
    return View(pixels, labels, kinds)


def object_batch(segmenter: Segmenter, view: View, elements: int) -> ObjectBatch | None:
    """A view's elements and segments; None if it shows no segment."""
    labels, affinity, logits, _ = elements_by_sam(
        view.pixels, segmenter, elements, with_features=True
    )
    graph = element_graph(logits, labels, affinity)
    area = np.bincount(labels.ravel(), minlength=len(affinity))  # (N,)
    shares, depths, kinds = [], [], []
    for of_one, known in zip(view.labels, view.kinds, strict=True):
        for label, kind in known.items():
            mask = of_one == label
            if mask.mean() < _LEAST_SEGMENT:
                continue
            inside = np.bincount(labels[mask], minlength=len(area))  # (N,)
            shares.append(inside / area)
            depths.append(_depth(mask, labels, inside))
            kinds.append(kind)
    if not shares:
        return None
    # Around pasted objects alone, everything is known to be no part of them.
    partly = any(known for known in view.kinds) and any(
        kind != THING for known in view.kinds for kind in known.values()
    )
    void = (view.labels[0] == _UNLABELLED) & partly
    unlabelled = np.bincount(labels[void], minlength=len(area)) / area
    return ObjectBatch(
        features=graph.features.half(),
        geometry=graph.geometry,
        affinity=graph.affinity.half(),
        merged=graph.merged.half(),
        touching=graph.touching,
        together=graph.together.half(),
        share=torch.tensor(np.array(shares)).half(),
        depth=torch.tensor(np.array(depths)).half(),
        kind=torch.tensor(kinds, dtype=torch.uint8),
        unlabelled=torch.tensor(unlabelled).half(),
    )


def _depth(
    mask: NDArray[np.bool_], labels: NDArray[np.integer], inside: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(N,) mean distance to the segment's border of an element's pixels in it; 1 is the most."""
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    total = np.bincount(labels[mask], distance[mask], minlength=len(inside))
    depth: NDArray[np.float64] = total / np.maximum(inside, 1) / distance.max()
    return depth
