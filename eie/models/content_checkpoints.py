"""Loading and saving content encoders and light decoders: diffusers' folders, one per model.

MODEL/
  content_encoder/  config.json  diffusion_pytorch_model.safetensors
  light_decoder/    config.json  diffusion_pytorch_model.safetensors
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import MissingModelError
from eie.models.content_graphs import load_decoder_graphs, load_encoder_graph
from eie.models.devices import choose_device, half_precision
from eie.models.finite import check_weights, watched
from eie.models.hub import HINT, first_line, model_folder
from eie.models.model_cache import keepable
from eie.models.weight_files import WEIGHTS_FILE, file_hash

if TYPE_CHECKING:
    from eie.models.content_encoder import ContentEncoder
    from eie.models.light_decoder import LightDecoder

TINY = "tiny"
EMBEDDED = Path(__file__).parent / "weights"

ENCODER_FOLDER = "content_encoder"
DECODER_FOLDER = "light_decoder"


@dataclass(frozen=True, eq=False)
class LoadedEncoder:
    """A content encoder in evaluation mode, its name, and the SHA-256 of its weights in hex."""

    model: ContentEncoder
    name: str
    weight_hash: str


@dataclass(frozen=True, eq=False)
class LoadedDecoder:
    """A light decoder in evaluation mode, its name, and the SHA-256 of its weights in hex."""

    model: LightDecoder
    name: str
    weight_hash: str


def load_content_encoder(model: str | Path = TINY, device: str | None = None) -> LoadedEncoder:
    """Load a content encoder.

    Args:
        model: "tiny" (embedded), a folder as above, or the id of such a folder on the hub.
        device: as :func:`eie.models.devices.choose_device`.

    Raises:
        MissingModelError: the weights are not there, damaged, or of another kind.
    """
    from eie.models.content_encoder import ContentEncoder

    loaded, weights = _load(ContentEncoder, model, ENCODER_FOLDER, device)
    return LoadedEncoder(loaded, _name(model), weights)


@dataclass(frozen=True, eq=False)
class PatchEncoder:
    """A content encoder as :func:`eie.encoding.encode` takes it.

    Attributes:
        embed: (N, 4, S, S) float32 masked RGB and mask, in [0, 1] ⇒ (N, D) float32.
        patch_size: side S of a patch.
        name: of the model.
        weight_hash: SHA-256 of its weights in hex.
    """

    embed: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    patch_size: int
    name: str
    weight_hash: str


@keepable
def load_patch_encoder(model: str | Path = TINY, device: str | None = None) -> PatchEncoder:
    """Load a content encoder for use: arguments and errors as :func:`load_content_encoder`.

    One of the bundled one's build runs as a graph on the CPU, without PyTorch, unless another
    device is named.
    """
    folder = _graph_folder(model, ENCODER_FOLDER, device)
    if folder is not None and (graph := load_encoder_graph(folder)) is not None:
        weights = file_hash(folder / WEIGHTS_FILE)
        return PatchEncoder(graph.embed, graph.patch_size, _name(model), weights)
    loaded = load_content_encoder(model, device)
    size = loaded.model.config.patch_size
    return PatchEncoder(partial(_embed, loaded.model), size, loaded.name, loaded.weight_hash)


def _embed(model: ContentEncoder, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        embeddings = model(torch.from_numpy(patches).to(model.device))
    return embeddings.float().cpu().numpy()


def _graph_folder(model: str | Path, subfolder: str, device: str | None) -> Path | None:
    """Where a part of a model lies, if it may run as a graph: locally and on the CPU."""
    folder = EMBEDDED / TINY if model == TINY else Path(model)
    return folder / subfolder if device in (None, "cpu") else None


@keepable
def load_light_decoder(model: str | Path = TINY, device: str | None = None) -> LoadedDecoder:
    """Load the light decoder of a model; arguments and errors as :func:`load_content_encoder`."""
    from eie.models.light_decoder import LightDecoder

    loaded, weights = _load(LightDecoder, model, DECODER_FOLDER, device)
    return LoadedDecoder(loaded, _name(model), weights)


@dataclass(frozen=True, eq=False)
class CanvasDecoder:
    """A light decoder as rendering takes it.

    Attributes:
        decode: as :meth:`eie.models.content_graphs.DecoderGraphs.decode`.
        encoder_hash: SHA-256 of the weights of the encoder it was trained with, in hex.
    """

    decode: Callable[..., NDArray[np.float32]]
    encoder_hash: str


@keepable
def load_canvas_decoder(model: str | Path = TINY, device: str | None = None) -> CanvasDecoder:
    """Load a light decoder for use, as :func:`load_patch_encoder` does an encoder."""
    folder = _graph_folder(model, DECODER_FOLDER, device)
    if folder is not None and (graphs := load_decoder_graphs(folder)) is not None:
        return CanvasDecoder(graphs.decode, graphs.encoder_hash)
    network = load_light_decoder(model, device).model
    return CanvasDecoder(partial(_decode, network), network.config.encoder_hash)


def _decode(
    model: LightDecoder, *, size: tuple[int, int], **inputs: NDArray[Any]
) -> NDArray[np.float32]:
    import torch

    device = model.device
    tensors = {name: torch.from_numpy(value)[None].to(device) for name, value in inputs.items()}
    precision = half_precision(device)
    half = torch.autocast(device.type, precision, enabled=precision != torch.float32)
    with torch.inference_mode(), half:
        picture = model(**tensors, size=size)[0]  # (3, h, w)
    decoded: NDArray[np.float32] = picture.float().cpu().numpy()
    return decoded


def save_content_model(folder: Path, encoder: ContentEncoder, decoder: LightDecoder) -> None:
    """Save both models in half precision; the decoder records the encoder's hash."""
    import torch

    encoder.to(torch.float16).save_pretrained(folder / ENCODER_FOLDER)
    decoder.config.encoder_hash = file_hash(folder / ENCODER_FOLDER / WEIGHTS_FILE)
    decoder.to(torch.float16).save_pretrained(folder / DECODER_FOLDER)


def _name(model: str | Path) -> str:
    return Path(model).name


def _load(
    kind: type[Any], model: str | Path, subfolder: str, device: str | None
) -> tuple[Any, str]:
    target = choose_device(device)
    folder = EMBEDDED / TINY if model == TINY else model_folder(model, subfolder)
    try:
        loaded = kind.from_folder(folder / subfolder)
        weights = file_hash(folder / subfolder / WEIGHTS_FILE)
    except Exception as error:  # damaged files raise all sorts
        raise MissingModelError(
            f"no {subfolder.replace('_', ' ')} could be loaded: {first_line(error)}",
            where=str(model),
            hint=HINT,
        ) from error
    what = f"the {subfolder.replace('_', ' ')} of {model}"
    check_weights(loaded, what)
    watched(loaded.eval().requires_grad_(False).to(target), what)
    return loaded, weights
