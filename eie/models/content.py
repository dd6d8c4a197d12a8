"""Loading and saving content encoders and light decoders: diffusers' folders, one per model.

MODEL/
  content_encoder/  config.json  diffusion_pytorch_model.safetensors
  light_decoder/    config.json  diffusion_pytorch_model.safetensors
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eie.errors import MissingModelError
from eie.models.devices import choose_device
from eie.models.weight_hash import file_hash

if TYPE_CHECKING:
    from eie.models.content_encoder import ContentEncoder
    from eie.models.light_decoder import LightDecoder

TINY = "tiny"
EMBEDDED = Path(__file__).parent / "weights"

ENCODER_FOLDER = "content_encoder"
DECODER_FOLDER = "light_decoder"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"


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


def load_light_decoder(model: str | Path = TINY, device: str | None = None) -> LoadedDecoder:
    """Load the light decoder of a model; arguments and errors as :func:`load_content_encoder`."""
    from eie.models.light_decoder import LightDecoder

    loaded, weights = _load(LightDecoder, model, DECODER_FOLDER, device)
    return LoadedDecoder(loaded, _name(model), weights)


def save_content_model(folder: Path, encoder: ContentEncoder, decoder: LightDecoder) -> None:
    """Save both models in half precision; the decoder records the encoder's hash."""
    import torch

    encoder.to(torch.float16).save_pretrained(folder / ENCODER_FOLDER)
    decoder.register_to_config(encoder_hash=file_hash(folder / ENCODER_FOLDER / WEIGHTS_FILE))
    decoder.to(torch.float16).save_pretrained(folder / DECODER_FOLDER)


def _folder(model: str | Path) -> Path:
    return EMBEDDED / TINY if model == TINY else Path(model)


def _name(model: str | Path) -> str:
    return Path(model).name


def _load(
    kind: type[Any], model: str | Path, subfolder: str, device: str | None
) -> tuple[Any, str]:
    import torch

    folder = _folder(model)
    origin = str(folder) if folder.is_dir() or model == TINY else str(model)
    try:
        loaded = kind.from_pretrained(origin, subfolder=subfolder, torch_dtype=torch.float32)
        path = folder / subfolder / WEIGHTS_FILE
        weights = file_hash(path) if path.is_file() else _hub_hash(origin, subfolder)
    except Exception as error:  # damaged files and an unreachable hub raise all sorts
        raise MissingModelError(
            f"no {subfolder.replace('_', ' ')} could be loaded: {_first_line(error)}",
            where=str(model),
            hint="give --model tiny, a local model folder, or an id that the hub can serve",
        ) from error
    loaded.eval().requires_grad_(False).to(choose_device(device))
    return loaded, weights


def _hub_hash(origin: str, subfolder: str) -> str:
    from huggingface_hub import hf_hub_download

    return file_hash(Path(hf_hub_download(origin, WEIGHTS_FILE, subfolder=subfolder)))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
