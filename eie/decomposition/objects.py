"""What points on a photo's elements stand for, told by the segmenter's object head.

label map, affinity, image features ⇒ a graph of elements
graph, every element as a query     ⇒ three candidates each ⇒ ObjectMasks
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.decomposition.affinity import members
from eie.decomposition.detections import SEEN_STRIDES, together
from eie.decomposition.sam_transform import bilinear
from eie.elements import ObjectMasks
from eie.models.finite import finite
from eie.models.tiny_graphs import LEVEL_STRIDES, ElementTables, TinyGraphs
from eie.patch_graph import likeness, merging, nearness, thinned, touching_patches

if TYPE_CHECKING:
    from eie.decomposition.affinity import MaskLogits, Members
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
    """Ask a segmenter's object heads for the candidates of every element.

    Args:
        heads: an :class:`eie.models.object_head.ObjectEnsemble` in evaluation mode, or the graphs
            of the bundled segmenter.
        logits: of the segmenter, with its features.
        labels: (H, W) label map with values 0..K-1, each present.
        affinity: (K, K), as :func:`eie.decomposition.affinity.element_affinity`.
    """
    if isinstance(heads, TinyGraphs):
        chances, scores = heads.candidates(element_tables(logits, labels, affinity))
    else:
        graph = element_graph(logits, labels, affinity).to(next(heads.parameters()).device)
        chances, scores = (  # (K, K, 3), (K, 3)
            finite(told, "the segmenter's object heads").cpu().numpy()
            for told in heads.candidates(graph)
        )
    return ObjectMasks.of(chances.transpose(2, 0, 1), scores.T)


def element_graph(
    logits: MaskLogits, labels: NDArray[np.integer], affinity: NDArray[np.float32]
) -> ElementGraph:
    """:func:`element_tables` in tensors."""
    import torch

    from eie.models.object_head import ElementGraph

    return ElementGraph(*map(torch.from_numpy, element_tables(logits, labels, affinity)))


def element_tables(
    logits: MaskLogits, labels: NDArray[np.integer], affinity: NDArray[np.float32]
) -> ElementTables:
    """What the object heads are told of a photo's elements; see :func:`object_masks`."""
    if logits.seen is None:
        raise ValueError("these logits come without features")
    count = len(affinity)
    small, _ = thinned(labels)
    # An element that thinning misses is hardly there.
    area = np.maximum(np.bincount(small.ravel(), minlength=count), 1) / small.size  # (K,)
    alike, touching = likeness(affinity), touching_patches(small, count)
    merged = np.stack([*merging(alike, area, touching), nearness(alike, touching)])  # (3, K, K)
    inside = members(labels, count, logits, _CELL)
    seen = _means(logits, inside)  # (K, 3 + F)
    frame = logits.frame
    scale = logits.low / frame.img_size / _CELL  # cells per input pixel
    size = (frame.input_width * scale, frame.input_height * scale)
    middles = _middles(_cells(logits))  # (cells, 2)
    geometry = _geometry(inside, middles / size, labels, area, seen[:, :_COLOURS])
    return ElementTables(
        features=np.ascontiguousarray(seen[:, _COLOURS:]),
        geometry=geometry,
        affinity=affinity,
        merged=merged.astype(np.float32),
        touching=touching,
        together=together(logits.seen, inside, middles / scale),
    )


def _means(logits: MaskLogits, inside: Members) -> NDArray[np.float32]:
    """(K, C) means over the elements of all features, colours first.

    Cells have bilinear values of the features, and a mean of these is one of the features, in which
    each counts as often as cells look at it.
    """
    cells = _cells(logits)
    means = []
    shares: dict[tuple[int, ...], NDArray[np.float32]] = {}
    for stride, (level,) in zip(LEVEL_STRIDES + SEEN_STRIDES, logits.features, strict=True):
        step = stride // LEVEL_STRIDES[0]
        if step == 1:
            fine = level[:, : cells[0], : cells[1]]  # (C, rows, columns)
            means.append(inside.means(fine.reshape(len(fine), -1).T))
            continue
        key = (step, *level.shape[1:])
        if key not in shares:
            shares[key] = _shares(inside, cells, level.shape[1:], step)
        means.append(shares[key] @ level.reshape(len(level), -1).T)
    return np.concatenate(means, axis=1)


def _shares(
    inside: Members, cells: tuple[int, int], shape: tuple[int, ...], step: int
) -> NDArray[np.float32]:
    """(K, h·w): how much each value of a grid `step` times as coarse counts in elements' means.

    Args:
        inside: which cells lie in an element.
        cells: rows and columns of the fine grid.
        shape: h and w of the coarse one.
    """
    row, column = np.divmod(inside.cells, cells[1])  # (S,)
    element = np.repeat(np.arange(len(inside.starts)), inside.counts)
    upper, lower, down = (part[row] for part in bilinear(shape[0], shape[0] * step))
    left, right, along = (part[column] for part in bilinear(shape[1], shape[1] * step))
    size = shape[0] * shape[1]
    total = np.zeros(len(inside.starts) * size)
    for y, of_row in ((upper, 1 - down), (lower, down)):
        for x, of_column in ((left, 1 - along), (right, along)):
            place = element * size + y * shape[1] + x
            total += np.bincount(place, of_row * of_column, minlength=len(total))
    return (total.reshape(-1, size) / inside.counts[:, None]).astype(np.float32)


def _geometry(
    inside: Members,
    at: NDArray[np.float64],
    labels: NDArray[np.integer],
    area: NDArray[np.float64],
    colours: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(K, 10), as :class:`eie.models.object_head.ElementGraph` has it.

    Args:
        inside: which cells lie in an element.
        at: (cells, 2) x and y of their middles as shares of the photo's width and height.
    """
    height, width = labels.shape
    centre = inside.means(at)  # (K, 2)
    away = at[inside.cells] - np.repeat(centre, inside.counts, axis=0)  # (S, 2)
    spread = np.sqrt(np.maximum(inside.means_of(away**2), 1e-9))  # (K, 2)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    rim = np.bincount(edge, minlength=len(area)) / len(edge)  # (K,)
    aspect = np.full(len(area), math.log(width / height))
    table = np.column_stack([centre, spread, area, rim, aspect, colours])
    return table.astype(np.float32)


def _middles(cells: tuple[int, int]) -> NDArray[np.float64]:
    """(rows·columns, 2) x and y of the middles of a grid's cells, in cells."""
    y, x = np.divmod(np.arange(cells[0] * cells[1]), cells[1])
    return np.stack([x, y], axis=1) + 0.5


def _cells(logits: MaskLogits) -> tuple[int, int]:
    """Rows and columns of the grid of every so many-th mask logit."""
    height, width = (-(-size // _CELL) for size in logits.values.shape[1:])
    return height, width
