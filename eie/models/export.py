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

from eie.models.content import EMBEDDED, ENCODER_FOLDER, TINY
from eie.models.content_encoder import ContentEncoder
from eie.models.content_graphs import ENCODER, ENCODER_WEIGHTS
from eie.models.graph import GRAPHS, INDEX
from eie.models.object_head import ElementGraph, ObjectEnsemble
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
    for part in (_segmenter, _content, _arithmetic):
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
    name: str, network: nn.Module, inputs: Mapping[str, Tensor], axes: Axes
) -> tuple[str, bytes, dict[str, list[int]]]:
    """A network's graph without its weights, and their shapes by name."""
    import onnx

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
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "weights"), ("offset", "0"), ("length", "0")):
            tensor.external_data.add(key=key, value=value)
    for node in model.graph.node:
        node.ClearField("doc_string")
    return name, model.SerializeToString(deterministic=True), weights


def _named(name: str, axes: Sequence[int]) -> dict[int, str]:
    return {axis: f"{name}_{axis}" for axis in axes}


if __name__ == "__main__":
    export(GRAPHS)
