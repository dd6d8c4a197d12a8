"""The one training loop of all stages.

A run folder holds `options.json`, `metrics.csv`, TensorBoard's event file, `samples/` and
`checkpoint/` (safetensors and a JSON file). The same command resumes a run exactly: batches follow
from the seed and the step, everything else is in the checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from eie.errors import UsageError
from eie.models.devices import choose_device, half_precision, keep_freed_memory
from eie.train.core.checkpoint import averaged_weights, claim, restore, save
from eie.train.core.log import RunLog
from eie.train.core.settings import LoopSettings, Precision


class Stage(Protocol):
    """What one kind of training brings to the loop."""

    @property
    def model(self) -> nn.Module:
        """The module that is trained; its state dict is what a run hands out."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """AdamW's parameter groups, each with its highest learning rate `lr`."""

    def batch(self, step: int) -> Any:
        """The batch of that number, a pure function of it; runs in worker processes.

        A step takes one batch, or as many as processes and accumulated gradients make of it.
        """

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to descend and its parts to log, all of them scalars."""

    def samples(self, model: nn.Module, batch: Any) -> dict[str, np.ndarray]:
        """Pictures (H, W, 3) uint8 of what the model makes of a batch, by name."""


AnyStage = TypeVar("AnyStage", bound=Stage)


@dataclass(frozen=True)
class NumberedBatches:
    """This process's batches among those of all; goes to workers however they are started.

    Attributes:
        draw: the batch of a number.
        world, rank: how many processes there are, and which this is.
    """

    draw: Callable[[int], Any]
    world: int
    rank: int

    def __call__(self, number: int) -> Any:
        return self.draw(number * self.world + self.rank)


class StepBatches(torch.utils.data.Dataset[Any]):
    """The batches from one step to another as a map-style dataset."""

    def __init__(self, draw: Callable[[int], Any], first: int, last: int) -> None:
        self.draw, self.first, self.last = draw, first, last

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> Any:
        return self.draw(self.first + index)


def train_stage(
    run: Path,
    options: dict[str, Any],
    settings: LoopSettings,
    make: Callable[[], AnyStage],
    hand_out: Callable[[AnyStage], None],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train a stage on images, or go on with the run in `run`, and hand its averaged weights out.

    What all trainings have in common; each is called as `train_X(folders, run, settings, dry_run)`:
    `folders` are of images, recognised by their layout (:mod:`eie.train.core.images`), `settings`
    None for the `tiny` preset, and `dry_run` checks everything, but trains and writes nothing.

    Args:
        run: the run folder.
        options: all that determines the run.
        make: the stage, with the weights that it starts from.
        hand_out: writes the stage's model, of averaged weights, where people take it from.

    Returns:
        The options.

    Raises:
        BadInputError: a folder or image cannot be read.
        UsageError: too little to train on, senseless settings, or `run` holds another run.
        MissingModelError: weights that it starts from are not there.
    """
    if not dry_run:
        stage = make()
        train(stage, settings, run, options)
        stage.model.load_state_dict(averaged_weights(run))
        hand_out(stage)
    return options


def train(
    stage: Stage,
    settings: LoopSettings,
    run: Path,
    options: dict[str, Any],
    stop_after: int | None = None,
) -> None:
    """Train a stage in a run folder, or go on with the run that the folder holds.

    Started by `accelerate launch`, it runs in all of its processes, each with batches of its own;
    the first one writes.

    Args:
        stage: model, data and loss.
        settings: of the loop.
        run: the run folder; created if need be.
        options: everything that determines the run, saved in it and compared on resuming.
        stop_after: leave after that step, having saved a checkpoint; the schedule stays that of
            the whole run.

    Raises:
        UsageError: the folder holds a run with other options.
        BadInputError: the folder's checkpoint is damaged.
    """
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    keep_freed_memory()
    precision = mixed_precision(settings.precision, choose_device())
    accelerator = Accelerator(
        mixed_precision=precision, gradient_accumulation_steps=settings.accumulate
    )
    with accelerator.main_process_first():
        claim(run, options)
    set_seed(settings.seed)
    optimizer = torch.optim.AdamW(stage.parameter_groups(), weight_decay=settings.weight_decay)
    peaks = [group["lr"] for group in optimizer.param_groups]
    model, optimizer = accelerator.prepare(stage.model, optimizer)
    plain = accelerator.unwrap_model(model)  # the same weights, not spread over processes
    average = torch.optim.swa_utils.AveragedModel(plain)
    step = restore(run, plain, average, optimizer)
    last = settings.steps if stop_after is None else min(stop_after, settings.steps)
    show_batch = stage.batch(-1)
    batches = _batches(stage, settings, step, last, accelerator)

    with RunLog(run, step, settings.steps) if accelerator.is_main_process else nullcontext() as log:
        if log:
            log.note(f"training on {accelerator.device}, mixed precision: {precision}")
        while step < last:
            started = time.perf_counter()
            rate = learning_rate(step, settings)
            _set_rates(optimizer, peaks, rate)
            model.train()
            seed = settings.seed * settings.steps + step
            numbers = _descend(accelerator, stage, model, optimizer, batches, settings, seed)
            _stop_if_apart(numbers, accelerator.scaler is not None, step, run)
            _update_average(average, plain, step, settings.ema_decay)
            step += 1
            if not log:
                continue

            due = partial(_is_due, step, last)
            numbers |= {
                "learning_rate": rate * max(peaks),
                "seconds": time.perf_counter() - started,
            }
            log.step(step, numbers, write=due(settings.log_every))
            if due(settings.sample_every):
                with torch.no_grad(), accelerator.autocast():
                    average.module.eval()
                    log.pictures(step, stage.samples(average.module, show_batch))
            if due(settings.save_every):
                _stop_if_not_finite(plain, step, run)
                save(run, plain, average, optimizer, step)
    accelerator.wait_for_everyone()
    # Without it a process that ends while another still talks to it may abort.
    accelerator.end_training()


def _set_rates(optimizer: Any, peaks: list[float], share: float) -> None:
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * share


def _is_due(step: int, last: int, every: int) -> bool:
    return step % every == 0 or step == last


def _descend(
    accelerator: Any,
    stage: Stage,
    model: nn.Module,
    optimizer: Any,
    batches: Iterator[Any],
    settings: LoopSettings,
    seed: int,
) -> dict[str, float]:
    """One step of the optimizer, over `settings.accumulate` batches; their mean numbers."""
    sums: dict[str, Tensor] = {}
    for part in range(settings.accumulate):
        batch = next(batches)
        # What a stage draws at random follows from the step, as its batches do.
        draw = seed * settings.accumulate + part
        torch.manual_seed(draw * accelerator.num_processes + accelerator.process_index)
        # accelerate divides the loss, and holds the optimizer back until the last batch.
        with accelerator.accumulate(model):
            with accelerator.autocast():
                loss, parts = stage.loss(model, batch)
            accelerator.backward(loss)
            numbers = {"loss": loss, **parts}
            if accelerator.sync_gradients:
                numbers["gradient_norm"] = settings.accumulate * accelerator.clip_grad_norm_(
                    model.parameters(), settings.max_norm
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        for name, number in numbers.items():
            sums[name] = sums[name] + number.detach() if name in sums else number.detach()
    return {name: float(total) / settings.accumulate for name, total in sums.items()}


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


def mixed_precision(precision: Precision, device: torch.device) -> str:
    """The precision of a run on a device, in accelerate's words: "bf16", "fp16" or "no".

    Raises:
        UsageError: the device cannot run the one asked for; accelerate would run another, silently.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UsageError(
            "fp16 cannot be trained on a CPU: it would run in full precision all the same",
            hint="choose --precision auto, bf16 or no",
        )
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UsageError(
            "this GPU does not compute in bf16", hint="choose --precision auto, fp16 or no"
        )
    if precision == "bf16" and device.type == "mps":
        raise UsageError("bf16 is not for Apple's GPUs", hint="choose --precision auto, fp16 or no")
    if precision != "auto":
        return precision
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(half_precision(device), "no")


def learning_rate(step: int, settings: LoopSettings) -> float:
    """Share of the highest learning rate at a step: linear warm-up, then a cosine to zero."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def _batches(
    stage: Stage, settings: LoopSettings, first: int, last: int, accelerator: Any
) -> Iterator[Any]:
    """This process's batches of the steps from `first` until `last`, prepared ahead by workers.

    The batches of a step are numbered through: over those accumulated, then over processes.
    """
    world, rank = accelerator.num_processes, accelerator.process_index
    loader = torch.utils.data.DataLoader(
        StepBatches(
            NumberedBatches(stage.batch, world, rank),
            first * settings.accumulate,
            last * settings.accumulate,
        ),
        batch_size=None,
        num_workers=settings.workers,
        prefetch_factor=4 if settings.workers else None,
    )
    return iter(loader)


def _stop_if_apart(numbers: dict[str, float], scaled: bool, step: int, run: Path) -> None:
    """Stop a run whose loss or gradients are no numbers any more, before they reach a checkpoint.

    Args:
        numbers: of the step.
        scaled: whether the loss is scaled for fp16: gradients that overflow are passed over then.
        step: its number, from 0.

    Raises:
        UsageError: they are not finite.
    """
    watched = ("loss",) if scaled else ("loss", "gradient_norm")
    for name in watched:
        if not math.isfinite(numbers.get(name, 0.0)):
            raise _came_apart(f"the {name.replace('_', ' ')} is {numbers[name]}", step, run)


def _stop_if_not_finite(model: nn.Module, step: int, run: Path) -> None:
    """Stop a run before weights that are not finite are saved.

    Raises:
        UsageError: some are not.
    """
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise _came_apart(f"{name} is not finite", step - 1, run)


def _came_apart(what: str, step: int, run: Path) -> UsageError:
    state = run / "checkpoint" / "state.json"
    kept = "no checkpoint was saved yet"
    if state.exists():
        saved = json.loads(state.read_text(encoding="utf-8"))["step"]
        kept = f"the checkpoint of step {saved} is kept"
    return UsageError(
        f"the training came apart in step {step + 1}: {what}; {kept}",
        where=str(run),
        hint="try lower rates, a larger --batch or --precision no, in another folder; start there "
        "from this run's weights with --start if the training has it",
    )


def _update_average(
    average: torch.optim.swa_utils.AveragedModel, model: nn.Module, step: int, decay: float
) -> None:
    """One step of the exponential average, which forgets the initial weights faster."""
    early = min(decay, (1 + step) / (10 + step))
    average.multi_avg_fn = torch.optim.swa_utils.get_ema_multi_avg_fn(early)
    average.update_parameters(model)
