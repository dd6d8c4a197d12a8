"""Taking a photo apart: query grid, SAM affinity, assignment, connectivity (paper §3.1).

photo ⇒ query points ⇒ mask logits ⇒ label map ⇒ connected elements ⇒ ElementSet
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import CANDIDATES, ElementSet, ObjectMasks, Source
from eie.errors import UsageError
from eie.notes import tell

if TYPE_CHECKING:
    from eie.decomposition.affinity import MaskLogits
    from eie.files.photo import Photo
    from eie.models.segmenter import Segmenter

__all__ = ["decompose"]

SLIC = "slic"

BETA = 64.0
"""β of equation 1, of which the embedded segmenter knows."""

_SLIVER = 1 / 16
"""Elements smaller than this part of the mean are given up: 64 px at 512×512 and 256 elements."""


def decompose(
    image: Photo | NDArray[np.uint8] | Path | str | bytes,
    *,
    segmenter: str | Path | Segmenter = "tiny",
    elements: int = 256,
    beta: float = BETA,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ElementSet:
    """Take a photo apart into image elements.

    Evenly spaced query points prompt the segmenter; every pixel m goes to the query n with the
    greatest s(m, n) − β·d(m, n), s being the mask logit and d the distance divided by √(H·W)
    (paper §3.1, eq. 1). Elements are then made one piece each, and slivers are given to neighbours.

    Args:
        image: path or content of a photo, a photo in memory, or its pixels: (H, W, C) uint8 in
            [0, 255], C = 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA; (H, W) is taken as grey.
        segmenter: "tiny" (embedded), "slic" (superpixels by colour, no weights, `beta` unused),
            the path of a Segment Anything checkpoint, or a loaded segmenter
            (:func:`eie.models.segmenter.load_segmenter`), which stays on its device.
        elements: about how many elements, 1 to 4096; small photos get fewer.
        beta: weight of nearness against affinity, ≥ 0; larger gives more even patches.
        device: "cpu", "cuda", "cuda:N" or "mps"; None for the CPU if the segmenter is bundled, else
            for the fastest present.
        progress: called with (queries done, all queries).

    Returns:
        The unedited set; its source holds the pixels, label map, element affinity and, of a
        segmenter that tells them, what points on the elements stand for; and
        `decomposition` holds the segmenter, the hash of its weights and the settings.

    Raises:
        UsageError: `elements`, `beta` or `device` out of range.
        BadInputError: the photo cannot be read, or is not an array of pixels.
        MissingModelError: the segmenter's weights are missing, damaged or of another kind.
    """
    from eie.decomposition.pixels import check_photo

    if not (math.isfinite(beta) and beta >= 0):
        raise UsageError(f"beta is {beta}", hint="choose a number from 0 up; 64 is the default")
    pixels, attributes = _opened(image)
    photo = check_photo(pixels)
    if segmenter == SLIC:
        (labels, affinity), objects = _by_slic(photo, elements), None
        settings: dict[str, Any] = {"segmenter": SLIC, "elements": elements}
    else:
        loaded = _loaded(segmenter, device)
        labels, affinity, objects = _by_sam(photo, loaded, elements, beta, progress)
        settings = {
            "segmenter": loaded.id,
            "segmenter_hash": loaded.weight_hash,
            "elements": elements,
            "beta": beta,
        }
    source = Source.from_label_map(
        labels, pixels=photo, affinity=affinity, objects=objects, **attributes
    )
    return ElementSet.from_source(source, decomposition=settings)


def preloaded(segmenter: str | Path, device: str | None = None) -> str | Segmenter:
    """What :func:`decompose` takes for a segmenter, loaded once for many photos.

    Raises:
        MissingModelError: as :func:`decompose`.
    """
    return SLIC if segmenter == SLIC else _loaded(segmenter, device)


def _opened(image: Any) -> tuple[Any, dict[str, Any]]:
    """Pixels of a photo, and what else the source keeps of it."""
    from eie.files.photo import Photo
    from eie.files.photo_reading import read_photo

    if isinstance(image, str | Path | bytes):
        where = None if isinstance(image, bytes) else str(image)
        image = read_photo(image, where)
        tell(image.notes, where)
    if isinstance(image, Photo):
        return image.pixels, {"icc": image.icc, "exif": image.exif}
    return image, {}


def _loaded(segmenter: str | Path | Segmenter, device: str | None) -> Segmenter:
    from eie.models.segmenter import load_segmenter

    if isinstance(segmenter, str | Path):
        return load_segmenter(segmenter, device)
    return segmenter


def _by_sam(
    photo: NDArray[np.uint8],
    segmenter: Segmenter,
    elements: int,
    beta: float,
    progress: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.int32], NDArray[np.float32], ObjectMasks | None]:
    """Label map (H, W), element affinity (K, K) and objects by the paper's SAM-SLIC."""
    from eie.decomposition.affinity import voted_objects
    from eie.decomposition.objects import MOST_ELEMENTS, object_masks

    few, heads = elements <= MOST_ELEMENTS, _object_heads(segmenter)
    ambiguous = few and heads is None and _tells_candidates(segmenter.sam)
    cut = elements_by_sam(
        photo,
        segmenter,
        elements,
        beta,
        progress,
        with_features=few and heads is not None,
        with_candidates=ambiguous,
    )
    objects = (
        object_masks(heads, cut.logits, cut.labels, cut.affinity)
        if cut.logits.features
        else voted_objects(cut.logits, cut.labels, cut.queries)
    )
    return cut.labels, cut.affinity, objects


def _object_heads(segmenter: Segmenter) -> Any:
    """What :func:`eie.decomposition.objects.object_masks` asks, None if the segmenter has none."""
    from eie.models.tiny_graphs import TinyGraphs

    sam = segmenter.sam
    if isinstance(sam, TinyGraphs):
        return sam if sam.tells_objects else None
    return getattr(sam, "object_heads", None)


def _tells_candidates(sam: Any) -> bool:
    """Whether it has three masks for an ambiguous point, as Segment Anything's models have."""
    decoder = getattr(sam, "mask_decoder", None)
    return decoder is not None and decoder.num_mask_tokens > CANDIDATES


class CutPhoto(NamedTuple):
    """A photo cut into K elements, and what that was told by.

    labels: (H, W). affinity: (K, K). logits: of all queries. queries: (K,) that of each element.
    """

    labels: NDArray[np.int32]
    affinity: NDArray[np.float32]
    logits: MaskLogits
    queries: NDArray[np.intp]


def elements_by_sam(
    photo: NDArray[np.uint8],
    segmenter: Segmenter,
    elements: int,
    beta: float = BETA,
    progress: Callable[[int, int], None] | None = None,
    **wanted: bool,
) -> CutPhoto:
    """The paper's SAM-SLIC.

    Arguments as of :func:`decompose` and :func:`eie.decomposition.affinity.mask_logits`.
    """
    from eie.decomposition.affinity import element_affinity, mask_logits
    from eie.decomposition.assign import assign, score_of_pixels
    from eie.decomposition.connectivity import connect
    from eie.decomposition.point_grid import query_grid

    height, width = photo.shape[:2]
    points = query_grid(height, width, elements).points
    logits = mask_logits(segmenter.sam, photo, points, progress=progress, **wanted)
    assigned = assign(logits.values, points, logits.frame, beta, low=logits.low)
    labels, queries = connect(
        assigned,
        points=points,
        fit=score_of_pixels(logits.values, points, logits.frame, beta, low=logits.low),
        minimum_area=_SLIVER * assigned.size / len(points),
    )
    return CutPhoto(labels, element_affinity(logits, labels, queries), logits, queries)


def _by_slic(
    photo: NDArray[np.uint8], elements: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Label map (H, W) and colour affinity (K, K) by SLIC superpixels."""
    from eie.decomposition.connectivity import connect
    from eie.decomposition.point_grid import query_grid
    from eie.decomposition.slic import colour_affinity, slic_labels

    height, width = photo.shape[:2]
    count = len(query_grid(height, width, elements).points)
    assigned = slic_labels(photo, count)
    labels, kept = connect(assigned, minimum_area=_SLIVER * assigned.size / count)
    return labels, colour_affinity(photo, labels, len(kept))
