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
"""

from __future__ import annotations

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
