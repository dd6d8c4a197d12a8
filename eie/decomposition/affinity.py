"""SAM's affinity: the mask logits s(m, n) of every query point, and what they say of elements.

photo ⇒ image embedding (once) ; query points ⇒ mask logits (N, h, w)
mask logits, label map ⇒ element affinity (N, N)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.decomposition.pixels import to_rgb
from eie.decomposition.sam_transform import Frame
from eie.elements import CANDIDATES, ObjectMasks
from eie.models.finite import finite

if TYPE_CHECKING:
    from torch import Tensor

    from eie.decomposition.detections import Detections
    from eie.models.tiny_graphs import TinyGraphs

Progress = Callable[[int, int], None]
"""Called with (queries done, all queries)."""

_FULL_PRECISION_BYTES = 1 << 28
"""Logits that take more than this in float32 are kept as float16 (error under 0.1 %)."""

_PYRAMID_STEP = 32
"""What the sides of a convolutional image encoder's input are multiples of: its largest stride."""

_PROMPTS_SHARING = 512
"""Prompts given at a time to a decoder that shares the image among its prompts."""

_MOST_LOGIT = 80.0
"""e to this is still a float32."""

_AFFINITY_CELLS = 128
"""Element affinity is measured at no more than this many logits along the longer side."""


@dataclass(frozen=True, eq=False)
class MaskLogits:
    """The segmenter's logit that a pixel belongs to the thing a query point lies on.

    Attributes:
        values: (N, h, w) float32 or float16, at the mask decoder's resolution; rows and columns
            that would lie in the padding of the input are cut off.
        low: side of the decoder's whole output; h ≤ low and w ≤ low.
        frame: the photo's place in the model's input.
        points: (N, 2) query points, (x, y) in photo pixels, pixel column j covers [j, j + 1).
        features: (1, C, h, w) float32 each, of several strides: mean colours at the finest, then
            what the image encoder, the recogniser and the detector see; empty if they were not
            wanted.
        seen: things that the detector sees in the model's input; None if they were not wanted.
        candidates: (N, 3, h', w') bool, the masks of an ambiguous point at the cells that element
            affinity is measured at, and their estimated IoU (N, 3); None if they were not wanted.
    """

    values: NDArray[np.floating]
    low: int
    frame: Frame
    points: NDArray[np.float64]
    features: tuple[NDArray[np.float32], ...] = ()
    seen: Detections | None = None
    candidates: tuple[NDArray[np.bool_], NDArray[np.float32]] | None = None


def mask_logits(
    sam: Any,
    photo: NDArray[np.uint8],
    points: NDArray[np.float64],
    *,
    progress: Progress | None = None,
    with_features: bool = False,
    with_candidates: bool = False,
) -> MaskLogits:
    """Prompt a Sam with every point alone and take its single-mask output (mask token 0).

    The computation runs where the model's weights are and in their precision; image encoder and
    mask decoder may be in bfloat16 or float16, the prompt encoder is left in float32.

    Args:
        sam: segment_anything `Sam` in evaluation mode, or one of its build
            (:func:`eie.models.tiny_sam.build_tiny_sam`), or that one's graphs.
        photo: (H, W, C) uint8 in [0, 255], C = 1 to 4.
        points: (N, 2) (x, y) in pixels, pixel column j covers [j, j + 1).
        progress: told after every batch of queries.
        with_features: keep what an object head reads; only of a
            :class:`eie.models.tiny_sam.TinySam`.
        with_candidates: keep the masks of an ambiguous point, too; of a Sam that has three.
    """
    from eie.models.tiny_graphs import TinyGraphs

    if isinstance(sam, TinyGraphs):
        return _logits_of_graphs(sam, photo, points, progress, with_features)
    import torch

    height, width = photo.shape[:2]
    frame = Frame(height, width, sam.image_encoder.img_size)
    low = _output_side(sam)
    rows, columns = frame.vertical(low).shape[1], frame.horizontal(low).shape[1]
    values = _room_for_logits(len(points), rows, columns)
    dtype = values.dtype
    step = _cell_step(rows, columns)
    masks: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float32]] = []
    outputs = 1 + CANDIDATES if with_candidates else 1
    done = 0
    with torch.inference_mode():
        pixels = model_input(photo, frame)
        image, features = _embed(sam, pixels, with_features)  # (1, C, h, w)
        features, seen = _with_detector(features, pixels)
        for batch, quality in _decode(sam, image, frame.to_input(points), rows, columns, outputs):
            part = finite(batch[:, 0].float(), "the segmenter").cpu().numpy()
            if len(part) == len(points) and dtype == part.dtype:
                values = part  # all at once: no copy
            else:
                values[done : done + len(part)] = part
            if with_candidates:
                masks.append((batch[:, 1:, ::step, ::step] > 0).cpu().numpy())
                scores.append(finite(quality[:, 1:].float(), "the segmenter").cpu().numpy())
            done += len(part)
            if progress:
                progress(done, len(points))
    candidates = (np.concatenate(masks), np.concatenate(scores)) if with_candidates else None
    return MaskLogits(values, low, frame, points, features, seen, candidates)


def _logits_of_graphs(
    tiny: TinyGraphs,
    photo: NDArray[np.uint8],
    points: NDArray[np.float64],
    progress: Progress | None,
    with_features: bool,
) -> MaskLogits:
    """:func:`mask_logits` of the bundled segmenter."""
    from eie.models.tiny_graphs import EMBEDDING_LEVEL, IMG_SIZE, MASK_STRIDE

    frame = Frame(photo.shape[0], photo.shape[1], IMG_SIZE)
    low = IMG_SIZE // MASK_STRIDE
    rows, columns = frame.vertical(low).shape[1], frame.horizontal(low).shape[1]
    pixels = model_input(photo, frame)
    levels = tiny.levels(pixels, recognised=with_features)
    features, seen = _with_detector(levels if with_features else (), pixels)
    embedding, place = levels[EMBEDDING_LEVEL], frame.to_input(points)
    values = _room_for_logits(len(points), rows, columns)
    for start in range(0, len(points), _PROMPTS_SHARING):
        some = slice(start, start + _PROMPTS_SHARING)
        vectors, of_pixels = tiny.mask_parts(embedding, place[some])
        of_pixels = of_pixels[:, :rows, :columns].reshape(len(of_pixels), -1)
        part = values[some].reshape(len(vectors), -1)  # a view
        room = part if part.dtype == vectors.dtype else None
        product = np.matmul(vectors, of_pixels, out=room)
        finite(product, "the segmenter")
        if room is None:
            part[:] = product
        if progress:
            progress(min(some.stop, len(points)), len(points))
    return MaskLogits(values, low, frame, points, features, seen)


def _with_detector(
    features: tuple[NDArray[np.float32], ...], pixels: NDArray[np.uint8]
) -> tuple[tuple[NDArray[np.float32], ...], Detections | None]:
    """Features of the model's input (h, w, 3) with the detector's behind them, and the things it
    sees; nothing if there are no others."""
    if not features:
        return (), None
    from eie.decomposition.detections import things_seen

    more, seen = things_seen(pixels)
    return features + more, seen


def _room_for_logits(count: int, rows: int, columns: int) -> NDArray[np.floating]:
    """(count, rows, columns), in half precision if there are many."""
    full = 4 * count * rows * columns <= _FULL_PRECISION_BYTES
    return np.empty((count, rows, columns), dtype=np.float32 if full else np.float16)


def model_input(photo: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
    """The photo with its longer side at img_size, resized as segment_anything does.

    Returns:
        (input_height, input_width, 3) uint8.
    """
    from PIL import Image

    size = (frame.input_width, frame.input_height)
    return np.asarray(Image.fromarray(to_rgb(photo)).resize(size, Image.Resampling.BILINEAR))


def _embed(
    sam: Any, pixels: NDArray[np.uint8], with_features: bool
) -> tuple[Tensor, tuple[NDArray[np.float32], ...]]:
    """(1, C, h, w) image embedding plus the dense embedding that stands for "no mask given", and
    the features that an object head reads, if they are wanted; of the model's input (h, w, 3)."""
    import torch

    from eie.models.sam_encoder import encode_image

    dtype = next(sam.image_encoder.parameters()).dtype
    values = torch.tensor(pixels, device=sam.device)  # (h, w, 3)
    padded = sam.preprocess(values.permute(2, 0, 1)[None].float())  # (1, 3, S, S)
    if not _takes_whole_square(sam):
        # Interpolation reads a little beyond the photo, hence one step more.
        rows, columns = ((n // _PYRAMID_STEP + 1) * _PYRAMID_STEP for n in pixels.shape[:2])
        padded = padded[..., :rows, :columns]  # (1, 3, ≤ rows, ≤ columns)
    padded = padded.to(dtype, memory_format=torch.channels_last)
    encoder = sam.image_encoder
    features: tuple[NDArray[np.float32], ...] = ()
    if with_features:
        levels = encoder.levels(padded)
        seen = (*levels, *sam.recognised(padded))
        embedding, features = levels[-1], tuple(level.float().cpu().numpy() for level in seen)
    else:
        embedding = encode_image(encoder, padded)  # (1, C, h, w)
    no_mask = sam.prompt_encoder.no_mask_embed.weight[:, :, None, None]
    return embedding.float() + no_mask, features


def _decode(
    sam: Any, image: Tensor, points: NDArray[np.float64], rows: int, columns: int, outputs: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Mask logits (B, outputs, rows, columns) of batches of points, given in input pixels, and
    their estimated IoU (B, outputs)."""
    import torch

    from eie.models.sam_decoder import decode_prompts
    from eie.models.sam_modeling import TwoWayTransformer

    # The prompt encoder adds half a pixel to what it takes for pixel indices.
    place = torch.tensor(points - 0.5, dtype=torch.float32, device=sam.device)  # (N, 2)
    inside = torch.ones(len(points), 1, dtype=torch.int, device=sam.device)
    sparse, _ = sam.prompt_encoder(points=(place[:, None], inside), boxes=None, masks=None)
    encoding = sam.prompt_encoder.get_dense_pe()  # (1, C, h, w)

    decoder = sam.mask_decoder
    dtype = decoder.iou_token.weight.dtype
    if isinstance(decoder.transformer, TwoWayTransformer):
        yield from decode_prompts(decoder, image, encoding, sparse, rows, columns, outputs)
        return
    encoding = encoding[..., : image.shape[2], : image.shape[3]]  # (1, C, h, w)
    image, encoding = image.to(dtype), encoding.to(dtype)
    for prompts in sparse.to(dtype).split(_PROMPTS_SHARING):
        masks, quality = decoder.predict_masks(image, encoding, prompts, torch.zeros_like(image))
        yield masks[..., :rows, :columns], quality


def _takes_whole_square(sam: Any) -> bool:
    """Whether the image encoder needs its padding: a vision transformer's table of positions does.

    A convolutional one was trained on crops without, and does less work on what is there.
    """
    return getattr(sam.image_encoder, "pos_embed", None) is not None


def _output_side(sam: Any) -> int:
    """Side of the mask decoder's output in pixels."""
    scale = 1
    for layer in sam.mask_decoder.output_upscaling:
        scale *= getattr(layer, "stride", (1,))[0]
    return scale * int(sam.prompt_encoder.image_embedding_size[0])


def element_affinity(
    logits: MaskLogits, labels: NDArray[np.integer], queries: NDArray[np.intp]
) -> NDArray[np.float32]:
    """How much each element belongs to the thing that another's query point lies on.

    Args:
        logits: of all queries.
        labels: (H, W) label map with values 0..K-1, each present.
        queries: (K,) the query that each element came from.

    Returns:
        (K, K) float32 in [0, 1]; entry (n, k) is the mean of sigmoid(s(m, n)) over the pixels m of
        element k, s of element n's query.
    """
    step = _cell_step(*logits.values.shape[1:])
    inside = members(labels, len(queries), logits, step)
    affinity = np.empty((len(queries), len(queries)), dtype=np.float32)
    for start in range(0, len(queries), 64):
        some = logits.values[queries[start : start + 64], ::step, ::step]  # (B, h', w')
        probability = _sigmoid(some.reshape(len(some), -1).T)  # (M, B)
        affinity[start : start + 64] = inside.means(probability).T
    return affinity


def _sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    odds = np.exp(np.clip(logits, -_MOST_LOGIT, _MOST_LOGIT, dtype=np.float32))
    chance: NDArray[np.float32] = odds / (1 + odds)
    return chance


def voted_objects(
    logits: MaskLogits, labels: NDArray[np.integer], queries: NDArray[np.intp]
) -> ObjectMasks | None:
    """The candidates of every element's query, voted onto elements by their cells.

    Arguments as of :func:`element_affinity`. None if the logits came without candidates.
    """
    if logits.candidates is None:
        return None
    masks, scores = logits.candidates
    masks, scores = masks[queries], scores[queries]  # (K, 3, h', w'), (K, 3)
    inside = members(labels, len(queries), logits, _cell_step(*logits.values.shape[1:]))
    votes = [  # (K, K) shares each
        inside.means(masks[:, index].reshape(len(queries), -1).T.astype(np.float32)).T
        for index in range(CANDIDATES)
    ]
    return ObjectMasks.of(np.stack(votes), scores.T)


def _cell_step(rows: int, columns: int) -> int:
    """Every how many-th mask logit elements are measured at."""
    return -(-max(rows, columns) // _AFFINITY_CELLS)


@dataclass(frozen=True, eq=False)
class Members:
    """Which cells of a grid each of K elements has: at least one.

    cells: (S,) indices of cells, those of an element together, in order of elements.
    starts: (K,) where those of each element start.
    """

    cells: NDArray[np.intp]
    starts: NDArray[np.intp]

    def means(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(M, C) values of all cells ⇒ (K, C) means over each element's."""
        return self.means_of(values[self.cells])

    def means_of(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(S, C) values in the order of `cells` ⇒ (K, C)."""
        total = np.add.reduceat(values, self.starts)  # (K, C)
        return (total / self.counts[:, None]).astype(np.float32)

    @property
    def counts(self) -> NDArray[np.intp]:
        """(K,) cells of each element."""
        return np.diff(self.starts, append=len(self.cells))


def members(labels: NDArray[np.integer], count: int, logits: MaskLogits, step: int) -> Members:
    """Which of every step-th logits, in reading order, lie in an element.

    An element that none of them lies in has the one nearest to its first pixel.
    """
    nearest_row = logits.frame.vertical(logits.low).argmax(axis=1)  # (H,) logit of each pixel
    nearest_column = logits.frame.horizontal(logits.low).argmax(axis=1)  # (W,)
    rows, columns = (_middles(nearest, step) for nearest in (nearest_row, nearest_column))
    width = -(-logits.values.shape[2] // step)
    cell = np.arange(len(rows))[:, None] * width + np.arange(len(columns))
    element, cell = labels[np.ix_(rows, columns)].ravel(), cell.ravel()

    missed = np.flatnonzero(np.bincount(element, minlength=count) == 0)
    if len(missed):
        first = [int(np.argmax(labels == element)) for element in missed]  # few, if any
        row, column = np.divmod(first, labels.shape[1])
        near = nearest_row[row] // step * width + nearest_column[column] // step
        element, cell = np.append(element, missed), np.append(cell, near)
    order = np.argsort(element, kind="stable")
    return Members(cell[order], np.searchsorted(element[order], np.arange(count)))


def _middles(nearest: NDArray[np.intp], step: int) -> NDArray[np.intp]:
    """The pixel in the middle of those nearest to every step-th logit, along one axis."""
    wanted = np.arange(0, nearest[-1] + 1, step)
    first, last = (np.searchsorted(nearest, wanted, side) for side in ("left", "right"))
    return (first + last - 1) // 2  # the pixel before, where photos are coarser than logits
