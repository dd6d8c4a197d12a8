"""`eie train`: weights from images, a stage a command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from eie.cli.options import typed
from eie.cli.payload import note
from eie.train.settings import (
    PAPER,
    CropSettings,
    EncoderSettings,
    LoopSettings,
    Precision,
    Preset,
    SceneSettings,
    SegmenterSettings,
)

app = typer.Typer(no_args_is_help=True)

DATA_HELP = (
    "Folders of images, told apart by their layout: photos with human segmentations (ID.jpg and "
    "ID.gtK.png), cut-outs with an alpha channel, or plain photos. FOLDER:K leaves out every K-th "
    "file, from the first, for validation."
)


Data = Annotated[list[str], typer.Argument(metavar="DATA...", help=DATA_HELP)]

RunFolder = Annotated[
    Path, typer.Option("--output", "-o", metavar="RUN_DIR", help="Folder of the run.")
]

Steps = Annotated[
    int | None,
    typer.Option(min=1, help="Length of the run.", show_default=str(LoopSettings.steps)),
]

Seed = Annotated[int | None, typer.Option(min=0, show_default=str(LoopSettings.seed))]

PrecisionOption = Annotated[
    Precision | None,
    typer.Option(help="Of products and convolutions.", show_default=LoopSettings.precision),
]

Workers = Annotated[
    int | None,
    typer.Option(
        min=0, help="Processes that prepare batches.", show_default=str(LoopSettings.workers)
    ),
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, print the options, do not train.")
]


@app.callback()
def train() -> None:
    """Train the embedded models; the same command resumes an interrupted run."""


@app.command(name="segmenter")
def segmenter(
    data: Data,
    output: RunFolder,
    steps: Steps = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Crops in a batch.", show_default=str(SceneSettings.batch)),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(help="Side of a crop in pixels.", show_default=str(SceneSettings.crop)),
    ] = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    start: Annotated[
        Path | None,
        typer.Option(metavar="WEIGHTS", help="Safetensors file to start from, as far as it fits."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Train the segmenter of `eie decompose`.

    \b
      eie train segmenter bsds/train objects:10 photos:20 -o runs/segmenter
      eie decompose --segmenter runs/segmenter/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.images import Folder
    from eie.train.segmenter import WEIGHTS_NAME, train_segmenter

    default = SegmenterSettings()
    settings = replace(
        default,
        loop=replace(
            default.loop, **typed(steps=steps, seed=seed, precision=precision, workers=workers)
        ),
        scenes=replace(default.scenes, **typed(batch=batch, crop=crop)),
        **typed(start=start),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_segmenter(folders, output, settings, dry_run)
    if dry_run:
        typer.echo(json.dumps(options, indent=2, default=str))
    else:
        note(f"trained: {output / WEIGHTS_NAME}")


@app.command(name="encoder")
def encoder(
    data: Data,
    output: RunFolder,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset",
            help="tiny: the embedded sizes; paper: the paper's.",
            show_default="tiny",
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            "--segmenter",
            metavar="NAME|CHECKPOINT.pth",
            help="What cuts the photos, as in eie decompose.",
            show_default=EncoderSettings.segmenter,
        ),
    ] = None,
    steps: Steps = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Crops in a batch.", show_default=str(CropSettings.batch)),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            help="Side of a crop in pixels, a multiple of 32.", show_default=str(CropSettings.crop)
        ),
    ] = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    dry_run: DryRun = False,
) -> None:
    """Train content encoder and light decoder (stage 1 of the paper).

    The run folder is then a model folder.

    \b
      eie train encoder photos:20 -o runs/encoder
      eie encode --model runs/encoder photo.h5
    """
    from eie.train.encoder import train_encoder
    from eie.train.images import Folder

    default = EncoderSettings()
    settings = replace(
        default,
        model=PAPER if preset == "paper" else default.model,
        loop=replace(
            default.loop, **typed(steps=steps, seed=seed, precision=precision, workers=workers)
        ),
        crops=replace(default.crops, **typed(batch=batch, crop=crop)),
        **typed(segmenter=segmenter),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_encoder(folders, output, settings, dry_run)
    if dry_run:
        typer.echo(json.dumps(options, indent=2, default=str))
    else:
        note(f"trained: {output}")


if __name__ == "__main__":
    app()
