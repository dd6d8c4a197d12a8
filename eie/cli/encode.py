"""`eie encode`: elements get their appearance embeddings."""

from __future__ import annotations

from typing import Any

import eie
from eie.batch import is_several
from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.input_output import change_elements, working
from eie.cli.many import MANY, Many, single, work_through
from eie.cli.options import Device, ElementFiles, Model, OutputElements
from eie.elements import ElementSet


@bundled(options=ArgumentOptions(dict, model=Model, device=Device), many=MANY)
def command(
    *,
    files: ElementFiles = None,
    output: OutputElements = None,
    options: dict[str, Any],
    many: Many,
) -> None:
    """Embed the appearance of every element.

    Learned decoders read the embeddings; elements that this model embedded before are kept.

    \b
      eie encode photo.h5
      eie decompose photo.jpg | eie encode | eie render > out.png
      eie encode elements -o encoded --workers 4
    """
    if files and is_several(files):
        from eie.batch import Encode

        work_through(Encode(options), files, output, "element files", many)
        return
    file = single(files, many)

    def encoded(elements: ElementSet) -> ElementSet:
        with working("encoding"):
            return eie.encode(elements, **options)

    change_elements(file, output, encoded)
