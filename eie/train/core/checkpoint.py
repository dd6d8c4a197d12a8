"""What a run folder keeps so that its command goes on: options and checkpoints.

RUN/options.json     all that determines the run
RUN/checkpoint/      weights, their average and the optimizer's state (safetensors), the step
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eie.errors import BadInputError
from eie.files import run_folders
from eie.train.core.images import Folder

# Long side to which photos are scaled down when they are read.
MAX_PHOTO_SIDE = 800

# Where a run hands out its weights.
WEIGHTS_NAME = "tiny-segmenter.safetensors"


def save_segmenter(sam: nn.Module, path: Path) -> None:
    """Write a tiny segmenter as the product embeds it: float16, the Sam's own names."""
    from safetensors.torch import save_file

    half = {name: tensor.half().contiguous() for name, tensor in sam.state_dict().items()}
    save_file(half, path, metadata={"format": "pt", "model": "eie-tiny-segmenter"})


def run_options(
    stage: str, folders: Sequence[Folder], settings: Any, **found: Any
) -> dict[str, Any]:
    """All that determines a run, to be saved and compared on resuming.

    Args:
        stage: its name.
        settings: the stage's dataclass.
        found: how many images the folders hold.
    """
    return {"stage": stage, "data": list(map(str, folders)), **found, **asdict(settings)}


def claim(run: Path, options: dict[str, Any]) -> None:
    """Save the options in a new run folder, or compare with those of the run it holds."""
    run_folders.claim(run / "options.json", options, "run")


def has_checkpoint(run: Path) -> bool:
    """Whether a run folder holds a checkpoint to go on from."""
    return any((run / name).exists() for name in ("checkpoint", "old"))


def averaged_weights(run: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's last checkpoint.

    Raises:
        BadInputError: the folder holds no checkpoint, or a damaged one.
    """
    return _read_tensors(run / "checkpoint" / "average.safetensors")


def load_fitting(model: nn.Module, path: Path) -> None:
    """Set those tensors of a model that a safetensors file has in the same size.

    Raises:
        BadInputError: the file cannot be read, none of its tensors fits, or one that does holds
            what is no finite number.
    """
    wanted = model.state_dict()
    fitting = {
        name: tensor
        for name, tensor in _read_tensors(path).items()
        if name in wanted and wanted[name].shape == tensor.shape
    }
    if not fitting:
        raise BadInputError("none of its tensors fits the model", where=str(path))
    for name, tensor in fitting.items():
        if not bool(tensor.isfinite().all()):
            raise BadInputError(f"{name} holds what is no finite number", where=str(path))
    model.load_state_dict(fitting, strict=False)


def save(
    run: Path,
    model: nn.Module,
    average: torch.optim.swa_utils.AveragedModel,
    optimizer: Any,
    step: int,
) -> None:
    """Replace the run's checkpoint; an interruption leaves the old or the new one."""
    from safetensors.torch import save_file

    partial, checkpoint, old = (run / name for name in ("partial", "checkpoint", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    save_file(_dense(model.state_dict()), partial / "model.safetensors")
    save_file(_dense(average.module.state_dict()), partial / "average.safetensors")
    moments = {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    save_file(_dense(moments), partial / "optimizer.safetensors")
    (partial / "state.json").write_text(json.dumps({"step": step}) + "\n", encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if checkpoint.exists():
        checkpoint.rename(old)
    partial.rename(checkpoint)
    shutil.rmtree(old, ignore_errors=True)


def restore(
    run: Path, model: nn.Module, average: torch.optim.swa_utils.AveragedModel, optimizer: Any
) -> int:
    """Load the run's checkpoint if it has one; the step it was saved after, else 0."""
    checkpoint, old = run / "checkpoint", run / "old"
    if old.exists() and not checkpoint.exists():
        old.rename(checkpoint)
    if not checkpoint.exists():
        return 0
    model.load_state_dict(_read_tensors(checkpoint / "model.safetensors"))
    average.module.load_state_dict(_read_tensors(checkpoint / "average.safetensors"))
    average.n_averaged.fill_(1)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _read_tensors(checkpoint / "optimizer.safetensors").items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    try:
        return int(json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError(f"damaged checkpoint: {error}", where=str(checkpoint)) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.is_dir():
        raise BadInputError("is a folder", where=str(path), hint="name a .safetensors file in it")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"no readable checkpoint: {error}", where=str(path)) from error


def _dense(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Own, row-major copies, as safetensors needs them."""
    return {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
