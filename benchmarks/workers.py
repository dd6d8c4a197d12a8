"""How much faster two workers are than one on two hundred photos.

    python -m benchmarks.workers [--output build/bench]

Photos of 512×384 go through `eie run`, from the decomposition to the picture: by one worker, by
two, and by one again, whose better time counts. Seconds, processor seconds of each photo, and the
ratio of the rates; both must make the same pictures.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks import cost_of, run
from benchmarks.many import SELECTION, by_run, write_photos

COUNT = 200


def measure() -> dict[str, float | str]:
    """Seconds, and the ratio of one worker's to two workers'."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos", COUNT)
        edit = [{"operation": "delete", "selection": SELECTION}]
        recipe = {"format": "eie-recipe", "version": 1, "edit": edit}
        (folder / "recipe.json").write_text(json.dumps(recipe))
        costs = {
            run: cost_of(by_run, folder, "photos", run, ["--workers", workers])
            for run, workers in (("one", "1"), ("two", "2"), ("one_again", "1"))
        }
        pictures = {
            run: {path.name: path.read_bytes() for path in (folder / run).glob("*.png")}
            for run in costs
        }
    if pictures["one"] != pictures["two"] or len(pictures["two"]) != COUNT:
        raise SystemExit("two workers made other pictures than one")
    one = min((costs["one"], costs["one_again"]), key=lambda cost: cost["wall_s"])
    return {
        "one_worker_s": one["wall_s"],
        "two_workers_s": costs["two"]["wall_s"],
        "one_worker_cpu_s_each": one["cpu_s"] / COUNT,
        "two_workers_cpu_s_each": costs["two"]["cpu_s"] / COUNT,
        "largest_mb": costs["two"]["largest_mb"],
        "rate_2_to_1": one["wall_s"] / costs["two"]["wall_s"],
    }


if __name__ == "__main__":
    run("workers", __doc__ or "", measure)
