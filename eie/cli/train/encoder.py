"""`eie train encoder`: stage 1 of the paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.options import Segmenter
from eie.cli.train import options as o
from eie.errors import UsageError
from eie.train.encoder.settings import PAPER, EncoderSettings, Preset


@bundled(
    settings=SettingsOptions(
        EncoderSettings,
        segmenter=Segmenter,
        steps=o.Steps,
        batch=o.Batch,
        crop=o.Crop,
        **o.LOOP,
        start=o.Start,
        decoder_only=Annotated[
            bool,
            typer.Option(
                "--decoder-only", help="Leave the encoder as --start has it: embeddings stay valid."
            ),
        ],
    )
)
def command(
    data: o.Data,
    output: o.RunFolder,
    settings: EncoderSettings,
    preset: Annotated[
        Preset | None,
        typer.Option(help="tiny: the embedded sizes; paper: the paper's.", show_default="tiny"),
    ] = None,
    joint: Annotated[bool, typer.Option("--joint", hidden=True)] = False,
    dry_run: o.DryRun = False,
) -> None:
    """Train content encoder and light decoder (stage 1 of the paper).

    The run folder is then a model folder.

    \b
      eie train encoder photos:20 scenes:5 bsds/train -o runs/encoder
      eie encode --model runs/encoder photo.h5
    """
    if joint:
        raise UsageError(
            "--joint is reserved for the ablation of stage 2; stage 1 is trained by itself",
            hint="leave it out, or see eie train decoder --joint",
        )
    from eie.train.encoder.stage import train_encoder

    if settings.decoder_only and settings.start is None:
        raise UsageError("--decoder-only needs an encoder", hint="name its model with --start")
    if preset == "paper":
        settings = replace(settings, model=PAPER)
    o.run_training(train_encoder, data, output, settings, dry_run)
