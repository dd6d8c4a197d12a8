"""`eie open`: a page to pick and drag."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.input_output import note
from eie.cli.options import Elements, Segmenter, option, typed
from eie.errors import MissingModelError

SERVER = ArgumentOptions(
    dict,
    port=option(int, "Of the server.", metavar="N", min=0, max=65535, show_default="a free one"),
    host=option(
        str,
        "Where to listen; one that other machines reach asks for --token.",
        metavar="ADDRESS",
        show_default="127.0.0.1",
    ),
    token=option(
        str, "What requests must carry.", metavar="TEXT", show_default="a new one each time"
    ),
    browser=option(bool, "Open the page.", "--browser/--no-browser", show_default="--browser"),
)


@bundled(
    server=SERVER,
    decomposition=ArgumentOptions(dict, segmenter=Segmenter, elements=Elements),
)
def command(
    *,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH",
            help="Photo, element file, or folder of them; the working folder if left out.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="F.h5",
            help="Element file of the photo; without it one beside the photo.",
        ),
    ] = None,
    server: dict[str, Any],
    decomposition: dict[str, Any],
) -> None:
    """Edit photos on a page in the browser.

    A photo is decomposed into an element file beside it, which holds every edit as soon as it is
    made; commands may edit the same file meanwhile. The page shows the command line that does the
    same. Only this machine is served, and only who has the address that is printed. No request
    leaves the machine.

    Other programs use the same API, with the token as `Authorization: Bearer TOKEN`: its
    description is at /api/v1/docs.

    \b
      eie open photo.jpg
      eie open photos
      eie open photo.h5 --no-browser --port 8000
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingModelError(
            f"this needs {error.name}, which is not installed", hint="pip install 'eie[open]'"
        ) from error
    from eie.open.server import Settings, serve

    files: dict[str, Any] = {
        name: Path(value) for name, value in typed(path=path, output=output).items()
    }
    serve(Settings(decomposition=decomposition, **server, **files), note)
