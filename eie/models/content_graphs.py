"""The bundled content encoder's and light decoder's build as graphs: see
:mod:`eie.models.content_encoder` and :mod:`eie.models.light_decoder` for what they compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eie.models.canvas import CLAIMED, FADING, FAINT, GRID, TILE
from eie.models.graph import Graph, Tensors, is_known, read_tensors, weights_of
from eie.models.linear_code import LinearCode
from eie.models.weight_files import CONFIG_FILE, WEIGHTS_FILE

ENCODER = "content_encoder"
ENCODER_WEIGHTS, DECODER_WEIGHTS = "tiny-content-encoder", "tiny-light-decoder"
"""The whole networks' tensors in the index of graphs."""

Array = NDArray[np.float32]

LAYERS = {
    "token_layer": {"attention": "self_attention", "feed_forward": "self_feed_forward"},
    "attention": {"attention": "cross_attention"},
    "trunk_block": {"block": "blocks"},
}
"""Graphs that serve several layers, and where the network has the weights of each."""

TILES = 64
"""Tiles that are worked on at a time; bounds memory."""

QUERIES = 1 << 18
"""Pairs of queries and elements that are worked on at a time; bounds memory."""

BASES = ("luma_basis", "chroma_basis", "shape_basis", "shape_mean")


class EncoderGraph:
    """The content encoder on the CPU.

    Args:
        tensors: all of its weights.
        config: the arguments it was made with.
    """

    def __init__(self, tensors: Tensors, config: dict[str, Any]) -> None:
        self.patch_size: int = config["patch_size"]
        self._code = linear_code(tensors, "linear.", config)
        self._convolutions = Graph(ENCODER, tensors, "the content encoder", convolves=True)

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 4, S, S) masked RGB and mask, in [0, 1] ⇒ (N, D) embeddings."""
        (added,) = self._convolutions(patches=patches)
        embeddings: NDArray[np.float32] = self._code.code(patches, added)
        return embeddings


class DecoderGraphs:
    """The light decoder on the CPU: :meth:`eie.models.light_decoder.LightDecoder.forward`.

    Args:
        tensors: all of its weights.
        config: the arguments it was made with.
    """

    def __init__(self, tensors: Tensors, config: dict[str, Any]) -> None:
        self.encoder_hash: str = config["encoder_hash"]
        self._tensors, self._config = tensors, config
        self._graphs: dict[tuple[str, int | None], Graph] = {}
        self._of_layers: dict[tuple[str, int], dict[str, Array]] = {}
        self._code = linear_code(tensors, "patch_head.code.", config)

    def decode(
        self,
        embeddings: Array,
        box: Array,
        visible: NDArray[np.bool_],
        rank: NDArray[np.int64],
        flip: NDArray[np.bool_],
        size: tuple[int, int],
        frame: Array | None = None,
    ) -> Array:
        """(N, D), (N, 4), (N,), (N,), (N, 2), (height, width), (N, 2, 2) or None ⇒ (3, height,
        width) RGB, about [0, 1], not clipped."""
        upright = np.eye(2, dtype=np.float32)
        if frame is None:
            frame = np.tile(upright, (len(box), 1, 1))
        lack = self._config["neighbours"] - len(box)
        if lack > 0:  # elements that nobody sees
            columns = (embeddings, visible, rank, flip)
            embeddings, visible, rank, flip = (_followed(column, lack, 0) for column in columns)
            box, frame = _followed(box, lack, 1), _followed(frame, lack, upright)
        lying = {"box": box[None], "visible": visible[None], "frame": frame[None]}
        (tokens,) = self._run("token_start", embeddings=embeddings[None], box=lying["box"])
        near = self._run("neighbours", place=lying["box"], **lying)
        for layer in range(self._config["self_layers"]):
            (tokens,) = self._layer("token_layer", layer, tokens=tokens, **_told(near))  # (1, N, T)
        held = self._code.components(embeddings)[None]  # (1, N, K)
        (patches,) = self._run("light_patches", tokens=tokens, held=held)  # (1, N, 4, S, S)
        canvas = self._placed(patches, lying, rank, flip, size)  # (7, H, W)
        # What is only continued was never there to learn from.
        drawn = np.minimum(np.exp(canvas[-1]) / CLAIMED, 1)
        refined: Array = canvas[:3] + drawn * self._lacking(canvas, tokens, lying)
        return refined[:, : size[0], : size[1]]

    def _placed(
        self,
        patches: Array,
        lying: dict[str, NDArray[Any]],
        rank: NDArray[np.int64],
        flip: NDArray[np.bool_],
        size: tuple[int, int],
    ) -> Array:
        """(7, H, W) the canvas of :func:`eie.models.patch_compositing.place`, up to whole tiles."""
        rows, columns = (-(-length // TILE) for length in size)
        box, frame = lying["box"][0], lying["frame"][0]
        turned = is_turned(frame)  # (N,)
        tile, element = _overlaps(box, frame, turned, lying["visible"][0], rows, columns)
        channels = 2 * (patches.shape[2] - 1) + 2
        tiles = np.zeros((rows * columns, TILE, channels, TILE), np.float32)
        scale = np.sqrt(box[:, 2] * box[:, 3]) / patches.shape[-1]  # (N,) pixels a sample
        ends = np.searchsorted(tile, np.arange(0, rows * columns, TILES) + TILES)
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            some, who = tile[start:end], element[start:end]
            if not len(some):
                continue
            own, slot = np.unique(some, return_inverse=True)
            inputs = {
                "patches": patches,
                "box": box[None],
                "flip": flip[None],
                "element": who,
                "top": some // columns * TILE,
                "left": some % columns * TILE,
            }
            placed, inside = self._on_tiles(inputs, frame[None], turned[who])
            (claims,) = self._run(
                "claimed",
                placed=placed,
                inside=inside,
                scale=scale[who],
                rank=rank[who],
                tile=slot,
                tiles=np.zeros(len(own), np.float32),
            )
            first = np.flatnonzero(np.diff(some, prepend=-1))
            tiles[own] = np.add.reduceat(claims, first, axis=0)
        canvas = tiles.reshape(rows, columns, TILE, channels, TILE).transpose(3, 0, 2, 1, 4)
        canvas = canvas.reshape(channels, rows * TILE, columns * TILE)
        both, sharp, soft = canvas[:-2], canvas[-2], canvas[-1]
        values, softer = np.split(both, 2)
        parts = [continued(values, sharp), continued(softer, soft), np.log(sharp + FAINT)[None]]
        return np.concatenate(parts)

    def _on_tiles(
        self, inputs: dict[str, NDArray[Any]], frame: Array, turned: NDArray[np.bool_]
    ) -> list[Array]:
        """Values and insides of pairs, of which some are of turned elements."""
        outputs: list[Array] = []
        for which, name, more in (
            (~turned, "straight", {}),
            (turned, "warped", {"frame": frame}),
        ):
            if not which.any():
                continue
            of_pairs = {key: inputs[key][which] for key in ("element", "top", "left")}
            for index, part in enumerate(self._run(name, **(inputs | of_pairs | more))):
                if len(outputs) <= index:
                    outputs.append(np.empty((len(turned), *part.shape[1:]), np.float32))
                outputs[index][which] = part
        return outputs

    def _lacking(self, canvas: Array, tokens: Array, lying: dict[str, NDArray[Any]]) -> Array:
        """(3, H, W): what the trunk adds to the merged patches."""
        (trunk,) = self._run("trunk_start", canvas=canvas[None])  # (1, C, rows, columns)
        height, width = trunk.shape[2:]
        y, x = np.divmod(np.arange(height * width), width)
        centre = (np.stack([x, y], axis=1) + 0.5) * GRID
        place = np.concatenate([centre, np.full_like(centre, GRID)], axis=1).astype(np.float32)
        chunk = max(1, QUERIES // tokens.shape[1] // width) * width  # whole rows lie together
        chunks = [slice(start, start + chunk) for start in range(0, len(place), chunk)]
        near = []
        for some in chunks:
            element, geometry, present = self._run("neighbours", place=place[None, some], **lying)
            own, index = np.unique(element, return_inverse=True)  # those near any of the queries
            told = _told([index.reshape(present.shape), geometry, present])
            near.append((some, tokens[:, own], told))
        for layer in range(self._config["cross_layers"]):
            (query,) = self._graph("trunk_block", layer)(trunk=trunk)  # (1, Q, C)
            for some, own, told in near:
                query[:, some] = self._layer(
                    "attention", layer, query=query[:, some], tokens=own, **told
                )[0]
            trunk = query.reshape(1, height, width, -1).transpose(0, 3, 1, 2)
        (lacking,) = self._run("trunk_end", trunk=np.ascontiguousarray(trunk))
        return lacking[0]

    def _run(self, name: str, **inputs: NDArray[Any]) -> list[Array]:
        return self._graph(name)(**inputs)

    def _layer(self, name: str, layer: int, **inputs: NDArray[Any]) -> list[Array]:
        """A graph that serves several layers, with the weights of one."""
        return self._graph(name)(**inputs, **self._weights(name, layer))

    def _graph(self, name: str, layer: int | None = None) -> Graph:
        """A graph, made once; with the weights of a layer, if it is not one that is given them."""
        key = (name, layer)
        if key not in self._graphs:
            tensors = self._tensors if layer is None else self._weights(name, layer)
            taken = () if name in LAYERS and layer is None else None
            self._graphs[key] = Graph(
                name, tensors, "the light decoder", taken, convolves=name.startswith("trunk")
            )
        return self._graphs[key]

    def _weights(self, name: str, layer: int) -> dict[str, Array]:
        """Those of a layer by the names that the graph has for them."""
        key = (name, layer)
        if key not in self._of_layers:
            self._of_layers[key] = {
                weight: np.array(self._tensors[f"{part}.{layer}.{rest}"], np.float32, order="C")
                for weight in weights_of(name)
                for kind, rest in [weight.split(".", 1)]
                for part in [LAYERS[name][kind]]
            }
        return self._of_layers[key]


def _followed(rows: NDArray[Any], count: int, more: Any) -> NDArray[Any]:
    """(N, …) rows and `count` more, all the same."""
    added = np.full((count, *rows.shape[1:]), more, rows.dtype)
    return np.concatenate([rows, added])


def _told(near: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What attention is told of the nearest elements."""
    return dict(zip(("element", "geometry", "present"), near, strict=True))


def _overlaps(
    box: Array,
    frame: Array,
    turned: NDArray[np.bool_],
    visible: NDArray[np.bool_],
    rows: int,
    columns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(M,) tiles, ascending, and (M,) visible elements that overlap them."""
    size = (np.abs(frame) @ box[:, 2:, None])[..., 0]  # (N, 2) of the upright boxes around
    reach = size / 2 + 0.5 + FADING * turned[:, None]  # (N, 2)
    hits = []
    for axis, count in ((1, rows), (0, columns)):
        start = np.arange(count) * TILE  # (count,)
        low, high = (box[:, axis] + side * reach[:, axis] for side in (-1, 1))
        hits.append((low[:, None] < start + TILE) & (high[:, None] > start))  # (N, count)
    both = hits[0].T[:, None] & hits[1].T[None] & visible  # (rows, columns, N)
    row, column, element = np.nonzero(both)
    return row * columns + column, element


def continued(weighted: Array, weight: Array) -> Array:
    """(C, H, W) and (H, W) ⇒ (C, H, W): :func:`eie.models.patch_compositing.continued`."""
    import cv2

    height, width = weight.shape
    wider: Array
    if min(height, width) == 1:
        mean = weighted.sum((1, 2)) / max(weight.sum(), FAINT)
        wider = mean[:, None, None].astype(np.float32)
    else:
        coarse = continued(_halved(weighted), _halved(weight[None])[0])
        planes = [cv2.resize(plane, (width, height)) for plane in coarse]  # bilinear
        wider = np.array(planes, np.float32)
    filled: Array = (weighted + wider * np.float32(FAINT)) / (weight + np.float32(FAINT))
    return filled


def _halved(planes: Array) -> Array:
    """(C, H, W) ⇒ (C, ⌈H/2⌉, ⌈W/2⌉), means of 2×2 or, at the far edges, of what there is."""
    height, width = planes.shape[1:]
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    total = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return total / np.float32(4)


def is_turned(frame: Array) -> NDArray[np.bool_]:
    """(N, 2, 2) ⇒ (N,) which frames are not those of upright boxes."""
    turned: NDArray[np.bool_] = (frame != np.eye(2, dtype=frame.dtype)).any((1, 2))
    return turned


def linear_code(tensors: Tensors, prefix: str, config: dict[str, Any]) -> LinearCode:
    """The closed-form code among a network's weights."""
    lengths = (config["luma"], config["chroma"], config["chroma"], config["shape"])
    bases: Any = (np.array(tensors[prefix + name], np.float32, order="C") for name in BASES)
    return LinearCode(lengths, *bases)


def load_encoder_graph(folder: Path) -> EncoderGraph | None:
    """The content encoder of a folder, None if it is of another build than the bundled one."""
    tensors, config = read_folder(folder)
    return EncoderGraph(tensors, config) if is_known(ENCODER_WEIGHTS, tensors) else None


def load_decoder_graphs(folder: Path) -> DecoderGraphs | None:
    """The light decoder of a folder, None if it is of another build than the bundled one."""
    tensors, config = read_folder(folder)
    return DecoderGraphs(tensors, config) if is_known(DECODER_WEIGHTS, tensors) else None


def read_folder(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """The weights and the arguments of a network; nothing if they can't be read."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
    except (OSError, ValueError):
        return {}, {}
    return read_tensors(folder / WEIGHTS_FILE) or {}, config
