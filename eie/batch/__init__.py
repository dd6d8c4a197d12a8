"""Many photos: a job on files, folders and patterns, in some processes, resumed by a manifest.

    recipe = read_recipe("recipe.json")
    job = RunRecipe(recipe)
    for step in run_job(job, plan(job, ["photos"], Path("out")), Path("out"), workers=4):
        print(step.item.path, step.state)

inputs      names, here or in a store ⇒ items, each with its outputs; clashes; shards
jobs        what is done to each
pool        workers that may be lost, one task each
processes   workers of this machine
cluster     workers of a Ray cluster
working     what goes on in a worker
manifest    what became of each, by which a run goes on

Each is imported when one of its names is asked for: a command on one file needs hardly any.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eie.batch.inputs import Item, Shard, is_several, items_of
    from eie.batch.jobs import Decompose, Edit, Encode, Job, Render, RunRecipe
    from eie.batch.recipe import Recipe, parse_recipe, read_recipe
    from eie.batch.run import Report, Step, plan, run_job

__all__ = [
    "Decompose",
    "Edit",
    "Encode",
    "Item",
    "Job",
    "Recipe",
    "Render",
    "Report",
    "RunRecipe",
    "Shard",
    "Step",
    "is_several",
    "items_of",
    "parse_recipe",
    "plan",
    "read_recipe",
    "run_job",
]

_HOMES = {
    "eie.batch.inputs": ("Item", "Shard", "is_several", "items_of"),
    "eie.batch.jobs": ("Decompose", "Edit", "Encode", "Job", "Render", "RunRecipe"),
    "eie.batch.recipe": ("Recipe", "parse_recipe", "read_recipe"),
    "eie.batch.run": ("Report", "Step", "plan", "run_job"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
