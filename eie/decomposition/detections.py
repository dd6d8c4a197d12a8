"""Things that the detector sees in a photo, and which elements lie in their boxes.

photo, and the same at half the size ⇒ features, chances of kinds and boxes at every cell
chances, boxes                       ⇒ the likeliest boxes, each thing once
boxes, elements                      ⇒ how every two elements stand to them
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from eie.models.detector import detector_levels
from eie.models.nanodet_weights import STRIDES
from eie.models.tiny_graphs import IMG_SIZE

if TYPE_CHECKING:
    from eie.decomposition.affinity import Members

Array = NDArray[np.float32]

SEEN_STRIDES = tuple(half * stride for half in (1, 2) for _ in range(2) for stride in STRIDES)
"""Of the features that the detector has of a photo, in its pixels."""

_LEAST_CHANCE = 0.05
"""Of a thing that is heeded."""

_MOST = 60
"""Things seen at one size of the photo."""

_OVERLAP = 0.6
"""IoU of two boxes from which on they are of one thing."""

_DOUBTS = (0.01, 0.02)
"""Weights of there being no thing, in means over things and over things for their size."""

_LEAST_SIZE = 1e-3
"""Share of the model's square input below which things are taken for as large."""


class Detections(NamedTuple):
    """What is seen: chances (D,) in [0, 1], boxes (D, 4): left, top, right, bottom in pixels."""

    chances: Array
    boxes: Array


def things_seen(pixels: NDArray[np.uint8]) -> tuple[tuple[Array, ...], Detections]:
    """What the detector sees in a photo and in the same at half the size.

    Args:
        pixels: (h, w, 3) uint8.

    Returns:
        features (1, C, ≥ h/s, ≥ w/s) for s in SEEN_STRIDES, and the things.
    """
    height, width = (-(-side // 2) for side in pixels.shape[:2])
    half = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    seen: tuple[Array, ...] = ()
    found = []
    for picture, scale in ((pixels, 1), (np.asarray(half, dtype=np.uint8), 2)):
        features, reach = detector_levels(picture)
        seen += features
        found.append(_likeliest(features[len(STRIDES) :], reach, scale))
    chances, boxes = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return seen, Detections(chances, boxes)


def _likeliest(kinds: Sequence[Array], reach: Sequence[Array], scale: float) -> Detections:
    """The likeliest things by non-maximum suppression among those of a kind.

    Args:
        kinds: logits (1, 80, h, w) at STRIDES.
        reach: (1, 4, h, w) of boxes to the left, up, right and down, in pixels of the picture.
        scale: pixels of the photo to one of the picture.
    """
    chances, which, boxes = [], [], []
    for stride, logits, sides in zip(STRIDES, kinds, reach, strict=True):
        kind = logits[0].argmax(axis=0)  # (h, w)
        chance = 1 / (1 + np.exp(-np.take_along_axis(logits[0], kind[None], axis=0)[0]))
        y, x = np.nonzero(chance > _LEAST_CHANCE)
        middle = (np.stack([x, y], axis=1) + 0.5) * stride  # (n, 2)
        way = sides[0][:, y, x].T  # (n, 4)
        chances.append(chance[y, x])
        which.append(kind[y, x])
        boxes.append(np.concatenate([middle - way[:, :2], middle + way[:, 2:]], axis=1))
    chance, kind, box = (np.concatenate(parts) for parts in (chances, which, boxes))
    wide = np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        wide.tolist(), chance.tolist(), kind.tolist(), _LEAST_CHANCE, _OVERLAP
    )
    first = np.asarray(kept, dtype=np.intp)[:_MOST]
    return Detections(chance[first].astype(np.float32), (scale * box[first]).astype(np.float32))


def together(seen: Detections, inside: Members, centres: NDArray[np.float64]) -> Array:
    """How elements stand to the things seen: (4, K, K) in [0, 1].

    The chance of the likeliest thing that has both; the share of things with the first that have
    the second, by their chance; the chance of the likeliest thing that has the first and not the
    second; the share so that smaller things count more.

    Args:
        seen: D things.
        inside: which cells lie in the K elements.
        centres: (cells, 2) x and y of the cells' middles in pixels of the photo.
    """
    chance, box = seen
    x, y = centres[:, 0, None], centres[:, 1, None]  # (cells, 1) each
    within = (x >= box[:, 0]) & (y >= box[:, 1]) & (x <= box[:, 2]) & (y <= box[:, 3])
    share = inside.means(within.astype(np.float32))  # (K, D)
    count = len(share)
    both, apart = np.zeros((2, count, count), np.float32)
    for of_thing, likely in zip(share.T, chance, strict=True):
        np.maximum(both, np.outer(likely * of_thing, of_thing), out=both)
        np.maximum(apart, np.outer(likely * of_thing, 1 - of_thing), out=apart)
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / IMG_SIZE**2  # (D,)
    shares = []
    for weight, doubt in zip(
        (chance**2, chance**2 / area.clip(_LEAST_SIZE, 1)), _DOUBTS, strict=True
    ):
        shares.append((share * weight) @ share.T / ((share @ weight)[:, None] + doubt))
    return np.stack([both, shares[0], apart, shares[1]])
