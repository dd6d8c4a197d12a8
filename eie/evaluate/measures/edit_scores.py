"""How good an edit with known truth is, region by region.

A result is compared with the truth in four regions of its
:class:`eie.evaluate.cases.edit_case.EditCase`:

- *revealed*: what the object covered before and no longer does;
- *object*: where the object is after the edit;
- *edge*: within 8 pixels of its border there, but not near its old place; by PSNR alone;
- *untouched*: everything else. It has no margin: what an edit changes beside the object counts.

Regions of fewer than 64 pixels are not measured. In each of the others, PSNR and the feature
distance of :mod:`eie.evaluate.measures.perceptual_distance`: the mean over the region's pixels of
the squared distance of unit-length EfficientNet-Lite0 features, averaged over the strides 2, 4, 8,
16 and 32; 0 is equal, 4 the most. Features see up to some stride beyond a region's border.

How photo-like the revealed region is, is told by :mod:`eie.evaluate.measures.realism`: each case by
its detail, and a set of cases by its kernel distance (:func:`set_scores`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.evaluate.cases.edit_case import EDGE, EditCase
from eie.evaluate.core.case_result import CaseResult, Mask, Pixels
from eie.evaluate.measures import realism

TRUTH = "truth"
"""Among the methods of :func:`hole_arrays`, what all of them should have made."""

NOTES = (
    "revealed: what the object covered before; object: its new place; edge: within "
    f"{EDGE} pixels of its border there, away from the old place; untouched: all else",
    "features: mean squared distance of unit-length EfficientNet-Lite0 features at five strides, "
    "0 equal to 4",
    "KID: kernel distance of the crops about the revealed regions to those of the truths, in "
    "EfficientNet-Lite0 features at strides 8, 16 and 32, of the whole set of cases; detail: root "
    "of the gradient energy in the revealed region over the truth's, 1 is right, a smear is near "
    f"0; both of regions of {realism.LEAST} pixels or more",
    "identical: share of the untouched pixels that equal the photo before; leftover: how much of "
    "the object still shows at its old place, 0 to 1",
    "baselines know the exact mask (with select mask, the one that eie is given)",
    "PSNR of equal pixels counts as 100 dB",
    "processor time: of rendering the edit, in all threads; the first case's loads weights, too",
)

EQUAL_PSNR = 100.0
"""PSNR of equal pixels, and the most of any, so that means stay finite."""

_LEAST = 64
"""Pixels of the smallest region that is measured."""

_DETAIL = 8.0
"""Standard deviation, in pixels, of the blur beyond which colour counts as detail."""


def scores_of(case: EditCase, results: Mapping[str, Pixels]) -> dict[str, dict[str, float]]:
    """Method ⇒ measure ⇒ value for the pictures (H, W, 3) that methods made of a case.

    A measure of a region that is too small is NaN.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    from eie.evaluate.measures.perceptual_distance import feature_distance_maps

    regions = {"revealed": case.revealed, "object": case.object, "untouched": case.untouched}
    distances = feature_distance_maps(results.values(), case.truth)
    scores: dict[str, dict[str, float]] = {}
    for (method, picture), distance in zip(results.items(), distances, strict=True):
        found: dict[str, float] = {}
        for name, region in regions.items():
            found[f"{name}_psnr"] = region_psnr(picture, case.truth, region)
            found[f"{name}_distance"] = _mean(distance, region)
        found["edge_psnr"] = region_psnr(picture, case.truth, case.edge)
        same = (picture == case.before).all(axis=2)
        found["untouched_identical"] = _mean(same, case.untouched)
        found["leftover"] = leftover(picture, case)
        found["revealed_detail"] = _realistic_detail(picture, case)
        scores[method] = found
    return scores


def hole_arrays(case: EditCase, results: Mapping[str, Pixels]) -> dict[str, NDArray[np.float32]]:
    """ "METHOD/STRIDE" ⇒ (C_s,), what :func:`set_scores` is made of; :data:`TRUTH` is a method.

    Empty if the revealed region is too small.

    Raises:
        MissingModelError: the ImageNet weights are not installed.
    """
    if case.revealed.sum() < realism.LEAST:
        return {}
    pictures = {**results, TRUTH: case.truth}
    features = realism.hole_features(pictures.values(), case.revealed)
    return {
        f"{method}/{stride}": array
        for method, found in zip(pictures, features, strict=True)
        for stride, array in found.items()
    }


def set_scores(cases: Sequence[CaseResult]) -> dict[str, dict[str, float]]:
    """Method ⇒ measure ⇒ value, of those measures that only a set of cases has.

    Cases whose revealed region is too small are left out; NaN if the others show but one place.

    Args:
        cases: results of the same methods, with the arrays of :func:`hole_arrays`.
    """
    taken = [case for case in cases if case.arrays and _is_finite(case.arrays)]
    methods = [method for case in cases[:1] for method in case.scores]
    true = _features_of(TRUTH, taken)
    return {
        method: {"revealed_kid": realism.mean_kernel_distance(_features_of(method, taken), true)}
        for method in methods
    }


def region_psnr(picture: Pixels, truth: Pixels, region: Mask) -> float:
    """PSNR in dB over the pixels of a region, all channels alike; NaN if it is too small.

    At most :data:`EQUAL_PSNR`.
    """
    if region.sum() < _LEAST:
        return float("nan")
    difference = picture[region].astype(np.float64) - truth[region]
    error = float(np.square(difference).mean())
    return min(EQUAL_PSNR, float(10 * np.log10(255**2 / error))) if error else EQUAL_PSNR


def leftover(picture: Pixels, case: EditCase) -> float:
    """How much of the object still shows at its old place: 0 nothing, 1 all of it.

    Detail is colour less its blur within the revealed region, so that neither a plain fill nor a
    colour cast has any. By least squares the picture's detail is explained as a·(detail before) +
    b·(detail of the truth); a, cut to [0, 1], is the answer. The photo before gives 1, the truth 0,
    a half-transparent ghost ½.

    NaN if too little is revealed, or if what was there before differs by less than a grey level.
    """
    region = case.revealed
    if region.sum() < _LEAST:
        return float("nan")
    made, before, truth = (_detail(p, region) for p in (picture, case.before, case.truth))
    if not np.square(before - truth).mean() > 1:
        return float("nan")
    share, *_ = np.linalg.lstsq(np.stack([before, truth], axis=1), made, rcond=None)
    return float(np.clip(share[0], 0, 1))


def _detail(pixels: Pixels, region: Mask) -> NDArray[np.float32]:
    """(n·3,) colours of a region's n pixels less their blur within the region, in grey levels."""
    import cv2

    inside = region[..., None].astype(np.float32)
    blur = [cv2.GaussianBlur(x, (0, 0), _DETAIL) for x in (pixels * inside, inside)]
    around = blur[0][region] / blur[1][region][:, None]  # (n, 3)
    return np.asarray(pixels[region] - around, dtype=np.float32).ravel()


def _realistic_detail(picture: Pixels, case: EditCase) -> float:
    """:func:`realism.detail` of the revealed region; NaN if it is too small."""
    region = case.revealed
    if region.sum() < realism.LEAST:
        return float("nan")
    return realism.detail(picture, case.truth, region)


def _features_of(method: str, cases: Sequence[CaseResult]) -> list[realism.Features]:
    return [
        {stride: case.arrays[f"{method}/{stride}"] for stride in realism.STRIDES} for case in cases
    ]


def _is_finite(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the crop shows anything of the revealed region, whose features are NaN else."""
    return all(np.isfinite(array).all() for array in arrays.values())


def _mean(values: NDArray[Any], region: Mask) -> float:
    """Of (H, W) values over a region; NaN if it is too small."""
    if region.sum() < _LEAST:
        return float("nan")
    return float(values[region].mean(dtype=np.float64))
