"""`eie render`: an element file becomes a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eie.batch import is_several
from eie.batch.output import fewer, numbered
from eie.cli.many import (
    EngineOption,
    Many,
    Recursive,
    ShardOption,
    Workers,
    refuse_many_options,
    work_through,
)
from eie.cli.options import (
    Device,
    Edge,
    ElementFiles,
    Metadata,
    Model,
    OutputPicture,
    PictureFormat,
    Quality,
    typed,
)
from eie.cli.payload import (
    check_target,
    is_stream,
    note,
    picture_format,
    read_elements,
    refuse_element_file,
    refuse_terminal,
    write_picture,
)
from eie.cli.progress import working
from eie.errors import UsageError
from eie.rendering import (
    DECODERS,
    DEFAULT,
    DEFAULT_FREE,
    DiffusionDecoder,
    variations,
)
from eie.rendering.anchored import DILATION
from eie.rendering.sampling import SCHEDULERS


def command(
    files: ElementFiles = None,
    output: OutputPicture = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="NAME",
            help=f"What makes the areas that edits reveal: {', '.join(DECODERS)}.",
            show_default=f"{DEFAULT}; {DEFAULT_FREE} with --free",
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
    dilation: Annotated[
        int | None,
        typer.Option(
            "--dilation",
            metavar="PX",
            min=0,
            max=DILATION,
            help="How many pixels around what is taken away are filled, too, as the photo still "
            "shows a little of it there; soft edges reach as far. 0 leaves all pixels but those of "
            "edited elements as they were.",
            show_default=".9 % of the photo's side, 2 to 16",
        ),
    ] = None,
    edge: Edge = None,
    model: Model = None,
    device: Device = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Of denoising.", show_default=str(DiffusionDecoder.steps)
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            "--guidance",
            metavar="W",
            help="Weight of elements and prompt against neither; 1 or less turns it off.",
            show_default="the model's",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            metavar="T",
            min=0.0,
            help="How far what is sampled may be from what the model expects most: 1 is plain "
            "sampling, with less variations differ less, 0 is that itself, in one step.",
            show_default="the model's",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="Random seed for inpainting; with the classical decoder, 0 for the best fill, 1 "
            "for the next best …",
            show_default=str(DiffusionDecoder.seed),
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--variations",
            metavar="K",
            min=1,
            help="Make K pictures, with the seeds from --seed on: OUT-1.png, OUT-2.png … The "
            "classical decoder makes fewer where there are no others as good.",
            show_default="1",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="What the picture shows, for models that read text.",
            show_default="the element file's",
        ),
    ] = None,
    negative_prompt: Annotated[
        str | None,
        typer.Option("--negative-prompt", metavar="TEXT", help="What it does not show."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="NAME",
            help=f"How to denoise: {', '.join(SCHEDULERS)}.",
            show_default="the model's",
        ),
    ] = None,
    format: PictureFormat = None,
    quality: Quality = None,
    metadata: Metadata = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PX",
            min=1,
            help="Make pictures smaller whose longer side has more pixels.",
        ),
    ] = None,
    workers: Workers = None,
    engine: EngineOption = None,
    recursive: Recursive = False,
    shard: ShardOption = None,
) -> None:
    """Turn elements into a photo.

    Pixels that no edit touches stay as they were. The same command on the same machine gives the
    same bytes; with another number of threads (OMP_NUM_THREADS) or on another processor what is
    made up may differ by a level or two, since sums are rounded in another order.

    \b
      eie render photo.h5 -o edited.png
      eie render photo.h5 --format jpeg --quality 90 > edited.jpg
      eie render photo.h5 --decoder diffusion --variations 4 -o edited.png
      eie render elements --format jpeg -o pictures --workers 4
    """
    options = typed(
        decoder=decoder,
        free=free,
        dilation=dilation,
        edge=edge,
        model=model,
        device=device,
        steps=steps,
        guidance=guidance,
        temperature=temperature,
        seed=seed,
        prompt=prompt,
        negative_prompt=negative_prompt,
        scheduler=scheduler,
    )
    many = Many(workers, engine, recursive, shard)
    if files and is_several(files):
        from eie.batch import Render
        from eie.batch.output import Output
        from eie.batch.recipe import check_render

        written = Output(
            (format or "png").lower(),
            **typed(quality=quality, metadata=metadata, size=size, variations=count),
        )
        written.check(check_render(options))
        work_through(Render(options, written), files, output, "element files", many)
        return
    refuse_many_options(many)
    file = files[0] if files else None
    format = picture_format(output, format)
    names = output_names(output, count or 1)
    elements = read_elements(file)
    check_target(elements, format, output, quality=quality, free=bool(free))
    for name in names:
        refuse_terminal(name)
        refuse_element_file(name)
    with working("rendering") as report:
        renderings = variations(
            elements,
            len(names),
            progress=report,
            **options,
        )
    if len(renderings) < len(names):
        note(fewer(len(renderings), len(names)))
    total = elements.canvas.height * elements.canvas.width
    for name, rendering in zip(names, renderings, strict=False):
        write_picture(
            rendering.picture(size),
            name,
            format,
            text=rendering.provenance,
            **typed(quality=quality, metadata=metadata),
        )
        share = rendering.changed_pixels / total
        of = f"{name}: " if len(names) > 1 else ""
        note(f"{of}{rendering.changed_pixels} of {total} pixels changed ({share:.1%})")


def output_names(output: str | None, count: int) -> list[str | None]:
    """Where each variation goes: OUT.png, or OUT-1.png, OUT-2.png …

    Raises:
        UsageError: several for standard output.
    """
    if count == 1:
        return [output]
    if output is None or is_stream(output):
        raise UsageError(
            f"{count} pictures do not go to standard output", hint="name a file with -o"
        )
    return [str(path) for path in numbered(Path(output), count)]
