"""`eie render`: an element file becomes a photo."""

from __future__ import annotations

from typing import Annotated

import typer

import eie
from eie.cli.options import (
    Device,
    ElementFile,
    Metadata,
    Model,
    OutputPicture,
    PictureFormat,
    Quality,
    typed,
)
from eie.cli.payload import note, picture_format, read_elements, write_picture
from eie.cli.progress import working
from eie.render import DECODERS


def command(
    file: ElementFile = None,
    output: OutputPicture = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="NAME",
            help=f"What makes the areas that edits reveal: {', '.join(DECODERS)}.",
            show_default="classical; light with --free",
        ),
    ] = None,
    free: Annotated[
        bool | None,
        typer.Option(
            "--free",
            help="Render everything from embeddings, as the paper does, instead of keeping the "
            "photo's own pixels.",
        ),
    ] = None,
    model: Model = None,
    device: Device = None,
    format: PictureFormat = None,
    quality: Quality = None,
    metadata: Metadata = None,
) -> None:
    """Turn elements into a photo.

    Pixels that no edit touches stay as they were.

    \b
      eie render photo.h5 -o edited.png
      eie render photo.h5 --format jpeg --quality 90 > edited.jpg
    """
    format = picture_format(output, format)
    elements = read_elements(file)
    with working("rendering"):
        rendering = eie.render(
            elements, **typed(decoder=decoder, free=free, model=model, device=device)
        )
    write_picture(
        rendering.photo,
        output,
        format,
        text=rendering.provenance,
        **typed(quality=quality, metadata=metadata),
    )
    total = elements.canvas.height * elements.canvas.width
    share = rendering.changed_pixels / total
    note(f"{rendering.changed_pixels} of {total} pixels changed ({share:.1%})")
