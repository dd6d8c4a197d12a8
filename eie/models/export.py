"""Making the graphs of :mod:`eie.models.graph` from the networks: `make graphs`.

Graphs are traced, so that what depends on sizes must be said in terms of tensors' shapes.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import Tensor, nn

from eie.models.canvas import TILE
from eie.models.content import DECODER_FOLDER, EMBEDDED, ENCODER_FOLDER, TINY
from eie.models.content_encoder import ContentEncoder
from eie.models.content_graphs import DECODER_WEIGHTS, ENCODER, ENCODER_WEIGHTS
from eie.models.graph import GRAPHS, INDEX
from eie.models.light_decoder import LightDecoder
from eie.models.local_attention import Neighbours, nearest_elements
from eie.models.object_head import ElementGraph, ObjectEnsemble
from eie.models.placement import Pairs, claimed, straight, warped
from eie.models.tiny_graphs import OBJECT_HEADS
from eie.models.tiny_sam import TinySam, build_tiny_sam

OPSET = 18

Axes = Mapping[str, Sequence[int]]
"""Names of inputs and which of their axes have any length."""


class ImageEncoder(nn.Module):
    """Normalised pixels ⇒ levels, the embedding last."""

    def __init__(self, sam: TinySam) -> None:
        super().__init__()
        self.image_encoder = sam.image_encoder

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.image_encoder.levels(pixels)


class Recogniser(nn.Module):
    """Normalised pixels ⇒ what the recogniser sees."""

    def __init__(self, sam: TinySam) -> None:
        super().__init__()
        self.recogniser = sam.recogniser
        self._recognised = sam.recognised

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self._recognised(pixels)


class PromptedDecoder(nn.Module):
    """Prompt encoder and mask decoder: an image embedding and points ⇒ mask logits and IoU."""

    def __init__(self, sam: TinySam) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = sam.prompt_encoder, sam.mask_decoder

    def forward(self, embedding: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """(1, C, h, w), (P, 2) in input pixels ⇒ (P, 1, 2·h, 2·w), (P, 1)."""
        encoder = self.prompt_encoder
        side = encoder.input_image_size[0]
        # What the prompt encoder does with a foreground point and no box; its way cannot be traced.
        place = encoder.pe_layer._pe_encoding(points[:, None] / side)  # (P, 1, C)
        none = encoder.not_a_point_embed.weight.expand(points.shape[0], 1, -1)  # (P, 1, C)
        sparse = torch.cat([place + encoder.point_embeddings[1].weight, none], dim=1)
        encoding = encoder.get_dense_pe()[..., : embedding.shape[2], : embedding.shape[3]]
        image = embedding + encoder.no_mask_embed.weight[:, :, None, None]  # (1, C, h, w)
        masks, quality = self.mask_decoder.predict_masks(
            image, encoding, sparse, torch.zeros_like(image)
        )
        return masks, quality


class ElementTokens(nn.Module):
    """The part of the object heads that is done once: tables of elements ⇒ tokens, relations."""

    def __init__(self, heads: ObjectEnsemble) -> None:
        super().__init__()
        self.object_heads = heads

    def forward(self, *tables: Tensor) -> tuple[Tensor, Tensor]:
        return self.object_heads.known(ElementGraph(*tables))


class ObjectMasks(nn.Module):
    """The part that is done for some queries at a time."""

    def __init__(self, heads: ObjectEnsemble) -> None:
        super().__init__()
        self.object_heads = heads

    def forward(
        self, tokens: Tensor, area: Tensor, queries: Tensor, related: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.object_heads.asked(tokens, area, queries, related)


class AddedCode(nn.Module):
    """The content encoder's convolutions: patches ⇒ what they add to the linear code."""

    def __init__(self, encoder: ContentEncoder) -> None:
        super().__init__()
        self.convolutions = encoder.convolutions
        self._added = encoder.added

    def forward(self, patches: Tensor) -> Tensor:
        return self._added(patches)


def export(folder: Path) -> None:
    """Write all graphs and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, dict[str, list[int]]] = {}
    for part in (_segmenter, _content, _decoder, _arithmetic):
        for name, content, weights in part(index):
            (folder / f"{name}.onnx").write_bytes(content)
            index[name] = weights
    text = json.dumps(index, indent=0, sort_keys=True)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def _segmenter(index: dict[str, dict[str, list[int]]]) -> Any:
    sam = build_tiny_sam(objects=True).eval()
    heads = cast(ObjectEnsemble, sam.object_heads)
    shapes = _shapes(sam)
    index["tiny-segmenter"] = {n: s for n, s in shapes.items() if not n.startswith(OBJECT_HEADS)}
    index["tiny-segmenter-heads"] = {n: s for n, s in shapes.items() if n.startswith(OBJECT_HEADS)}
    pixels = torch.zeros(1, 3, 384, 512)
    yield _traced("image_encoder", ImageEncoder(sam), {"pixels": pixels}, {"pixels": (2, 3)})
    yield _traced("recogniser", Recogniser(sam), {"pixels": pixels}, {"pixels": (2, 3)})
    yield _traced(
        "mask_decoder",
        PromptedDecoder(sam),
        {"embedding": torch.zeros(1, 96, 96, 128), "points": torch.rand(50, 2)},
        {"embedding": (2, 3), "points": (0,)},
    )
    tables = {
        "features": torch.rand(60, heads.config.features),
        "geometry": torch.rand(60, 10),
        "affinity": torch.rand(60, 60),
        "merged": torch.rand(3, 60, 60),
        "touching": torch.rand(60, 60) > 0.5,
    }
    axes = {"features": (0,), "geometry": (0,), "affinity": (0, 1), "touching": (0, 1)}
    yield _traced("element_tokens", ElementTokens(heads), tables, axes | {"merged": (1, 2)})
    with torch.inference_mode():
        tokens, related = heads.known(ElementGraph(*tables.values()))
    asked = {
        "tokens": tokens,
        "area": torch.rand(60),
        "queries": torch.arange(20),
        "related": related[:20],
    }
    free = {"tokens": (1,), "area": (0,), "queries": (0,), "related": (0, 1)}
    yield _traced("object_masks", ObjectMasks(heads), asked, free)


def _content(index: dict[str, dict[str, list[int]]]) -> Any:
    folder = EMBEDDED / TINY
    encoder = ContentEncoder.from_folder(folder / ENCODER_FOLDER)
    index[ENCODER_WEIGHTS] = _shapes(encoder)
    patches = torch.rand(5, 4, encoder.config.patch_size, encoder.config.patch_size)
    yield _traced(ENCODER, AddedCode(encoder), {"patches": patches}, {"patches": (0,)})


class TokenStart(nn.Module):
    """Embeddings and boxes ⇒ tokens that know nothing of each other."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.to_token, self._start = decoder.to_token, decoder.token_start

    def forward(self, embeddings: Tensor, box: Tensor) -> Tensor:
        return self._start(embeddings, box)


class TokenLayer(nn.Module):
    """One of the layers in which tokens attend to those near them."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.attention = decoder.self_attention[0]
        self.feed_forward = decoder.self_feed_forward[0]

    def forward(self, tokens: Tensor, element: Tensor, geometry: Tensor, present: Tensor) -> Tensor:
        near = Neighbours(element, geometry, present)
        layered: Tensor = self.feed_forward(self.attention(tokens, tokens, near))
        return layered


class Patches(nn.Module):
    """Tokens and what embeddings hold ⇒ patches."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.patch_head = decoder.patch_head

    def forward(self, tokens: Tensor, held: Tensor) -> Tensor:
        return self.patch_head.decoded(tokens, held)


class Straight(nn.Module):
    """Patches ⇒ what they are like on tiles."""

    def forward(
        self, patches: Tensor, box: Tensor, flip: Tensor, element: Tensor, top: Tensor, left: Tensor
    ) -> tuple[Tensor, Tensor]:
        return straight(patches, box, flip, Pairs(element, element, top, left))


class Warped(nn.Module):
    """The same of turned ones."""

    def forward(
        self,
        patches: Tensor,
        box: Tensor,
        flip: Tensor,
        frame: Tensor,
        element: Tensor,
        top: Tensor,
        left: Tensor,
    ) -> tuple[Tensor, Tensor]:
        return warped(patches, box, flip, frame, Pairs(element, element, top, left))


class Claimed(nn.Module):
    """What patches are like on tiles ⇒ what they claim; `tiles` is as long as there are tiles."""

    def forward(
        self,
        placed: Tensor,
        inside: Tensor,
        scale: Tensor,
        rank: Tensor,
        tile: Tensor,
        tiles: Tensor,
    ) -> Tensor:
        return claimed(placed, inside, scale, rank, tile, tiles.shape[0])


class Neighbourhood(nn.Module):
    """Places of queries, and elements ⇒ the nearest elements."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(
        self, place: Tensor, box: Tensor, visible: Tensor, frame: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        near = nearest_elements(place, box, visible, self.count, frame)
        return near.element, near.geometry, near.present


class Attention(nn.Module):
    """Some queries' attention to the elements near them."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.attention = decoder.cross_attention[0]

    def forward(
        self, query: Tensor, tokens: Tensor, element: Tensor, geometry: Tensor, present: Tensor
    ) -> Tensor:
        attended: Tensor = self.attention(query, tokens, Neighbours(element, geometry, present))
        return attended


class Block(nn.Module):
    """One of the trunk's residual blocks, and its outcome as queries."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.block = decoder.blocks[0]

    def forward(self, trunk: Tensor) -> Tensor:
        blocked: Tensor = self.block(trunk)
        return blocked.permute(0, 2, 3, 1).flatten(1, 2)  # (B, Q, C)


class TrunkStart(nn.Module):
    """The merged canvas ⇒ the trunk."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.stem, self._trunk = decoder.stem, decoder.trunk

    def forward(self, canvas: Tensor) -> Tensor:
        return self._trunk(canvas)


class TrunkEnd(nn.Module):
    """The trunk ⇒ what the canvas lacks."""

    def __init__(self, decoder: LightDecoder) -> None:
        super().__init__()
        self.head, self._lacking = decoder.head, decoder.lacking

    def forward(self, trunk: Tensor) -> Tensor:
        return self._lacking(trunk)


def _decoder(index: dict[str, dict[str, list[int]]]) -> Any:
    decoder = LightDecoder.from_folder(EMBEDDED / TINY / DECODER_FOLDER).eval()
    index[DECODER_WEIGHTS] = _shapes(decoder)
    config, elements, pairs = decoder.config, 60, 70
    side, width = config.patch_size, config.trunk_dim
    box = torch.rand(1, elements, 4) * 30 + 20
    visible = torch.rand(1, elements) > 0.1
    frame = torch.eye(2).expand(1, elements, 2, 2) + 0.1 * torch.rand(1, elements, 2, 2)
    lying = {"box": box, "visible": visible, "frame": frame}
    of_elements = {"box": (1,), "visible": (1,), "frame": (1,)}
    tokens = torch.rand(1, elements, config.token_dim)

    embeddings = torch.rand(1, elements, config.embedding_dim)
    inputs = {"embeddings": embeddings, "box": box}
    yield _traced("token_start", TokenStart(decoder), inputs, {"embeddings": (1,), "box": (1,)})
    held = torch.rand(1, elements, config.patch_luma + 2 * config.patch_chroma + config.shape)
    inputs = {"tokens": tokens, "held": held}
    yield _traced("light_patches", Patches(decoder), inputs, {"tokens": (1,), "held": (1,)})

    of_pairs = {
        "element": torch.randint(elements, (pairs,)),
        "top": torch.randint(4, (pairs,)) * TILE,
        "left": torch.randint(4, (pairs,)) * TILE,
    }
    patches = torch.rand(1, elements, 4, side, side)
    flip = torch.rand(1, elements, 2) > 0.5
    free = {"patches": (1,), "box": (1,), "flip": (1,)} | dict.fromkeys(of_pairs, (0,))
    inputs = {"patches": patches, "box": box, "flip": flip}
    yield _traced("straight", Straight(), inputs | of_pairs, free)
    inputs = inputs | {"frame": frame} | of_pairs
    yield _traced("warped", Warped(), inputs, free | {"frame": (1,)})
    inputs = {
        "placed": torch.rand(pairs, TILE, 4, TILE),
        "inside": torch.rand(pairs, TILE, 1, TILE),
        "scale": torch.rand(pairs) + 0.5,
        "rank": torch.arange(pairs),
        "tile": torch.randint(9, (pairs,)),
        "tiles": torch.zeros(9),
    }
    yield _traced("claimed", Claimed(), inputs, dict.fromkeys(inputs, (0,)))

    place = torch.rand(1, 80, 4) * 30 + 5
    near = Neighbourhood(config.neighbours)
    yield _traced("neighbours", near, {"place": place, **lying}, {"place": (1,)} | of_elements)
    element, geometry, present = near(place, **lying)
    inputs = {
        "query": torch.rand(1, 80, width),
        "tokens": tokens,
        "element": element,
        "geometry": geometry,
        "present": present,
    }
    of_layer = dict.fromkeys(inputs, (1,))
    yield _traced("attention", Attention(decoder), inputs, of_layer, layers=True)
    near = Neighbourhood(config.neighbours)(box, **lying)
    inputs = {"tokens": tokens, "element": near[0], "geometry": near[1], "present": near[2]}
    of_layer = dict.fromkeys(inputs, (1,))
    yield _traced("token_layer", TokenLayer(decoder), inputs, of_layer, layers=True)
    canvas, trunk = torch.rand(1, 7, 64, 96), torch.rand(1, width, 16, 24)
    yield _traced("trunk_start", TrunkStart(decoder), {"canvas": canvas}, {"canvas": (2, 3)})
    yield _traced("trunk_block", Block(decoder), {"trunk": trunk}, {"trunk": (2, 3)})
    yield _traced("trunk_end", TrunkEnd(decoder), {"trunk": trunk}, {"trunk": (2, 3)})


class Product(nn.Module):
    """Of two matrices."""

    def forward(self, rows: Tensor, table: Tensor) -> Tensor:
        return rows @ table


def _arithmetic(_: dict[str, dict[str, list[int]]]) -> Any:
    inputs = {"rows": torch.rand(5, 6), "table": torch.rand(6, 7)}
    yield _traced("product", Product(), inputs, {"rows": (0, 1), "table": (0, 1)})


def _shapes(network: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def _traced(
    name: str,
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    axes: Axes,
    *,
    layers: bool = False,
) -> tuple[str, bytes, dict[str, list[int]]]:
    """A network's graph without its weights, and their shapes by name.

    Args:
        layers: it serves several layers, each of which hands its weights over as inputs.
    """
    import onnx

    torch.onnx.register_custom_op_symbolic(  # type: ignore[attr-defined]
        "aten::mT", _swapped, OPSET
    )
    for tensor in network.state_dict().values():
        tensor.uniform_(0.1, 1)  # the exporter would make one weight of two that are equal
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the tracer cannot know; tests compare other sizes
        torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            str(Path(folder) / name),
            dynamo=False,  # the newer way takes eight minutes for one network with free sizes
            opset_version=OPSET,
            input_names=list(inputs),
            dynamic_axes={name: _named(name, free) for name, free in axes.items()},
            do_constant_folding=False,  # it would make new weights of those that are in the file
        )
        model = onnx.load(Path(folder) / name)
    weights = {}
    for tensor in model.graph.initializer:
        weights[tensor.name] = list(tensor.dims)
        if layers:
            kind = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            model.graph.input.append(onnx.helper.make_value_info(tensor.name, kind))
            continue
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights"), ("offset", "0"), ("length", "0")):
            tensor.external_data.add(key=key, value=value)
    if layers:
        model.graph.ClearField("initializer")
    for node in model.graph.node:
        node.ClearField("doc_string")
    return name, model.SerializeToString(deterministic=True), weights


def _swapped(graph: Any, matrices: Any) -> Any:
    """`Tensor.mT`, which the exporter does not know."""
    *kept, rows, columns = range(matrices.type().dim())
    return graph.op("Transpose", matrices, perm_i=[*kept, columns, rows])


def _named(name: str, axes: Sequence[int]) -> dict[int, str]:
    return {axis: f"{name}_{axis}" for axis in axes}


if __name__ == "__main__":
    export(GRAPHS)
