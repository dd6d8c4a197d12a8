"""`eie decompose`: a photo becomes an element file."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

import eie
from eie.batch import is_several
from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.input_output import (
    named_source,
    note,
    refuse_other_kind,
    refuse_terminal,
    working,
    write_elements,
)
from eie.cli.many import MANY, Many, single, work_through
from eie.cli.options import Device, Elements, default_of, option, typed
from eie.files import read_photo
from eie.notes import tell

Images = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE",
        help="PNG, JPEG, WebP, TIFF, BMP, AVIF or HEIC photo; '-' or nothing on a pipe reads "
        "standard input. Several, folders and patterns in quotes go to a folder.",
    ),
]

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="F.h5|DIR",
        help="Element file to write, else standard output; of several photos the folder.",
    ),
]

NoPixels = Annotated[
    bool,
    typer.Option(
        "--no-pixels", help="Leave the photo's pixels out; only --free can then render it."
    ),
]

PARTITION = ArgumentOptions(
    dict,
    segmenter=option(
        str,
        "'tiny' (embedded), 'slic' (colour only, no weights) or a Segment Anything "
        "checkpoint: ViT-H, L or B.",
        metavar="NAME|CHECKPOINT.pth",
        show_default=default_of(eie.decompose, "segmenter"),
    ),
    elements=Elements,
    beta=option(
        float,
        "Weight of nearness against affinity; larger gives more even patches.",
        metavar="B",
        show_default=default_of(eie.decompose, "beta"),
    ),
)


@bundled(options=PARTITION, many=MANY)
def command(
    *,
    images: Images = None,
    output: Output = None,
    options: dict[str, Any],
    no_pixels: NoPixels = False,
    device: Device = None,
    many: Many,
) -> None:
    """Take a photo apart into image elements.

    Elements are patches of the photo, each with an appearance, a place and a size.

    \b
      eie decompose photo.jpg -o photo.h5
      eie decompose photo.jpg --segmenter slic --elements 400 -o photo.h5
      eie decompose photos -o elements --workers 4
    """
    options |= typed(device=device)
    if images and is_several(images):
        from eie.batch import Decompose

        work_through(Decompose(options, pixels=not no_pixels), images, output, "photos", many)
        return
    image = single(images, many)
    refuse_terminal(output)
    refuse_other_kind(output)
    source, name = named_source(image)
    photo = read_photo(source, name)
    with working("decomposing") as report:
        made = eie.decompose(photo, progress=report, **options)
    if no_pixels:
        made = replace(made, sources=tuple(replace(s, pixels=None) for s in made.sources))
    tell(photo.notes, name)
    write_elements(made, output)
    note(f"{name}: {len(made)} elements")
