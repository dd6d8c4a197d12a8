"""`eie run`: many photos through all stages, by a recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from eie.cli.bundles import bundled
from eie.cli.many import MANY, Many, work_through


@bundled(many=MANY)
def command(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE.json",
            help="What is done to each photo; formats/recipe.md describes it.",
        ),
    ],
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTOS",
            help="Photos, folders of them, and patterns as 'photos/**/*.jpg' in quotes; on this "
            "machine or in a store, as s3://bucket/photos.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the pictures; it is made."),
    ],
    many: Many,
) -> None:
    """Edit many photos: decompose, edit and render each, by a recipe.

    Models are loaded once. Pictures are named like their photos, with their paths below a folder.

    Photos that fail are named with the reason, and the others go on; the exit code is then that of
    the failures, the largest if they differ. DIR/manifest.jsonl has a line for each photo: input,
    state, reason, and hashes.

    The same command goes on where it was stopped, by whatever: pictures that are there, of the
    same photo, masks, recipe and version of eie, are skipped. The number of workers changes no
    byte.

    \b
      eie run recipe.json photos -o edited --workers 4
      eie run recipe.json 'trip/**/*.jpg' -o edited --shard 3/16
      eie run recipe.json s3://shop/photos -o s3://shop/edited --engine ray
    """
    from eie.batch import RunRecipe, read_recipe

    work_through(RunRecipe(read_recipe(recipe)), photos, output, "photos", many)
