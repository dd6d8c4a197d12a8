"""Make the graphs of :mod:`eie.models.graph` from the networks: `make graphs`.

Graphs are traced, so that what depends on sizes must be said in terms of tensors' shapes.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from eie.models.canvas import TILE
from eie.models.content_checkpoints import DECODER_FOLDER, EMBEDDED, ENCODER_FOLDER, TINY
from eie.models.content_encoder import ContentEncoder
from eie.models.content_graphs import DECODER_WEIGHTS, ENCODER, ENCODER_WEIGHTS
from eie.models.detector import NAME as DETECTOR
from eie.models.graph import GRAPHS, INDEX
from eie.models.light_decoder import LightDecoder
from eie.models.local_attention import Neighbours, nearest_elements
from eie.models.nanodet import NanoDet
from eie.models.object_head import ElementGraph, ObjectEnsemble
from eie.models.patch_compositing import Pairs, claimed, straight, warped
from eie.models.tiny_graphs import OBJECT_HEADS
from eie.models.tiny_sam import TinySam, build_tiny_sam

OPSET = 18

GELU_OPSET = 20
"""The first one to which GELU is one operation; its means over windows are slower."""

Axes = Mapping[str, Sequence[int]]
"""Names of inputs and which of their axes have any length."""


class Traced(nn.Module):
    """A function of tensors, and the networks that it uses, by the names of their weights."""

    def __init__(self, function: Callable[..., Any], **networks: nn.Module) -> None:
        super().__init__()
        for name, network in networks.items():
            self.add_module(name, network)
        self._function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self._function(*inputs)


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
    encoder = Traced(sam.image_encoder.levels, image_encoder=sam.image_encoder)
    yield _traced("image_encoder", encoder, {"pixels": pixels}, {"pixels": (2, 3)})
    recogniser = Traced(sam.recognised, recogniser=sam.recogniser)
    yield _traced("recogniser", recogniser, {"pixels": pixels}, {"pixels": (2, 3)})
    yield _traced(DETECTOR, NanoDet().eval(), {"pixels": pixels}, {"pixels": (2, 3)})
    yield _traced(
        "mask_decoder",
        Traced(
            partial(_prompted, sam),
            prompt_encoder=sam.prompt_encoder,
            mask_decoder=sam.mask_decoder,
        ),
        {"embedding": torch.zeros(1, 96, 96, 128), "points": torch.rand(50, 2)},
        {"embedding": (2, 3), "points": (0,)},
    )
    tables = {
        "features": torch.rand(60, sum(heads.config.features)),
        "geometry": torch.rand(60, 10),
        "affinity": torch.rand(60, 60),
        "merged": torch.rand(3, 60, 60),
        "touching": torch.rand(60, 60) > 0.5,
        "together": torch.rand(4, 60, 60),
    }
    axes = {"features": (0,), "geometry": (0,), "affinity": (0, 1), "touching": (0, 1)}
    known = Traced(lambda *tables: heads.known(ElementGraph(*tables)), object_heads=heads)
    yield _traced(
        "element_tokens",
        known,
        tables,
        axes | {"merged": (1, 2), "together": (1, 2)},
        opset=GELU_OPSET,
    )
    with torch.inference_mode():
        tokens, related = heads.known(ElementGraph(*tables.values()))
    asked = {
        "tokens": tokens,
        "area": torch.rand(60),
        "queries": torch.arange(20),
        "related": related[:20],
    }
    free = {"tokens": (1,), "area": (0,), "queries": (0,), "related": (0, 1)}
    masks = Traced(heads.asked, object_heads=heads)
    yield _traced("object_masks", masks, asked, free, opset=GELU_OPSET)


def _content(index: dict[str, dict[str, list[int]]]) -> Any:
    folder = EMBEDDED / TINY
    encoder = ContentEncoder.from_folder(folder / ENCODER_FOLDER)
    index[ENCODER_WEIGHTS] = _shapes(encoder)
    patches = torch.rand(5, 4, encoder.config.patch_size, encoder.config.patch_size)
    added = Traced(encoder.added, convolutions=encoder.convolutions)
    yield _traced(ENCODER, added, {"patches": patches}, {"patches": (0,)})


def _decoder(index: dict[str, dict[str, list[int]]]) -> Any:
    decoder = LightDecoder.from_folder(EMBEDDED / TINY / DECODER_FOLDER).eval()
    index[DECODER_WEIGHTS] = _shapes(decoder)
    config, elements, pairs = decoder.config, 60, 70
    side = config.patch_size
    box = torch.rand(1, elements, 4) * 30 + 20
    visible = torch.rand(1, elements) > 0.1
    frame = torch.eye(2).expand(1, elements, 2, 2) + 0.1 * torch.rand(1, elements, 2, 2)
    lying = {"box": box, "visible": visible, "frame": frame}
    tokens = torch.rand(1, elements, config.token_dim)

    embeddings = torch.rand(1, elements, config.embedding_dim)
    inputs = {"embeddings": embeddings, "box": box}
    start = Traced(decoder.token_start, to_token=decoder.to_token)
    yield _traced("token_start", start, inputs, {"embeddings": (1,), "box": (1,)})
    held = torch.rand(1, elements, config.patch_luma + 2 * config.patch_chroma + config.shape)
    inputs = {"tokens": tokens, "held": held}
    head = Traced(decoder.patch_head.decoded, patch_head=decoder.patch_head)
    yield _traced("light_patches", head, inputs, {"tokens": (1,), "held": (1,)})

    of_pairs = {
        "element": torch.randint(elements, (pairs,)),
        "top": torch.randint(4, (pairs,)) * TILE,
        "left": torch.randint(4, (pairs,)) * TILE,
    }
    patches = torch.rand(1, elements, 4, side, side)
    flip = torch.rand(1, elements, 2) > 0.5
    free = {"patches": (1,), "box": (1,), "flip": (1,)} | dict.fromkeys(of_pairs, (0,))
    inputs = {"patches": patches, "box": box, "flip": flip}
    yield _traced("straight", Traced(_straight), inputs | of_pairs, free)
    inputs = inputs | {"frame": frame} | of_pairs
    yield _traced("warped", Traced(_warped), inputs, free | {"frame": (1,)})
    inputs = {
        "placed": torch.rand(pairs, TILE, 4, TILE),
        "inside": torch.rand(pairs, TILE, 1, TILE),
        "scale": torch.rand(pairs) + 0.5,
        "rank": torch.arange(pairs),
        "tile": torch.randint(9, (pairs,)),
        "tiles": torch.zeros(9),
    }
    # As long as there are tiles: a number would be that of the example.
    claims = Traced(_claimed)
    yield _traced("claimed", claims, inputs, dict.fromkeys(inputs, (0,)))

    yield from _attending(decoder, lying)


def _attending(decoder: LightDecoder, lying: dict[str, Tensor]) -> Any:
    """The part in which tokens attend to each other, and the trunk to them.

    Args:
        lying: how elements lie: box, visible and frame.
    """
    config, box = decoder.config, lying["box"]
    width = config.trunk_dim
    tokens = torch.rand(1, box.shape[1], config.token_dim)
    of_elements = dict.fromkeys(lying, (1,))
    place = torch.rand(1, 80, 4) * 30 + 5
    near = Traced(partial(_near, config.neighbours))
    yield _traced("neighbours", near, {"place": place, **lying}, {"place": (1,)} | of_elements)
    named = ("element", "geometry", "present")
    inputs = {"query": torch.rand(1, 80, width), "tokens": tokens}
    inputs |= dict(zip(named, near(place, *lying.values()), strict=True))
    attention = decoder.cross_attention[0]
    attend = Traced(partial(_attended, attention), attention=attention)
    yield _traced("attention", attend, inputs, dict.fromkeys(inputs, (1,)), layers=True)
    inputs = {"tokens": tokens} | dict(zip(named, near(box, *lying.values()), strict=True))
    own, forward = decoder.self_attention[0], decoder.self_feed_forward[0]
    layer = Traced(partial(_layer, own, forward), attention=own, feed_forward=forward)
    yield _traced("token_layer", layer, inputs, dict.fromkeys(inputs, (1,)), layers=True)
    canvas, trunk = torch.rand(1, 7, 64, 96), torch.rand(1, width, 16, 24)
    begin = Traced(decoder.trunk, stem=decoder.stem)
    yield _traced("trunk_start", begin, {"canvas": canvas}, {"canvas": (2, 3)})
    block = decoder.blocks[0]
    as_queries = Traced(lambda trunk: block(trunk).permute(0, 2, 3, 1).flatten(1, 2), block=block)
    yield _traced("trunk_block", as_queries, {"trunk": trunk}, {"trunk": (2, 3)})
    end = Traced(decoder.lacking, head=decoder.head)
    yield _traced("trunk_end", end, {"trunk": trunk}, {"trunk": (2, 3)})


def _prompted(sam: TinySam, embedding: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """An image embedding (1, C, h, w) and points (P, 2) in input pixels ⇒ vectors (P, c + 2) and
    features (c + 2, 2·h, 2·w), whose product mask logits are."""
    encoder = sam.prompt_encoder
    side = encoder.input_image_size[0]
    # What the prompt encoder does with a foreground point and no box; its way cannot be traced.
    place = encoder.pe_layer._pe_encoding(points[:, None] / side)  # (P, 1, C)
    none = encoder.not_a_point_embed.weight.expand(points.shape[0], 1, -1)  # (P, 1, C)
    sparse = torch.cat([place + encoder.point_embeddings[1].weight, none], dim=1)
    encoding = encoder.get_dense_pe()[..., : embedding.shape[2], : embedding.shape[3]]
    image = embedding + encoder.no_mask_embed.weight[:, :, None, None]  # (1, C, h, w)
    vectors, features, _ = sam.mask_decoder.mask_parts(
        image, encoding, sparse, torch.zeros_like(image)
    )
    return vectors[0], features[0]


def _straight(
    patches: Tensor, box: Tensor, flip: Tensor, element: Tensor, top: Tensor, left: Tensor
) -> tuple[Tensor, Tensor]:
    return straight(patches, box, flip, Pairs(element, element, top, left))


def _warped(
    patches: Tensor, box: Tensor, flip: Tensor, frame: Tensor, *of_pairs: Tensor
) -> tuple[Tensor, Tensor]:
    element, top, left = of_pairs
    return warped(patches, box, flip, frame, Pairs(element, element, top, left))


def _claimed(
    placed: Tensor, inside: Tensor, scale: Tensor, rank: Tensor, tile: Tensor, tiles: Tensor
) -> Tensor:
    return claimed(placed, inside, scale, rank, tile, tiles.shape[0])


def _near(count: int, place: Tensor, *lying: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    box, visible, frame = lying
    near = nearest_elements(place, box, visible, count, frame)
    return near.element, near.geometry, near.present


def _attended(attention: nn.Module, query: Tensor, tokens: Tensor, *near: Tensor) -> Tensor:
    attended: Tensor = attention(query, tokens, Neighbours(*near))
    return attended


def _layer(attention: nn.Module, feed_forward: nn.Module, tokens: Tensor, *near: Tensor) -> Tensor:
    layered: Tensor = feed_forward(_attended(attention, tokens, tokens, *near))
    return layered


def _arithmetic(_: dict[str, dict[str, list[int]]]) -> Any:
    inputs = {"rows": torch.rand(5, 6), "table": torch.rand(6, 7)}
    yield _traced("product", Traced(torch.matmul), inputs, {"rows": (0, 1), "table": (0, 1)})


def _shapes(network: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def _traced(
    name: str,
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    axes: Axes,
    *,
    layers: bool = False,
    opset: int = OPSET,
) -> tuple[str, bytes, dict[str, list[int]]]:
    """A network's graph without its weights, and their shapes by name.

    Args:
        layers: it serves several layers, each of which hands its weights over as inputs.
    """
    import onnx

    torch.onnx.register_custom_op_symbolic(  # type: ignore[attr-defined]
        "aten::mT", _swapped, opset
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
            opset_version=opset,
            input_names=list(inputs),
            dynamic_axes={name: _named(name, free) for name, free in axes.items()},
            do_constant_folding=False,  # it would make new weights of those that are in the file
        )
        model = onnx.load(Path(folder) / name)
    weights = list(model.graph.initializer)
    kinds = [onnx.helper.make_tensor_type_proto(w.data_type, w.dims) for w in weights]
    model.graph.input.extend(
        onnx.helper.make_value_info(weight.name, kind)
        for weight, kind in zip(weights, kinds, strict=True)
    )
    model.graph.ClearField("initializer")
    model = _simplified(model)
    _pad_in_convolutions(model)
    if not layers:
        _without_weights(model, weights)
    for node in model.graph.node:
        node.ClearField("doc_string")
    shapes = {weight.name: list(weight.dims) for weight in weights}
    return name, model.SerializeToString(deterministic=True), shapes


def _simplified(model: Any) -> Any:
    """A graph with what its constants alone decide worked out, for ONNX Runtime does so at every
    start: half of the nodes are about sizes. It knows no weights, so that it makes none of them."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "simplified.onnx")
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(options.optimized_model_filepath)


def _pad_in_convolutions(model: Any) -> None:
    """Let convolutions pad what they read themselves. PyTorch's pad alike on both sides, and what
    is padded before one would be laid out twice by ONNX Runtime."""
    import onnx

    graph = model.graph
    numbers = {given.name: onnx.numpy_helper.to_array(given) for given in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    made = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for convolution in [node for node in graph.node if node.op_type == "Conv"]:
        padding = made.get(convolution.input[0])
        if padding is None or readers[padding.output[0]] > 1 or padding.input[1] not in numbers:
            continue
        ends = numbers[padding.input[1]].reshape(2, -1)  # (begin, end) × axes
        own = next(of for of in convolution.attribute if of.name == "pads")
        if padding.attribute[0].s != b"constant" or any(padding.input[2:]) or ends[:, :2].any():
            continue
        own.ints[:] = (np.array(own.ints) + ends[:, 2:].ravel()).tolist()
        convolution.input[0] = padding.input[0]
        graph.node.remove(padding)
    used = {name for node in graph.node for name in node.input}
    for given in [given for given in graph.initializer if given.name not in used]:
        graph.initializer.remove(given)


def _without_weights(model: Any, weights: Sequence[Any]) -> None:
    """Let a graph take weights from elsewhere that it has as inputs."""
    import onnx

    names = {weight.name for weight in weights}
    inputs = [given for given in model.graph.input if given.name not in names]
    model.graph.ClearField("input")
    model.graph.input.extend(inputs)
    for weight in weights:
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights"), ("offset", "0"), ("length", "0")):
            weight.external_data.add(key=key, value=value)
        model.graph.initializer.append(weight)


def _swapped(graph: Any, matrices: Any) -> Any:
    """`Tensor.mT`, which the exporter does not know."""
    *kept, rows, columns = range(matrices.type().dim())
    return graph.op("Transpose", matrices, perm_i=[*kept, columns, rows])


def _named(name: str, axes: Sequence[int]) -> dict[int, str]:
    return {axis: f"{name}_{axis}" for axis in axes}


if __name__ == "__main__":
    export(GRAPHS)
