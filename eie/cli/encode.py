"""`eie encode`: elements get their appearance embeddings."""

from __future__ import annotations

import eie
from eie.batch import is_several
from eie.cli.many import (
    EngineOption,
    Many,
    Recursive,
    ShardOption,
    Workers,
    refuse_many_options,
    work_through,
)
from eie.cli.options import Device, ElementFiles, Model, OutputElements, typed
from eie.cli.payload import change_elements
from eie.cli.progress import working
from eie.elements import ElementSet


def command(
    files: ElementFiles = None,
    output: OutputElements = None,
    model: Model = None,
    device: Device = None,
    workers: Workers = None,
    engine: EngineOption = None,
    recursive: Recursive = False,
    shard: ShardOption = None,
) -> None:
    """Embed the appearance of every element.

    Learned decoders read the embeddings; elements that this model embedded before are kept.

    \b
      eie encode photo.h5
      eie decompose photo.jpg | eie encode | eie render > out.png
      eie encode elements -o encoded --workers 4
    """
    options = typed(model=model, device=device)
    many = Many(workers, engine, recursive, shard)
    if files and is_several(files):
        from eie.batch import Encode

        work_through(
            Encode(options),
            files,
            output,
            "element files",
            many,
        )
        return
    refuse_many_options(many)

    def encoded(elements: ElementSet) -> ElementSet:
        with working("encoding"):
            return eie.encode(elements, **options)

    change_elements(files[0] if files else None, output, encoded)
