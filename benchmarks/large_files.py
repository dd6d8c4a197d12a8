"""What `eie info`, `edit` and `validate` take for the largest element files.

    python -m benchmarks.large_files [--output build/bench]

One file of 65,535 elements, the most there may be of one photo, and one of 178 megapixels, the most
that photos are read with. Each command is a process: processor seconds and peak memory.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import eie
from benchmarks import run
from eie.elements import ElementSet, Source

SHAPES = {"65535_elements": (771, 1020, 3, 4), "178_megapixels": (10_864, 16_384, 679, 1024)}
"""Height, width, and height and width of an element."""

COMMANDS = {
    "info": ["info"],
    "edit": ["edit", "--move", "12", "+8,0"],
    "edit_box": ["edit", "--delete", "box:0,0,25%,25%"],
    "validate": ["validate"],
}


def measure() -> dict[str, float | str]:
    """Processor seconds and peak megabytes of each command on each file."""
    results: dict[str, float | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            file = Path(folder) / f"{name}.h5"
            child = os.fork()  # its memory would count for the processes that it starts
            if not child:
                write_example(file, *shape)
                os._exit(0)
            os.waitpid(child, 0)
            results[f"{name}_file_mb"] = round(file.stat().st_size / 1e6, 1)
            for command, words in COMMANDS.items():
                seconds, peak = cost([words[0], str(file), *words[1:]])
                results[f"{name}_{command}_s"] = round(seconds, 2)
                results[f"{name}_{command}_mb"] = round(peak / 1e6)
    return results


def write_example(target: Path, height: int, width: int, rows: int, columns: int) -> None:
    """An element file of noise in steps, cut into rectangles."""
    row, column = np.arange(height) // rows, np.arange(width) // columns
    label_map = (row[:, None] * (column[-1] + 1) + column).astype(np.uint16)
    label_map = np.minimum(label_map, 65_534)
    noise = np.random.default_rng(0).integers(
        0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8
    )
    photo = noise.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    eie.save(ElementSet.from_source(Source.from_label_map(label_map, pixels=photo)), target)


def cost(arguments: list[str]) -> tuple[float, int]:
    """Processor seconds and peak bytes of a command."""
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execv(sys.executable, [sys.executable, "-m", "eie", *arguments])
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"eie {' '.join(arguments)}: {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


if __name__ == "__main__":
    run("large_files", __doc__, measure)
