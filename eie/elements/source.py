"""A source: a photo cut into patches, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eie.geometry import Boxes, patch_boxes

CANDIDATES = 3
"""What a point may stand for: as many masks as Segment Anything gives for one."""

SHARPNESS = 8.0
"""How much more a candidate counts that has a better score: it does as exp(8 · score)."""

SURE = 7
"""What a probability of 1 is in :class:`ObjectMasks`: coarse, for small files."""


class Pixels(Protocol):
    """Pixels in memory, or stored in an element file and read when `numpy.asarray` asks."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Appearance embeddings of a source's patches, and the encoder that made them (paper §3.2).

    Attributes:
        values: (P, D) float32, row p for patch p; independent of position and size.
        encoder: name of the encoder ("tiny").
        encoder_hash: SHA-256 of the encoder's weights, in hex; a decoder checks it.
    """

    values: NDArray[np.float32]
    encoder: str
    encoder_hash: str


@dataclass(frozen=True, eq=False)
class ObjectMasks:
    """What a point on each patch may stand for: a part, an object, a group of things.

    Attributes:
        chances: (3, P, P) uint8 in [0, 7]: entry (c, n, k), in sevenths, is the probability that
            patch k is in candidate c of a point on patch n. Candidates have no order.
        scores: (3, P) float32 in [0, 1], the estimated IoU of each with what is meant.
    """

    chances: NDArray[np.uint8]
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, probabilities: NDArray[np.floating], scores: NDArray[np.floating]) -> ObjectMasks:
        """From probabilities (3, P, P) and scores (3, P); a patch is surely in its own thing."""
        chances = np.round(probabilities * SURE).astype(np.uint8)
        every = np.arange(chances.shape[1])
        chances[:, every, every] = SURE
        return cls(chances, np.ascontiguousarray(scores, dtype=np.float32).clip(0, 1))

    def by_extent(
        self, area: NDArray[np.integer], patches: slice | int = slice(None)
    ) -> NDArray[np.intp]:
        """(3, K), or (3,) of one patch: which candidates are the smallest, the best-scored and the
        largest of points on some patches.

        Args:
            area: (P,) pixels of every patch.
        """
        masks = 2 * self.chances[:, patches] > SURE  # (3, K, P)
        size = masks.astype(np.float64) @ area  # (3, K), exact: below 2⁵³
        best = self.scores[:, patches].argmax(axis=0)  # (K,)
        return np.stack([size.argmin(axis=0), best, size.argmax(axis=0)])


@dataclass(frozen=True, eq=False)
class Source:
    """A photo cut into P patches.

    Attributes:
        label_map: (H, W) uint16, the patch of every pixel; every value 0..P-1 occurs.
        home_box: (P, 4) float64, the patches' tight boxes in pixels of this source.
        pixels: (H, W, C) uint8 in [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA with straight
            alpha; None when the file was made with --no-pixels.
        affinity: (P, P) float32 in [0, 1]: entry (n, k) is the mean probability, over the pixels of
            patch k, of belonging to one object with the query point of patch n, and 0 where a mask
            has told them apart; None if unknown.
        objects: what points on the patches stand for; None if unknown.
        embeddings: the patches' appearance, or None before `encode`.
        icc: the photo's ICC profile, or None.
        exif: the photo's EXIF block with its orientation already applied, or None.
    """

    label_map: NDArray[np.uint16]
    home_box: Boxes
    pixels: Pixels | None = None
    affinity: NDArray[np.float32] | None = None
    objects: ObjectMasks | None = None
    embeddings: Embeddings | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    @classmethod
    def from_label_map(cls, label_map: NDArray[np.integer], **attributes: Any) -> Source:
        """A source whose home boxes are measured; labels must be 0..P-1, each with pixels."""
        compact = np.ascontiguousarray(label_map, dtype=np.uint16)
        home_box = patch_boxes(compact, int(compact.max()) + 1)
        return cls(label_map=compact, home_box=home_box, **attributes)

    @property
    def patches(self) -> int:
        return len(self.home_box)
