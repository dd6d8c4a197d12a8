"""What decoders that sample have in common: schedulers, seeds, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from eie.errors import UsageError
from eie.rendering.anchored import Progress

if TYPE_CHECKING:
    import torch

SCHEDULERS: Mapping[str, str] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-a": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lms": "LMSDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""diffusers' samplers by their common short names."""


def check_sampling(steps: int, scheduler: str | None) -> None:
    """Refuse settings that make no sense.

    Raises:
        UsageError: no steps, or no such scheduler.
    """
    if steps < 1:
        raise UsageError(f"{steps} denoising steps, at least 1 is needed")
    if scheduler is not None and scheduler not in SCHEDULERS:
        raise UsageError(f"no scheduler '{scheduler}'", hint=f"there is: {', '.join(SCHEDULERS)}")


def use_scheduler(pipeline: Any, scheduler: str | None) -> None:
    """Give a pipeline another scheduler by its short name, with the noise schedule it has."""
    import diffusers

    if scheduler is not None:
        kind = getattr(diffusers, SCHEDULERS[scheduler])
        pipeline.scheduler = kind.from_config(pipeline.scheduler.config)


def generators_of(seed: int, count: int) -> list[torch.Generator]:
    """One a variation, on the CPU, so that a seed means the same noise on every device."""
    import torch

    return [torch.Generator().manual_seed(seed + index) for index in range(count)]


def part_of(progress: Progress | None, index: int, parts: int) -> Progress:
    """The progress of one of several parts, as progress of the whole."""

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(index * total + done, parts * total)

    return report


def reporting(report: Progress) -> Callable[..., dict[str, Any]]:
    """A callback for diffusers that reports every step."""

    def step(pipe: Any, index: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        report(index + 1, len(pipe.scheduler.timesteps))
        return tensors

    return step
