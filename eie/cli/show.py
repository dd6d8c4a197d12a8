"""`eie show`: see the elements."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.input_output import is_stream, picture_format, read_elements, working, write_picture
from eie.cli.options import Edge, ElementFile, OutputPicture, PictureFormat, option, typed
from eie.errors import UsageError

if TYPE_CHECKING:
    from eie.files.photo import Photo


DRAWING = ArgumentOptions(
    dict,
    ids=option(bool, "Write the elements' ids.", "--ids/--no-ids", show_default="--ids"),
    groups=option(bool, "Tint the groups, each in its colour.", "--groups"),
    before_after=option(bool, "The unedited photo beside it.", "--before-after"),
    only=option(str, "Draw these elements, dim the rest.", metavar="SEL"),
    scale=option(
        float,
        "Pixels of the picture for one of the photo.",
        metavar="F",
        show_default="1, or more for small photos and less for large ones",
    ),
    ruler=option(
        bool,
        "Rulers tell coordinates in pixels of the photo, and the scale.",
        "--ruler/--no-ruler",
        show_default="--ruler",
    ),
)


@bundled(drawing=DRAWING)
def command(
    *,
    file: ElementFile = None,
    output: OutputPicture = None,
    drawing: dict[str, Any],
    cut: Annotated[
        str | None,
        typer.Option(
            "--cutout",
            metavar="SEL",
            help="These elements instead, with their own pixels, transparent around (RGBA).",
        ),
    ] = None,
    edge: Edge = None,
    format: PictureFormat = None,
) -> None:
    """Draw the elements' borders and ids.

    Without -o, a small preview appears if standard output is a terminal that can show one. A
    cut-out has the photo's size, so that it lies where it was.

    \b
      eie show photo.h5 -o overlay.png
      eie show photo.h5 --only object@300,200
      eie show photo.h5 --cutout object@300,200 -o cup.png
    """
    from eie.editing import select
    from eie.preview.cutout import cutout
    from eie.preview.overlay import show

    preview = is_stream(output) and sys.stdout is not None and sys.stdout.isatty()
    format = None if preview else picture_format(output, format)
    if cut is not None and drawing:
        raise UsageError(
            "--cutout draws nothing over the photo",
            hint=f"leave out --{next(iter(drawing)).replace('_', '-')}",
        )
    if cut is None and edge is not None:
        raise UsageError("only what is cut out has an edge", hint="leave out --edge")
    if cut is not None and format == "JPEG":
        raise UsageError("JPEG holds no transparency", hint="name a .png, .webp or .tiff file")
    elements = read_elements(file)
    if cut is not None:
        with working("cutting out"):
            photo = cutout(elements, select(elements, cut).tolist(), **typed(edge=edge))
        _hand_out(photo, output, format)
        return
    if "only" in drawing:
        drawing["only"] = select(elements, drawing["only"])
    if preview:
        drawing.setdefault("ruler", False)  # a preview is too small for one
    with working("drawing"):
        photo = show(elements, **drawing)
    _hand_out(photo, output, format)


def _hand_out(photo: Photo, output: str | None, format: str | None) -> None:
    """Write the picture, or show it on the terminal if there is no format."""
    if format is None:
        _preview(photo)
    else:
        write_picture(photo, output, format)


def _preview(photo: Photo) -> None:
    from rich import print as rich_print

    from eie.preview.overlay import terminal_preview

    columns, lines = shutil.get_terminal_size()
    rich_print(terminal_preview(photo, columns, lines - 1))
