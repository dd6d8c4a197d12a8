"""Where models run and in which precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eie.errors import MissingModelError, UsageError

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MOST_ARENAS = -1, -3, -8
"""glibc's numbers of these options of `mallopt`."""


def choose_device(name: str | None = None) -> torch.device:
    """The named device ("cpu", "cuda", "cuda:1", "mps"), or the fastest present.

    Raises:
        UsageError: no such kind of device.
        MissingModelError: the device is not there, or this PyTorch cannot use it.
    """
    import torch

    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"unknown device '{name}'", hint="choose cpu, cuda, cuda:N or mps")
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }[device.type]
    if not present:
        raise MissingModelError(
            f"device '{name}' is not available", hint="leave --device out, or use cpu"
        )
    return device


def half_precision(device: torch.device) -> torch.dtype:
    """The type for large matrix products: bfloat16 or float16 if the device is fast in it.

    float32 on CPUs without bfloat16 instructions, where half precision is emulated and slow.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def keep_freed_memory() -> None:
    """Make the C library keep what is freed, instead of giving it back to the system.

    A training step on a CPU allocates the same tensors every time. To get each anew from the
    system, page by page, costs it up to a fifth of its time. For processes that run for long: their
    memory stays at its peak. Does nothing where the C library is not glibc.
    """
    _set_malloc({_MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: 2**31 - 1})


def give_freed_memory_back() -> None:
    """Make the C library give what is freed back to the system, as it does by itself.

    For processes that wait for long between two pieces of work. Threads share two arenas, as each
    keeps some of what was freed.
    """
    _set_malloc({_MMAP_THRESHOLD: 2**17, _TRIM_THRESHOLD: 2**17, _MOST_ARENAS: 2})


def _set_malloc(options: Mapping[int, int]) -> None:
    """Set options of `mallopt`, where the C library is glibc."""
    import ctypes

    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for option, value in options.items():
        set_option(option, value)


def _cpu_has_bfloat16() -> bool:
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)
