"""`eie encode`: elements get their appearance embeddings."""

from __future__ import annotations

import eie
from eie.cli.options import Device, ElementFile, Model, OutputElements, typed
from eie.cli.payload import change_elements
from eie.cli.progress import working
from eie.elements import ElementSet


def command(
    file: ElementFile = None,
    output: OutputElements = None,
    model: Model = None,
    device: Device = None,
) -> None:
    """Embed the appearance of every element.

    Learned decoders read the embeddings; elements that this model embedded before are kept.

    \b
      eie encode photo.h5
      eie decompose photo.jpg | eie encode | eie render > out.png
    """

    def encoded(elements: ElementSet) -> ElementSet:
        with working("encoding"):
            return eie.encode(elements, **typed(model=model, device=device))

    change_elements(file, output, encoded)
