"""Loading segmenters: the embedded `tiny`, one of its build, or any Segment Anything checkpoint."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eie.errors import MissingModelError
from eie.models.devices import choose_device, half_precision
from eie.models.finite import check_weights
from eie.models.graph import read_tensors
from eie.models.hub import first_line
from eie.models.model_cache import keepable
from eie.models.tiny_graphs import OBJECT_HEADS, TinyGraphs, is_tiny
from eie.models.weight_files import file_hash

if TYPE_CHECKING:
    from torch import Tensor

TINY = "tiny"
TINY_WEIGHTS = Path(__file__).parent / "weights" / "tiny-segmenter.safetensors"

_KNOWN_SIZES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
"""Segment Anything's names by (width, depth) of the image encoder."""

_DECODER_HEADS = 8  # of every Segment Anything model; the one size that no tensor tells
_PIXEL_MEAN, _PIXEL_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

SAFETENSORS = ".safetensors"
_POSITIONS = "image_encoder.pos_embed"
"""A tensor that all of Segment Anything's sizes have, and the light build has not."""

_WRAPPERS = ("model", "state_dict", "model_state_dict", "sam", "net", "ema")
_PREFIXES = ("module.", "_orig_mod.", "model.", "sam.", "sam_model.")
"""What trainings put around a model's weights, and before the names of its tensors."""

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "SAM 3": ("sam3", "detector.backbone.", "vision_backbone.", "geometry_encoder."),
    "SAM 2": ("image_encoder.trunk.", "memory_attention.", "sam_mask_decoder."),
    "SAM-HQ": ("hf_token", "hf_mlp", "compress_vit_feat", "embedding_maskfeature"),
    "MobileSAM": ("image_encoder.patch_embed.seq.", "image_encoder.layers."),
    "EfficientViT-SAM": ("image_encoder.backbone.input_stem.",),
    "SAM in transformers' layout": ("vision_encoder.",),
    "an adapted SAM": ("Adapter", "adapter", "lora_", ".linear_a_", "prompt_generator"),
}
"""Relatives of Segment Anything by parts of their tensors' names; the first that fits is it."""

_ADVICE = (
    "give a Segment Anything checkpoint (sam_vit_b_01ec64.pth, sam_vit_l_0b3195.pth or "
    "sam_vit_h_4b8939.pth), or use --segmenter tiny or slic"
)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A loaded segmenter.

    Attributes:
        sam: segment_anything `Sam` in evaluation mode, on its device, in that device's precision;
            or the graphs of the bundled one.
        id: "tiny", "vit_b", "vit_l", "vit_h", or "vit_WIDTHxDEPTH" for other sizes.
        weight_hash: SHA-256 of the weight file, in hex.
    """

    sam: Any
    id: str
    weight_hash: str


@keepable
def load_segmenter(spec: str | Path = TINY, device: str | None = None) -> Segmenter:
    """Load a segmenter.

    One of the bundled one's build runs as graphs on the CPU, without PyTorch, unless another device
    is named; others as :func:`load_sam`, which has the same arguments and errors.
    """
    path = TINY_WEIGHTS if spec == TINY else Path(spec)
    if path.suffix == SAFETENSORS and device in (None, "cpu"):
        tensors = read_tensors(path)
        if tensors is not None and is_tiny(tensors):
            return Segmenter(TinyGraphs(tensors), TINY, file_hash(path))
    return load_sam(spec, device)


def load_sam(spec: str | Path = TINY, device: str | None = None) -> Segmenter:
    """Load a `Sam` and put it on a device, in half precision if the device is fast in it.

    Args:
        spec: "tiny", the path of a Segment Anything checkpoint (.pth or .safetensors; its size is
            told by its tensors, of whatever precision), or of weights that `eie train segmenter`
            made (.safetensors).
        device: as :func:`eie.models.devices.choose_device`.

    Raises:
        MissingModelError: the weights are not there, damaged, or of another kind.
        UsageError: unknown device.
    """
    import torch

    from eie.models.sam_modeling import TwoWayTransformer

    target = choose_device(device)
    path = TINY_WEIGHTS if spec == TINY else Path(spec)
    if not path.is_file():
        raise MissingModelError("there is no such segmenter", where=str(spec), hint=_ADVICE)
    tensors = _read(path)
    if _POSITIONS in tensors:
        sam, name = _checkpoint(tensors, path)
    elif path.suffix == SAFETENSORS and _family(tensors) is None:
        sam, name = _tiny(tensors, path), TINY
    else:
        raise _foreign(_family(tensors), path)
    check_weights(sam, str(path))

    precision = half_precision(target)
    sam.eval().requires_grad_(False).to(target)
    sam.image_encoder.to(dtype=precision, memory_format=torch.channels_last)
    if isinstance(sam.mask_decoder.transformer, TwoWayTransformer):
        sam.mask_decoder.to(precision)  # a light decoder stays exact
    return Segmenter(sam, name, file_hash(path))


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file in float32, by their plain names.

    Raises:
        MissingModelError: it cannot be read, or holds no tensors.
    """
    found = _read_safetensors(path) if path.suffix == SAFETENSORS else _read_pickle(path)
    for _ in range(2):  # trainings wrap the weights, beside epochs and optimizers
        inner = [found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
        found = inner[0] if inner else found
    tensors = {key: value for key, value in found.items() if hasattr(value, "is_floating_point")}
    while prefix := next((p for p in _PREFIXES if _all_begin(tensors, p)), None):
        tensors = {key[len(prefix) :]: value for key, value in tensors.items()}
    if not tensors:
        raise MissingModelError("there are no weights in it", where=str(path), hint=_ADVICE)
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}


def _all_begin(tensors: Mapping[str, Tensor], prefix: str) -> bool:
    return bool(tensors) and all(key.startswith(prefix) for key in tensors)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise MissingModelError(
            f"the weights cannot be read: {error}", where=str(path), hint=_ADVICE
        ) from error
    return tensors


def _read_pickle(path: Path) -> Mapping[str, Any]:
    import torch

    try:
        found = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # a damaged pickle can raise anything
        if "unsupported global" in str(error).lower():
            raise MissingModelError(
                "it holds more than tensors (settings, whole objects), which could run code; save "
                "its state dict alone",
                where=str(path),
                hint=_ADVICE,
            ) from error
        raise MissingModelError(
            "the checkpoint cannot be read; it is damaged, incomplete, or no checkpoint",
            where=str(path),
            hint=_ADVICE,
        ) from error
    if not isinstance(found, Mapping):
        raise _foreign(None, path)
    return found


def _family(tensors: Mapping[str, Tensor]) -> str | None:
    """The relative of Segment Anything that has tensors of these names, if it is a known one."""
    for family, parts in _FAMILIES.items():
        if any(part in name for part in parts for name in tensors):
            return family
    return None


def _foreign(family: str | None, path: Path) -> MissingModelError:
    if family:
        return MissingModelError(
            f"this is a checkpoint of {family}, which is built otherwise than Segment Anything",
            where=str(path),
            hint=_ADVICE,
        )
    return MissingModelError(
        "this is not a Segment Anything checkpoint", where=str(path), hint=_ADVICE
    )


def _tiny(tensors: Mapping[str, Tensor], path: Path) -> Any:
    from eie.models.tiny_sam import build_tiny_sam

    sam = build_tiny_sam(objects=any(name.startswith(OBJECT_HEADS) for name in tensors))
    _fill(sam, tensors, path)
    return sam


def _checkpoint(tensors: Mapping[str, Tensor], path: Path) -> tuple[Any, str]:
    import torch

    if family := _family(tensors):
        raise _foreign(family, path)
    try:
        sam, name = _build_for(tensors)
    except (
        KeyError,
        AttributeError,
        ValueError,
        IndexError,
        RuntimeError,
        AssertionError,
        ZeroDivisionError,
        TypeError,
    ) as error:
        raise MissingModelError(
            f"not a Segment Anything checkpoint that is understood: {first_line(error)}",
            where=str(path),
            hint=_ADVICE,
        ) from error
    _fill(sam, tensors, path)
    # The normalisation is not among the tensors.
    sam.register_buffer("pixel_mean", torch.tensor(_PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    sam.register_buffer("pixel_std", torch.tensor(_PIXEL_STD).view(-1, 1, 1), persistent=False)
    return sam, name


def _fill(sam: Any, tensors: Mapping[str, Tensor], path: Path) -> None:
    wanted = sam.state_dict()
    missing, unknown = sorted(wanted.keys() - tensors), sorted(tensors.keys() - wanted)
    sizes = [n for n, t in tensors.items() if n in wanted and wanted[n].shape != t.shape]
    problems = (("lacks", missing), ("does not know", unknown), ("has another size of", sizes))
    for what, names in problems:
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise MissingModelError(
                f"the weights do not fit the model, which {what} {names[0]}{more}"
                if what == "does not know"
                else f"the weights do not fit the model: the file {what} {names[0]}{more}",
                where=str(path),
                hint=_ADVICE,
            )
    sam.load_state_dict(tensors, assign=True)


def _build_for(tensors: Mapping[str, Tensor]) -> tuple[Any, str]:
    """An empty Sam of the sizes that a checkpoint's tensors have, and the name of that size."""
    import torch

    from eie.models.sam_modeling import (
        ImageEncoderViT,
        MaskDecoder,
        PromptEncoder,
        Sam,
        TwoWayTransformer,
    )

    def size(name: str, axis: int = 0) -> int:
        return int(tensors[name].shape[axis])

    def count(prefix: str) -> int:
        numbers = [int(n[len(prefix) :].split(".")[0]) for n in tensors if n.startswith(prefix)]
        return 1 + max(numbers)

    encoder, decoder = "image_encoder", "mask_decoder"
    grid, width = size(f"{encoder}.pos_embed", 1), size(f"{encoder}.pos_embed", 3)
    depth = count(f"{encoder}.blocks.")
    patch = size(f"{encoder}.patch_embed.proj.weight", 2)
    channels = size(f"{decoder}.iou_token.weight", 1)
    # A block's table of relative positions has 2·side − 1 rows: side of its window or of the grid.
    sides = [(size(f"{encoder}.blocks.{i}.attn.rel_pos_h") + 1) // 2 for i in range(depth)]
    layer = f"{decoder}.transformer.layers.0"
    narrowing = channels // size(f"{layer}.cross_attn_token_to_image.q_proj.weight")

    with torch.device("meta"):  # the tensors of the checkpoint take the places
        sam = Sam(
            image_encoder=ImageEncoderViT(
                img_size=grid * patch,
                patch_size=patch,
                embed_dim=width,
                depth=depth,
                num_heads=width // size(f"{encoder}.blocks.0.attn.rel_pos_h", 1),
                mlp_ratio=size(f"{encoder}.blocks.0.mlp.lin1.weight") / width,
                out_chans=size(f"{encoder}.neck.0.weight"),
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                use_rel_pos=True,
                window_size=min(sides),
                global_attn_indexes=tuple(i for i, side in enumerate(sides) if side == grid),
            ),
            prompt_encoder=PromptEncoder(
                embed_dim=channels,
                image_embedding_size=(grid, grid),
                input_image_size=(grid * patch, grid * patch),
                mask_in_chans=size("prompt_encoder.mask_downscaling.3.weight"),
            ),
            mask_decoder=MaskDecoder(
                transformer_dim=channels,
                transformer=TwoWayTransformer(
                    depth=count(f"{decoder}.transformer.layers."),
                    embedding_dim=channels,
                    num_heads=_DECODER_HEADS,
                    mlp_dim=size(f"{layer}.mlp.lin1.weight"),
                    attention_downsample_rate=narrowing,
                ),
                num_multimask_outputs=size(f"{decoder}.mask_tokens.weight") - 1,
                iou_head_depth=count(f"{decoder}.iou_prediction_head.layers."),
                iou_head_hidden_dim=size(f"{decoder}.iou_prediction_head.layers.0.weight"),
            ),
        )
    return sam, _KNOWN_SIZES.get((width, depth), f"vit_{width}x{depth}")
