"""Whether a run of many photos stays as fast and as small however many there are.

    python -m benchmarks.throughput [--counts 10 30 100 300 1000 2000] [--output build/bench]

Small photos of 96×72, each another part of a few of scikit-image's, are taken apart, edited and
rendered by `eie run --workers 2`. Photos a second, from the first that is done to the last,
processor seconds of each, and the most memory that one process held; as throughput.csv, to which
counts may be added, and as a plot of the same name.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from benchmarks import cost_of, peak_bytes

COUNTS = (10, 30, 100)
WORKERS = 2
RECIPE = {
    "format": "eie-recipe",
    "version": 1,
    "decompose": {"segmenter": "slic", "elements": 64},
    "edit": [{"operation": "delete", "selection": "object@50%,50%"}],
    "elements": True,
}
COLUMNS = ("photos", "rate", "cpu_s_each", "worker_mb", "driver_mb", "together_mb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--output", type=Path, help="folder for the table and the plot")
    arguments = parser.parse_args()
    table = arguments.output / "throughput.csv" if arguments.output else None
    rows = read(table) if table and table.exists() else {}
    for count in arguments.counts:
        rows[count] = row = measured(count)
        print(", ".join(f"{name}: {row[name]:.3g}" for name in COLUMNS), flush=True)
        if table:
            write(rows, table)


def read(table: Path) -> dict[int, dict[str, float]]:
    """What was measured before, by the number of photos."""
    with table.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return {int(row["photos"]): row for row in rows}


def write(rows: dict[int, dict[str, float]], table: Path) -> None:
    """The table and the plot beside it."""
    table.parent.mkdir(parents=True, exist_ok=True)
    ordered = [rows[count] for count in sorted(rows)]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({n: f"{v:.4g}" for n, v in row.items()} for row in ordered)
    plot(ordered, table.with_suffix(".png"))


def measured(count: int) -> dict[str, float]:
    """The figures of so many photos."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos", count)
        (folder / "recipe.json").write_text(json.dumps(RECIPE))
        cost = cost_of(work, folder)
        driver = json.loads((folder / "driver.json").read_text())
    return {
        "photos": count,
        "rate": driver["rate"],
        "cpu_s_each": driver["cpu_s"] / count,
        "worker_mb": cost["largest_mb"],
        "driver_mb": driver["mb"],
        "together_mb": cost["together_mb"] + driver["mb"],
    }


def write_photos(folder: Path, count: int) -> None:
    """Parts of four photos, no two alike."""
    folder.mkdir()
    random = np.random.default_rng(0)
    photos = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    for n in range(count):
        photo = Image.fromarray(photos[n % 4])
        scale = random.uniform(0.4, 1) * min(photo.width / 96, photo.height / 72)
        width, height = int(96 * scale), int(72 * scale)
        x = int(random.integers(0, photo.width - width + 1))
        y = int(random.integers(0, photo.height - height + 1))
        part = photo.crop((x, y, x + width, y + height)).resize((96, 72), Image.Resampling.LANCZOS)
        part.save(folder / f"{n:05}.png")


def work(folder: Path) -> None:
    """Do the run, and write what its driver has seen."""
    from eie.batch import Report, RunRecipe, plan, read_recipe, run_job

    job = RunRecipe(read_recipe(folder / "recipe.json"))
    items = plan(job, [str(folder / "photos")], folder / "out")
    times, report = [], Report()
    for step in run_job(job, items, folder / "out", workers=WORKERS):
        times.append(time.perf_counter())
        report.take(step)
    if report.code:
        raise SystemExit("photos failed")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seen = {
        "rate": (len(times) - WORKERS) / (times[-1] - times[WORKERS - 1]),
        "cpu_s": sum(each.ru_utime + each.ru_stime for each in used),
        "mb": peak_bytes() / 1e6,
    }
    (folder / "driver.json").write_text(json.dumps(seen))


def plot(rows: list[dict[str, float]], target: Path) -> None:
    """Rate, processor time and memory over the number of photos."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3), layout="constrained")
    counts = [row["photos"] for row in rows]
    for axis, names, title in (
        (axes[0], ("rate",), "photos a second"),
        (axes[1], ("cpu_s_each",), "processor seconds a photo, start included"),
        (axes[2], ("worker_mb", "driver_mb"), "peak memory of a process (MB)"),
    ):
        for name in names:
            label = name.removesuffix("_mb")
            axis.plot(counts, [row[name] for row in rows], marker="o", label=label)
        axis.set(xscale="log", xlabel="photos", title=title)
        axis.title.set_fontsize(9)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[2].legend(frameon=False)
    figure.savefig(target, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
