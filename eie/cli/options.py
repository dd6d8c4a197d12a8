"""Options that commands share, and where defaults come from.

Defaults live in the library: an option that was not typed is None here and is not passed on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

import eie


def typed(**options: Any) -> dict[str, Any]:
    """The options that the user typed: flags that are set, and values that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def option(kind: Any, help: str, *names: str, **more: Any) -> Any:
    """An option of a bundle (:mod:`eie.cli.bundles`), None unless it is typed.

    Args:
        kind: of its value.
        names: `--name`, if it is not called like the parameter; a flag's are always told.
        more: as of `typer.Option`: `metavar`, `min`, `show_default` …
    """
    return Annotated[kind | None, typer.Option(*names, help=help, **more)]


def default_of(function: Callable[..., Any], parameter: str) -> str:
    """The library's default of a parameter, for the help text."""
    return str(inspect.signature(function).parameters[parameter].default)


ElementFile = Annotated[
    str | None,
    typer.Argument(
        metavar="F.h5", help="Element file; '-' or nothing on a pipe reads standard input."
    ),
]

ElementFiles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="F.h5",
        help="Element file; '-' or nothing on a pipe reads standard input. Several, folders and "
        "patterns in quotes go to a folder.",
    ),
]

OutputElements = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="F.h5|DIR",
        help="Element file to write; '-' is standard output. Without it a file named as input is "
        "changed in place, and a piped one goes to standard output. Of several the folder.",
    ),
]

OutputPicture = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT.png|DIR",
        help="Picture to write, its format told by the extension; '-' is standard output. Of "
        "several element files the folder.",
    ),
]

PictureFormat = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT", help="png, jpeg, webp or tiff, whatever the extension says."
    ),
]

Quality = option(int, "Of JPEG (95) and WebP (lossless).", metavar="1-100", min=1, max=100)

Edge = option(
    str,
    "How what moved or is cut out ends: soft takes its old ground out of a border's pixels and its "
    "thin parts along, hard cuts where its elements end.",
    metavar="hard|soft",
    show_default="soft",
)

Metadata = option(
    bool,
    "Whether the picture keeps the photo's EXIF block and resolution, and records how it was made.",
    "--metadata/--no-metadata",
    show_default="--metadata",
)

Device = option(
    str,
    "cpu, cuda, cuda:1, mps …; unless told, the CPU for bundled models but diffusion and the "
    "fastest present for others.",
    metavar="DEVICE",
)

Model = option(
    str,
    "Whose weights: 'tiny' (embedded), a model folder, or a hub id.",
    metavar="tiny|DIR|HUB_ID",
    show_default="tiny",
)

Elements = option(
    int, "About how many elements.", metavar="N", show_default=default_of(eie.decompose, "elements")
)

Segmenter = option(str, "What cuts the photos, as in eie decompose.", metavar="NAME|CHECKPOINT.pth")
