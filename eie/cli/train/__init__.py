"""`eie train`: weights from images, a stage a command."""

from __future__ import annotations

import typer

from eie.cli.retired import RetiringCommand
from eie.cli.train import autoencoder, decoder, encoder, masks, objects, segmenter, shards

app = typer.Typer(no_args_is_help=True)


@app.callback()
def train() -> None:
    """Train the embedded models; the same command resumes an interrupted run."""


app.command(name="segmenter")(segmenter.command)
app.command(name="objects")(objects.command)
app.command(name="encoder")(encoder.command)
app.command(name="autoencoder")(autoencoder.command)
app.command(name="masks")(masks.command)
app.command(name="shards")(shards.command)
app.command(name="decoder", cls=RetiringCommand)(decoder.command)
