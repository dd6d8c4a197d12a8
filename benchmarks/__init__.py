"""Benchmarks: each a module that runs by itself and compares with a peer in the same run."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path


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
