"""What many photos cost: a loop of commands beside `eie run` with one worker and two.

    python -m benchmarks.many [--output build/bench]

Each takes the same 20 photos of 512×384 apart, deletes what is in the middle, and renders them.
Processor seconds and wall seconds of all processes, and the most memory that one of them held.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from skimage import data

from benchmarks import run

COUNT = 20
SELECTION = "object@50%,50%"
EIE = [sys.executable, "-m", "eie"]

Cost = dict[str, float]


def measure() -> dict[str, float | str]:
    """Seconds, bytes, and ratios to the loop's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos")
        recipe = {
            "format": "eie-recipe",
            "version": 1,
            "edit": [{"operation": "delete", "selection": SELECTION}],
        }
        (folder / "recipe.json").write_text(json.dumps(recipe))
        costs = {
            "loop": in_own_process(loop, folder),
            "run_1": in_own_process(by_run, folder, 1),
            "run_2": in_own_process(by_run, folder, 2),
        }
        pictures = [path.name for path in sorted((folder / "photos").iterdir())]
        for name in ("run_1", "run_2"):
            made = [(folder / which / p).read_bytes() for which in ("loop", name) for p in pictures]
            if made[:COUNT] != made[COUNT:]:
                raise SystemExit(f"{name} made other pictures than the loop")
    found: dict[str, float | str] = {
        f"{name}_{what}": value for name, cost in costs.items() for what, value in cost.items()
    }
    for name in ("run_1", "run_2"):
        for what in ("cpu_s", "wall_s"):
            found[f"{name}_{what}_to_loop"] = costs[name][what] / costs["loop"][what]
    found["rate_2_to_1"] = costs["run_1"]["wall_s"] / costs["run_2"]["wall_s"]
    return found


def in_own_process(work: Callable[..., Cost], *arguments: object) -> Cost:
    """The result of a function run in a new process, so that what its children used is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def write_photos(folder: Path) -> None:
    """Different parts of four photos of scikit-image."""
    folder.mkdir()
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    for n in range(COUNT):
        photo = Image.fromarray(photos[n % 4])
        cut = photo.crop((n, n, photo.width - n, photo.height - n))
        cut.resize((512, 384), Image.Resampling.LANCZOS).save(folder / f"{n:02}.png")


def loop(folder: Path) -> Cost:
    """Three commands a photo."""
    (folder / "loop").mkdir()
    elements = folder / "photo.h5"

    def work() -> None:
        for photo in sorted((folder / "photos").iterdir()):
            for arguments in (
                ["decompose", photo, "-o", elements],
                ["edit", elements, "--delete", SELECTION],
                ["render", elements, "-o", folder / "loop" / photo.name],
            ):
                command(arguments)

    return cost_of(work)


def by_run(folder: Path, workers: int) -> Cost:
    """One command."""
    output = folder / f"run_{workers}"
    arguments = ["run", folder / "recipe.json", folder / "photos", "-o", output]
    return cost_of(lambda: command([*arguments, "--workers", workers]))


def command(arguments: list[object]) -> None:
    subprocess.run(
        [*EIE, *map(str, arguments)],
        check=True,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def cost_of(work: Callable[[], None]) -> Cost:
    """Of the processes that work starts, in a process that has started no others."""
    start = time.perf_counter()
    work()
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall, "peak_mb": peak / 1e6}


if __name__ == "__main__":
    run("many", __doc__ or "", measure)
