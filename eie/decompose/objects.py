"""What points on a photo's elements stand for, told by the segmenter's object head.

label map, affinity, image features ⇒ a graph of elements
graph, every element as a query     ⇒ three candidates each ⇒ ObjectMasks
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.decompose.affinity import members
from eie.decompose.frame import bilinear_weights
from eie.elements import ObjectMasks
from eie.patch_graph import likeness, merging, nearness, thinned, touching_patches

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from eie.decompose.affinity import MaskLogits
    from eie.models.object_head import ElementGraph

MOST_ELEMENTS = 512
"""Elements up to which objects are told: time and memory grow with the square."""

_CELL = 2
"""Every so many-th mask logit is looked at: the image embedding's stride in mask logits."""

_COLOURS = 3
"""What the image encoder's features begin with."""


def object_masks(
    heads: Any,
    logits: MaskLogits,
    labels: NDArray[np.integer],
    affinity: NDArray[np.float32],
) -> ObjectMasks:
    """Ask an :class:`eie.models.object_head.ObjectEnsemble` for the candidates of every element.

    Args:
        heads: in evaluation mode.
        logits: of the segmenter, with its features.
        labels: (H, W) label map with values 0..K-1, each present.
        affinity: (K, K), as :func:`eie.decompose.affinity.element_affinity`.
    """
    from eie.models.finite import finite

    graph = element_graph(logits, labels, affinity).to(heads.reduce.weight.device)
    chances, scores = (  # (K, K, 3), (K, 3)
        finite(told, "the segmenter's object heads").cpu().numpy()
        for told in heads.candidates(graph)
    )
    return ObjectMasks.of(chances.transpose(2, 0, 1), scores.T)


def element_graph(
    logits: MaskLogits, labels: NDArray[np.integer], affinity: NDArray[np.float32]
) -> ElementGraph:
    """What the object head is told of a photo's elements; see :func:`object_masks`."""
    import torch

    from eie.models.object_head import ElementGraph

    count = len(affinity)
    small, _ = thinned(labels)
    # An element that thinning misses is hardly there.
    area = np.maximum(np.bincount(small.ravel(), minlength=count), 1) / small.size  # (K,)
    alike, touching = likeness(affinity), touching_patches(small, count)
    merged = np.stack([*merging(alike, area, touching), nearness(alike, touching)])  # (3, K, K)
    inside = members(labels, count, logits, _CELL)  # (K, cells) sparse
    seen = _means(logits, inside)  # (K, 3 + F)
    frame = logits.frame
    scale = logits.low / frame.img_size / _CELL  # cells per input pixel
    size = (frame.input_width * scale, frame.input_height * scale)
    geometry = _geometry(inside, _cells(logits), size, labels, area, seen[:, :_COLOURS])
    return ElementGraph(
        features=torch.from_numpy(seen[:, _COLOURS:]),
        geometry=torch.from_numpy(geometry),
        affinity=torch.from_numpy(affinity),
        merged=torch.from_numpy(merged.astype(np.float32)),
        touching=torch.from_numpy(touching),
    )


def _means(logits: MaskLogits, inside: csr_array) -> NDArray[np.float32]:
    """(K, C) means over the elements of all features, colours first.

    Args:
        inside: (K, M) which cells lie in an element, rows sum to 1.
    """
    from eie.models.tiny_sam import LEVEL_STRIDES

    cells = _cells(logits)
    inside_coarser: dict[tuple[int, ...], csr_array] = {}
    means = []
    for stride, level in zip(LEVEL_STRIDES, logits.features, strict=True):
        size = (level.shape[2], level.shape[3])
        if (stride, *size) not in inside_coarser:
            weights = _interpolation(size, stride // LEVEL_STRIDES[0], cells)
            inside_coarser[stride, *size] = inside @ weights  # (K, h·w)
        values = level[0].flatten(1).T.float().cpu().numpy()  # (h·w, C)
        means.append(inside_coarser[stride, *size] @ values)
    return np.concatenate(means, axis=1).astype(np.float32)


def _interpolation(size: tuple[int, int], step: int, cells: tuple[int, int]) -> csr_array:
    """(M, h·w) sparse: the cells' values by bilinear interpolation of a coarser grid."""
    from scipy.sparse import csr_array, kron

    vertical, horizontal = (
        csr_array(bilinear_weights(coarse, coarse * step)[:fine])
        for coarse, fine in zip(size, cells, strict=True)
    )
    return csr_array(kron(vertical, horizontal))


def _geometry(
    inside: csr_array,
    cells: tuple[int, int],
    size: tuple[float, float],
    labels: NDArray[np.integer],
    area: NDArray[np.float64],
    colours: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(K, 10), as :class:`eie.models.object_head.ElementGraph` has it.

    Args:
        inside: (K, rows·columns) which cells lie in an element, rows sum to 1.
        cells: rows and columns of the grid.
        size: width and height of the photo in cells; the last ones reach beyond it.
    """
    height, width = labels.shape
    rows, columns = cells
    y, x = np.divmod(np.arange(rows * columns), columns)
    at = (np.stack([x, y], axis=1) + 0.5) / size  # (rows·columns, 2)
    centre = inside @ at  # (K, 2)
    spread = np.sqrt(np.maximum(inside @ at**2 - centre**2, 1e-9))  # (K, 2)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    rim = np.bincount(edge, minlength=len(area)) / len(edge)  # (K,)
    aspect = np.full(len(area), math.log(width / height))
    table = np.column_stack([centre, spread, area, rim, aspect, colours])
    return table.astype(np.float32)


def _cells(logits: MaskLogits) -> tuple[int, int]:
    """Rows and columns of the grid of every so many-th mask logit."""
    height, width = (-(-size // _CELL) for size in logits.values.shape[1:])
    return height, width
