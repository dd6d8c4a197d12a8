"""The bundled segmenter's build as graphs: see :mod:`eie.models.tiny_sam` for what they compute."""

from __future__ import annotations

from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.models.efficientnet_lite_weights import LITE2, PIXEL_MEAN, PIXEL_STD, imagenet_weights
from eie.models.graph import Graph, Tensors, is_known, network_input

Array = NDArray[np.float32]

IMG_SIZE = 512
RECOGNISER = LITE2
"""The network that knows kinds of things."""

LEVEL_STRIDES = (4, 32, 16, 8, 4, 16, 32, 16, 32, 64)
"""Of what an image is made into, in pixels: mean colours, the pyramid's features, the embedding,
and what the recogniser sees of it and of it at half the size."""

EMBEDDING_LEVEL = 4
"""Which of these is the image embedding."""

MASK_STRIDE = 2

OBJECT_HEADS = "object_heads."
"""Before the names of the tensors that tell objects."""

_RECOGNISER = "recogniser."
"""Before the names of the ImageNet weights, which are no part of the segmenter's."""

_QUERIES = 128
"""Queries of an object head that are asked for at a time."""

_NAME = "tiny-segmenter"

_Graph = partial(Graph, threads=1)
"""More would hardly save time on networks as small, and elements do not depend on their number."""


class ElementTables(NamedTuple):
    """What the object heads are told of a photo's N elements, as
    :class:`eie.models.object_head.ElementGraph`, in NumPy's arrays."""

    features: Array
    geometry: Array
    affinity: Array
    merged: Array
    touching: NDArray[np.bool_]
    together: Array


class TinyGraphs:
    """The segmenter on the CPU.

    Args:
        tensors: all of its weights, see :func:`is_tiny`.
    """

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self.tells_objects = any(name.startswith(OBJECT_HEADS) for name in tensors)

    def levels(self, pixels: NDArray[np.uint8], *, recognised: bool) -> tuple[Array, ...]:
        """What is made of an image.

        Args:
            pixels: (h, w, 3) uint8, the longer side IMG_SIZE.
            recognised: with what the recogniser sees.

        Returns:
            (1, C, ≥ h/s, ≥ w/s) float32 for s in LEVEL_STRIDES, the first five unless `recognised`.
        """
        # Interpolation reads a little beyond the photo, hence one step more.
        step = LEVEL_STRIDES[1]
        rows, columns = (min((n // step + 1) * step, IMG_SIZE) for n in pixels.shape[:2])
        padded = network_input(pixels, (rows, columns), PIXEL_MEAN, PIXEL_STD)
        levels = self._image_encoder(pixels=padded)
        return (*levels, *self._recogniser(pixels=padded)) if recognised else tuple(levels)

    def mask_parts(self, embedding: Array, points: NDArray[np.float64]) -> tuple[Array, Array]:
        """What mask logits are the product of.

        Args:
            embedding: (1, C, h, w) of the image.
            points: (P, 2) in input pixels.

        Returns:
            (P, c) vectors of the points and (c, 2·h, 2·w) features of the image.
        """
        vectors, features = self._mask_decoder(
            embedding=embedding, points=points.astype(np.float32)
        )
        return vectors, features

    def candidates(self, elements: ElementTables) -> tuple[Array, Array]:
        """As :meth:`eie.models.object_head.ObjectEnsemble.candidates`."""
        tokens, related = self._element_tokens(**elements._asdict())  # (M, N, D), (N, N, R)
        area = elements.geometry[:, 4]
        chances, scores = [], []
        for start in range(0, len(area), _QUERIES):
            queries = np.arange(start, min(start + _QUERIES, len(area)))
            chance, score = self._object_masks(
                tokens=tokens, area=area, queries=queries, related=related[queries]
            )
            chances.append(chance)
            scores.append(score)
        return np.concatenate(chances), np.concatenate(scores)

    @cached_property
    def _image_encoder(self) -> Graph:
        return _Graph("image_encoder", self._tensors, "the segmenter", convolves=True)

    @cached_property
    def _recogniser(self) -> Graph:
        weights = {f"{_RECOGNISER}{n}": value for n, value in imagenet_weights(RECOGNISER).items()}
        return _Graph("recogniser", weights, "the segmenter's recogniser", convolves=True)

    @cached_property
    def _mask_decoder(self) -> Graph:
        return _Graph("mask_decoder", self._tensors, "the segmenter")

    @cached_property
    def _element_tokens(self) -> Graph:
        return _Graph("element_tokens", self._tensors, "the segmenter's object heads")

    @cached_property
    def _object_masks(self) -> Graph:
        return _Graph("object_masks", self._tensors, "the segmenter's object heads")


def is_tiny(tensors: Tensors) -> bool:
    """Whether tensors are those of the bundled segmenter's build, with or without object heads."""
    without = {n: t for n, t in tensors.items() if not n.startswith(OBJECT_HEADS)}
    heads = {n: t for n, t in tensors.items() if n.startswith(OBJECT_HEADS)}
    return is_known(_NAME, without) and (not heads or is_known(f"{_NAME}-heads", heads))
