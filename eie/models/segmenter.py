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


class _Sizes:
    """The sizes of the model that a checkpoint's tensors are of."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        # A block's table of relative positions has 2·side − 1 rows: side of its window or the grid.
        blocks = range(self.count("image_encoder.blocks."))
        positions = (f"image_encoder.blocks.{block}.attn.rel_pos_h" for block in blocks)
        self.sides = [(self.size(name) + 1) // 2 for name in positions]
        self.grid, self.width = self.size(_POSITIONS, 1), self.size(_POSITIONS, 3)
        self.patch = self.size("image_encoder.patch_embed.proj.weight", 2)
        self.channels = self.size("mask_decoder.iou_token.weight", 1)

    def size(self, name: str, axis: int = 0) -> int:
        """Of a tensor along an axis."""
        return int(self.tensors[name].shape[axis])

    def count(self, prefix: str) -> int:
        """How many parts are numbered behind a prefix."""
        ends = (name[len(prefix) :] for name in self.tensors if name.startswith(prefix))
        return 1 + max(int(end.split(".")[0]) for end in ends)


def _build_for(tensors: Mapping[str, Tensor]) -> tuple[Any, str]:
    """An empty Sam of the sizes that a checkpoint's tensors have, and the name of that size."""
    import torch

    from eie.models.sam_modeling import PromptEncoder, Sam

    sizes = _Sizes(tensors)
    grid, side, depth = sizes.grid, sizes.grid * sizes.patch, len(sizes.sides)
    with torch.device("meta"):  # the tensors of the checkpoint take the places
        sam = Sam(
            image_encoder=_image_encoder(sizes),
            prompt_encoder=PromptEncoder(
                embed_dim=sizes.channels,
                image_embedding_size=(grid, grid),
                input_image_size=(side, side),
                mask_in_chans=sizes.size("prompt_encoder.mask_downscaling.3.weight"),
            ),
            mask_decoder=_mask_decoder(sizes),
        )
    return sam, _KNOWN_SIZES.get((sizes.width, depth), f"vit_{sizes.width}x{depth}")


def _image_encoder(sizes: _Sizes) -> Any:
    import torch

    from eie.models.sam_modeling import ImageEncoderViT

    block, size = "image_encoder.blocks.0", sizes.size
    return ImageEncoderViT(
        img_size=sizes.grid * sizes.patch,
        patch_size=sizes.patch,
        embed_dim=sizes.width,
        depth=len(sizes.sides),
        num_heads=sizes.width // size(f"{block}.attn.rel_pos_h", 1),
        mlp_ratio=size(f"{block}.mlp.lin1.weight") / sizes.width,
        out_chans=size("image_encoder.neck.0.weight"),
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=min(sizes.sides),
        global_attn_indexes=tuple(i for i, s in enumerate(sizes.sides) if s == sizes.grid),
    )


def _mask_decoder(sizes: _Sizes) -> Any:
    from eie.models.sam_modeling import MaskDecoder, TwoWayTransformer

    layers, heads = "mask_decoder.transformer.layers.", "mask_decoder.iou_prediction_head.layers."
    size, count, channels = sizes.size, sizes.count, sizes.channels
    return MaskDecoder(
        transformer_dim=channels,
        transformer=TwoWayTransformer(
            depth=count(layers),
            embedding_dim=channels,
            num_heads=_DECODER_HEADS,
            mlp_dim=size(f"{layers}0.mlp.lin1.weight"),
            attention_downsample_rate=channels
            // size(f"{layers}0.cross_attn_token_to_image.q_proj.weight"),
        ),
        num_multimask_outputs=size("mask_decoder.mask_tokens.weight") - 1,
        iou_head_depth=count(heads),
        iou_head_hidden_dim=size(f"{heads}0.weight"),
    )
