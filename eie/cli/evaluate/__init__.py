"""`eie evaluate`: how good the stages are, beside baselines, a command for each."""

from __future__ import annotations

import typer

from eie.cli.evaluate import ablation, clicks, edits, reconstruction, segmentation

app = typer.Typer(no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure quality on your own data, baselines in the same run.

    Tables and notes go to standard error; standard output carries only --json or --csv.
    """


app.command(name="reconstruction")(reconstruction.command)
app.command(name="segmentation")(segmentation.command)
app.command(name="clicks")(clicks.command)
app.command(name="edits")(edits.command)
app.command(name="ablation")(ablation.command)
