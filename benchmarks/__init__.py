"""Benchmarks: each a module that runs by itself and compares with a peer in the same run."""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.3
"""How often memory is looked at."""


def run(name: str, about: str, measure: Callable[[], dict[str, float | str]]) -> None:
    """Measure, print what was measured and, given `--output DIR`, write it to NAME.json there."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--output", type=Path, help=f"folder for {name}.json")
    arguments = parser.parse_args()
    results = measure()
    for key, value in results.items():
        print(f"{key}: {value if isinstance(value, str) else f'{value:.3g}'}", flush=True)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, indent=2) + "\n"
        (arguments.output / f"{name}.json").write_text(text)


def peak_bytes() -> int:
    """Most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands a parent's peak down in ru_maxrss; this one is the process's own.
        (line,) = (text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cost_of(work: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    """What a function costs with all processes that it starts, their children too.

    Returns:
        Seconds of processors and of the wall, megabytes of the largest process and of all at one
        time, what they share counted once.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:  # whose children are of this work alone
        return pool.submit(_cost, work, arguments).result()


def _cost(work: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, float]:
    if sys.platform == "linux":
        adopt = 36  # PR_SET_CHILD_SUBREAPER: what Ray leaves behind becomes this process's to count
        ctypes.CDLL(None).prctl(adopt, 1, 0, 0, 0)
    ended = threading.Event()
    seen = _Seen()
    watcher = threading.Thread(target=_watch, args=(seen, ended))
    watcher.start()
    start = time.perf_counter()
    work(*arguments)
    wall = time.perf_counter() - start
    ended.set()
    watcher.join()
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    # Of processes that nobody waits for, as Ray's workers, the system tells nothing in the end.
    return {
        "cpu_s": max(used.ru_utime + used.ru_stime, sum(seen.seconds.values())),
        "wall_s": wall,
        "largest_mb": max(largest, seen.largest) / 1e6,
        "together_mb": seen.together / 1e6,
    }


@dataclass
class _Seen:
    """What was seen of children: processor seconds by process, and bytes."""

    seconds: dict[int, float] = field(default_factory=dict)
    largest: int = 0
    together: int = 0


def _watch(seen: _Seen, ended: threading.Event) -> None:
    """Note what all children use, as long as they are there."""
    import psutil

    me = psutil.Process()
    while not ended.wait(SAMPLE_SECONDS):
        together = 0
        for child in me.children(recursive=True):
            with suppress(psutil.Error):
                times, memory = child.cpu_times(), child.memory_full_info()
                seen.seconds[child.pid] = times.user + times.system
                seen.largest = max(seen.largest, memory.rss)
                together += memory.pss
        seen.together = max(seen.together, together)
