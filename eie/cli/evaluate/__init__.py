"""`eie evaluate`: how good the stages are, beside baselines, a command for each."""

from __future__ import annotations

import typer

from eie.cli.command_classes import lazy_group

COMMANDS = ("reconstruction", "segmentation", "clicks", "edits", "ablation")

app = typer.Typer(no_args_is_help=True, cls=lazy_group(__name__, *COMMANDS, module="commands"))


@app.callback()
def evaluate() -> None:
    """Measure quality on your own data, baselines in the same run.

    Tables and notes go to standard error; standard output carries only --json or --csv.
    """
