"""What the trainings of the segmenter and of its object head share."""

from __future__ import annotations

from pathlib import Path

from torch import nn

# Long side to which photos are scaled down when they are read.
MAX_PHOTO_SIDE = 800

# Where a run hands out its weights.
WEIGHTS_NAME = "tiny-segmenter.safetensors"


def save_segmenter(sam: nn.Module, path: Path) -> None:
    """Write a tiny segmenter as the product embeds it: float16, the Sam's own names."""
    from safetensors.torch import save_file

    half = {name: tensor.half().contiguous() for name, tensor in sam.state_dict().items()}
    save_file(half, path, metadata={"format": "pt", "model": "eie-tiny-segmenter"})
