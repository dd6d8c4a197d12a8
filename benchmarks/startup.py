"""How long `eie edit` takes, against importing its two largest dependencies.

    python -m benchmarks.startup [--output build/bench]

The ratio is what counts; runs of the two take turns, so that both meet the same machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from skimage import data

import eie
from benchmarks import run
from eie.elements import ElementSet, Source

ROUNDS = 15
SIDE = 16
"""Elements along each side of the photo: 256 in all."""

LIMIT = 4.0


def measure() -> dict[str, float | str]:
    """Median seconds of both, and their ratio, at most `LIMIT`."""
    base = [sys.executable, "-c", "import typer, h5py"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.h5"
        write_example(file)
        edit = [sys.executable, "-m", "eie", "edit", str(file), "--move", "12", "+1,0"]
        rounds = [(seconds(base), seconds(edit)) for _ in range(ROUNDS)]
    imports, edits = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {
        "import_typer_h5py_s": imports,
        "eie_edit_256_s": edits,
        "ratio": edits / imports,
        "ratio_limit": LIMIT,
    }


def write_example(target: Path) -> None:
    """An element file of a 512×512 photo cut into 16×16 squares."""
    photo = data.astronaut()
    row, column = (np.arange(size) * SIDE // size for size in photo.shape[:2])
    label_map = row[:, None] * SIDE + column
    eie.save(ElementSet.from_source(Source.from_label_map(label_map, pixels=photo)), target)


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    run("startup", __doc__, measure)
