"""`eie show`: see the elements."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from eie.cli.options import ElementFile, OutputPicture, PictureFormat, typed
from eie.cli.payload import is_stream, picture_format, read_elements, write_picture
from eie.cli.progress import working

if TYPE_CHECKING:
    from eie.files.images import Photo


def command(
    file: ElementFile = None,
    output: OutputPicture = None,
    ids: Annotated[
        bool | None,
        typer.Option("--ids/--no-ids", help="Write the elements' ids.", show_default="--ids"),
    ] = None,
    groups: Annotated[
        bool | None, typer.Option("--groups", help="Tint the groups, each in its colour.")
    ] = None,
    before_after: Annotated[
        bool | None, typer.Option("--before-after", help="The unedited photo beside it.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="SEL", help="Draw these elements, dim the rest.")
    ] = None,
    format: PictureFormat = None,
) -> None:
    """Draw the elements' borders and ids.

    Without -o, a small preview appears if standard output is a terminal that can show one.

    \b
      eie show photo.h5 -o overlay.png
      eie show photo.h5 --only object@300,200
    """
    from eie.edit import select
    from eie.render.show import show

    preview = is_stream(output) and sys.stdout is not None and sys.stdout.isatty()
    format = None if preview else picture_format(output, format)
    elements = read_elements(file)
    chosen = None if only is None else select(elements, only)
    with working("drawing"):
        photo = show(
            elements, **typed(ids=ids, groups=groups, before_after=before_after, only=chosen)
        )
    if format is None:
        _preview(photo)
    else:
        write_picture(photo, output, format)


def _preview(photo: Photo) -> None:
    from rich import print as rich_print

    from eie.render.show import terminal_preview

    columns, lines = shutil.get_terminal_size()
    rich_print(terminal_preview(photo, columns, lines - 1))
