"""`eie models`: model folders."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eie.cli.input_output import note
from eie.cli.options import default_of, typed
from eie.models.from_stable_diffusion import init_model

app = typer.Typer(no_args_is_help=True)


class Scale(StrEnum):
    """Presets that start from somebody else's weights."""

    SD15 = "sd15"


@app.callback()
def models() -> None:
    """Make model folders for training and rendering."""


@app.command(name="init")
def init(
    preset: Annotated[
        Scale, typer.Argument(metavar="sd15", help="sd15: Stable Diffusion 1.x, 2.x or XL.")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="DIR|HUB_ID",
            help="Stable Diffusion in diffusers' layout: a local folder, or a hub id.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Model folder to make.")
    ],
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="tiny|DIR|HUB_ID",
            help="Whose content encoder and light decoder.",
            show_default=default_of(init_model, "encoder"),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Of the new weights.", show_default=default_of(init_model, "seed")
        ),
    ] = None,
) -> None:
    """Make an untrained element model from a Stable Diffusion model.

    Its element attention adds nothing yet: until it is trained by eie train decoder, it renders as
    the model it was made from.

    \b
      eie models init sd15 --from stable-diffusion-v1-5 -o element-sd15
      eie render photo.h5 --decoder diffusion --model element-sd15 --prompt "a beach" -o out.png
    """
    init_model(source, output, **typed(encoder=encoder, seed=seed))
    note(f"made {output} ({preset.value}, untrained)")
