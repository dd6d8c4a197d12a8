"""`eie train`: weights from images, a stage a command."""

from __future__ import annotations

import typer

from eie.cli.command_classes import lazy_group

COMMANDS = (
    "segmenter",
    "objects",
    "corrections",
    "encoder",
    "autoencoder",
    "masks",
    "shards",
    "decoder",
)

app = typer.Typer(no_args_is_help=True, cls=lazy_group(__name__, *COMMANDS, module="commands"))


@app.callback()
def train() -> None:
    """Train the embedded models; the same command resumes an interrupted run."""
