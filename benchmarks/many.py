"""What photos cost: a loop of commands beside one process, and beside several and Ray.

    python -m benchmarks.many [--output build/bench]

One photo of 512×384, then a hundred: each is taken apart, what is in the middle is deleted, and it
is rendered. Processor and wall seconds of all processes, and the most memory that one of them held,
and all together.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps
from skimage import data

from benchmarks import cost_of, run

COUNT = 100
SELECTION = "object@50%,50%"
EIE = [sys.executable, "-m", "eie"]

RUNS = {
    "run_1": ["--workers", "1"],
    "run_2": ["--workers", "2"],
    "ray_2": ["--workers", "2", "--engine", "ray"],
}
"""Options of `eie run`, by what it is called here."""


def measure() -> dict[str, float | str]:
    """Seconds, megabytes, and ratios to the loop's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos", COUNT)
        write_photos(folder / "photo", 1)
        recipe = {
            "format": "eie-recipe",
            "version": 1,
            "edit": [{"operation": "delete", "selection": SELECTION}],
        }
        (folder / "recipe.json").write_text(json.dumps(recipe))
        costs = {
            "one_by_commands": cost_of(loop, folder, "photo"),
            "one_by_run": cost_of(by_run, folder, "photo", "one_by_run", []),
            "loop": cost_of(loop, folder, "photos"),
        }
        for name, options in RUNS.items():
            costs[name] = cost_of(by_run, folder, "photos", name, options)
            check_alike(folder, name)
    found: dict[str, float | str] = {
        f"{name}_{what}": value for name, cost in costs.items() for what, value in cost.items()
    }
    for name in RUNS:
        for what in ("cpu_s", "wall_s"):
            found[f"{name}_{what}_to_loop"] = costs[name][what] / costs["loop"][what]
    found["rate_2_to_1"] = costs["run_1"]["wall_s"] / costs["run_2"]["wall_s"]
    return found


def write_photos(folder: Path, count: int) -> None:
    """Different parts of four photos of scikit-image, mirrored from the hundredth on."""
    folder.mkdir()
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    for n in range(count):
        photo = Image.fromarray(photos[n % 4])
        edge = n % 100
        cut = photo.crop((edge, edge, photo.width - edge, photo.height - edge))
        cut = ImageOps.mirror(cut) if n // 100 % 2 else cut
        cut.resize((512, 384), Image.Resampling.LANCZOS).save(folder / f"{n:03}.png")


def check_alike(folder: Path, name: str) -> None:
    """Stop if a run made other pictures than the loop."""
    pictures = [path.name for path in (folder / "photos").iterdir()]
    if any(
        (folder / name / p).read_bytes() != (folder / "loop" / p).read_bytes() for p in pictures
    ):
        raise SystemExit(f"{name} made other pictures than the loop")


def loop(folder: Path, photos: str) -> None:
    """Three commands a photo."""
    output = folder / ("loop" if photos == "photos" else "one")
    output.mkdir()
    elements = folder / "photo.h5"
    for photo in sorted((folder / photos).iterdir()):
        for arguments in (
            ["decompose", photo, "-o", elements],
            ["edit", elements, "--delete", SELECTION],
            ["render", elements, "-o", output / photo.name],
        ):
            command(arguments)


def by_run(folder: Path, photos: str, output: str, options: list[str]) -> None:
    """One command."""
    command(["run", folder / "recipe.json", folder / photos, "-o", folder / output, *options])


def command(arguments: list[object]) -> None:
    subprocess.run(
        [*EIE, *map(str, arguments)],
        check=True,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


if __name__ == "__main__":
    run("many", __doc__ or "", measure)
