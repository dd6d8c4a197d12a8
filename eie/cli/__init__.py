"""The `eie` command: a thin file per command, or per group of them (`eie.cli.train`,
`eie.cli.evaluate`), each calling the library function of its name.

stdout carries only what was asked for (an element file, a picture, an answer); progress, notes and
errors go to stderr.
"""

from __future__ import annotations

import atexit
import gc
import io
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated

import typer

import eie
from eie.cli.command_classes import lazy_group
from eie.cli.failures import explain, quiet_libraries, traceback_wanted
from eie.cli.input_output import note
from eie.models.devices import keep_freed_memory

COMMANDS = (
    "decompose",
    "encode",
    "edit",
    "render",
    "run",
    "open",
    "show",
    "info",
    "validate",
    "train",
    "evaluate",
    "models",
)

app = typer.Typer(
    name="eie",
    cls=lazy_group(__name__, *COMMANDS),
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True, epilog="Documentation of a command: eie COMMAND --help")
def eie_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[  # noqa: ARG001 - main looks for it, so that it works when parsing fails too
        bool, typer.Option("--debug", help="Show a traceback with an error, as EIE_TRACEBACK=1.")
    ] = False,
) -> None:
    """Take a photo apart into image elements, change the elements, get a photo back.

    The commands pass one element file on, by name or through a pipe:

    \b
      eie decompose p.jpg | eie edit --move object@300,200 +40,0 | eie render > out.png
    """
    if version:
        sys.stdout.write(f"eie {eie.__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


_GARBAGE = (20_000, 50, 50)
"""When Python looks for garbage, see :func:`gc.set_threshold`: from every 20 000 objects on instead
of 700. Importing torch and diffusers makes a million and no garbage, and a quarter of its time went
into looking."""


def _print_anywhere() -> None:
    """Show a ? for what the page of a terminal lacks (γ in Windows' cp1252), rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 a bug, 2 usage, 3 bad input file, 4 missing model or dependency, 5 out of memory or
    disk; 130 interrupted and 141 when the reader of stdout went away, as other tools have it.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _print_anywhere()
    gc.set_threshold(*_GARBAGE)
    keep_freed_memory()  # a tenth of a decomposition went into getting it anew
    atexit.register(gc.freeze)  # nor is there anything to find in a second's look at the end
    try:
        with nullcontext() if traceback_wanted(arguments) else quiet_libraries():
            # Evaluations record the command that made them: the root context's object is its words.
            code = app(arguments, prog_name="eie", standalone_mode=False, obj=arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except Exception as error:
        if traceback_wanted(arguments):
            raise
        line, code = explain(error)
        note(f"eie: {line}")
    sys.exit(code or 0)
