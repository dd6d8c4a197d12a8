"""`eie evaluate`: how good the stages are, beside baselines, a command for each."""

from __future__ import annotations

import typer

from eie.cli import (
    evaluate_ablation,
    evaluate_clicks,
    evaluate_edits,
    evaluate_reconstruction,
    evaluate_segmentation,
)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def evaluate() -> None:
    """Measure quality on your own data, baselines in the same run.

    Tables and notes go to standard error; standard output carries only --json or --csv.
    """


app.command(name="reconstruction")(evaluate_reconstruction.command)
app.command(name="segmentation")(evaluate_segmentation.command)
app.command(name="clicks")(evaluate_clicks.command)
app.command(name="edits")(evaluate_edits.command)
app.command(name="ablation")(evaluate_ablation.command)
