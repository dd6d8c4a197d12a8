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
from eie.models.weight_hash import file_hash

if TYPE_CHECKING:
    from torch import Tensor

TINY = "tiny"
TINY_WEIGHTS = Path(__file__).parent / "weights" / "tiny-segmenter.safetensors"

_KNOWN_SIZES = {(768, 12): "vit_b", (1024, 24): "vit_l", (1280, 32): "vit_h"}
"""Segment Anything's names by (width, depth) of the image encoder."""

_DECODER_HEADS = 8  # of every Segment Anything model; the one size that no tensor tells
_PIXEL_MEAN, _PIXEL_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

_ADVICE = (
    "give a Segment Anything checkpoint (sam_vit_b_01ec64.pth, sam_vit_l_0b3195.pth or "
    "sam_vit_h_4b8939.pth), or use --segmenter tiny or slic"
)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A loaded segmenter.

    Attributes:
        sam: segment_anything `Sam` in evaluation mode, on its device, in that device's precision.
        id: "tiny", "vit_b", "vit_l", "vit_h", or "vit_WIDTHxDEPTH" for other sizes.
        weight_hash: SHA-256 of the weight file, in hex.
    """

    sam: Any
    id: str
    weight_hash: str


def load_segmenter(spec: str | Path = TINY, device: str | None = None) -> Segmenter:
    """Load a segmenter and put it on a device, in half precision if the device is fast in it.

    Args:
        spec: "tiny", the path of a Segment Anything checkpoint (.pth; its size is told by its
            tensors), or of weights that `eie train segmenter` made (.safetensors).
        device: as :func:`eie.models.devices.choose_device`.

    Raises:
        MissingModelError: the weights are not there, damaged, or of another kind.
        UsageError: unknown device.
    """
    import torch
    from segment_anything.modeling import TwoWayTransformer

    target = choose_device(device)
    path = TINY_WEIGHTS if spec == TINY else Path(spec)
    if not path.is_file():
        raise MissingModelError("there is no such segmenter", where=str(spec), hint=_ADVICE)
    if path.suffix == ".safetensors":
        sam, name = _load_tiny(path), TINY
    else:
        sam, name = _load_checkpoint(path)

    precision = half_precision(target)
    sam.eval().requires_grad_(False).to(target)
    sam.image_encoder.to(dtype=precision, memory_format=torch.channels_last)
    if isinstance(sam.mask_decoder.transformer, TwoWayTransformer):
        sam.mask_decoder.to(precision)  # a light decoder stays exact
    return Segmenter(sam, name, file_hash(path))


def _load_tiny(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from eie.models.tiny_sam import build_tiny_sam

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise MissingModelError(
            f"the weights cannot be read: {error}", where=str(path), hint=_ADVICE
        ) from error
    sam = build_tiny_sam()
    _fill(sam, {name: tensor.float() for name, tensor in tensors.items()}, path)
    return sam


def _load_checkpoint(path: Path) -> tuple[Any, str]:
    import torch

    try:
        tensors = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # a damaged pickle can raise anything
        raise MissingModelError(
            "the checkpoint cannot be read; it is damaged, incomplete, or no checkpoint",
            where=str(path),
            hint=_ADVICE,
        ) from error
    if not isinstance(tensors, Mapping) or "image_encoder.pos_embed" not in tensors:
        raise MissingModelError(
            "this is not a Segment Anything checkpoint", where=str(path), hint=_ADVICE
        )
    try:
        sam, name = _build_for(tensors)
    except (
        KeyError,
        AttributeError,
        ValueError,
        IndexError,
        RuntimeError,
        AssertionError,
    ) as error:
        raise MissingModelError(
            f"not a Segment Anything checkpoint that is understood: {error}",
            where=str(path),
            hint=_ADVICE,
        ) from error
    _fill(sam, tensors, path)
    # The normalisation is not among the tensors.
    sam.register_buffer("pixel_mean", torch.tensor(_PIXEL_MEAN).view(-1, 1, 1), persistent=False)
    sam.register_buffer("pixel_std", torch.tensor(_PIXEL_STD).view(-1, 1, 1), persistent=False)
    return sam, name


def _fill(sam: Any, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        sam.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        first, *problems = str(error).splitlines()
        raise MissingModelError(
            f"the weights do not fit the model: {problems[0].strip() if problems else first}",
            where=str(path),
            hint=_ADVICE,
        ) from error


def _build_for(tensors: Mapping[str, Tensor]) -> tuple[Any, str]:
    """An empty Sam of the sizes that a checkpoint's tensors have, and the name of that size."""
    import torch
    from segment_anything.modeling import (
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
