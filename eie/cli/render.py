"""`eie render`: an element file becomes a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eie.batch import is_several
from eie.batch.inputs import numbered
from eie.cli.bundles import ArgumentOptions, bundled
from eie.cli.input_output import (
    is_stream,
    note,
    picture_format,
    read_elements,
    refuse_element_file,
    refuse_terminal,
    working,
    write_picture,
)
from eie.cli.many import MANY, Many, single, work_through
from eie.cli.options import (
    Device,
    Edge,
    ElementFiles,
    Metadata,
    Model,
    OutputPicture,
    PictureFormat,
    Quality,
    option,
)
from eie.errors import UsageError
from eie.files.photo_writing import check_picture
from eie.rendering import (
    DECODERS,
    DEFAULT,
    DEFAULT_FREE,
    DiffusionDecoder,
    variations,
)
from eie.rendering.anchored import DILATION
from eie.rendering.diffusion_sampling import SCHEDULERS
from eie.rendering.traces import REACH

RENDERING = ArgumentOptions(
    dict,
    decoder=option(
        str,
        f"What makes the areas that edits reveal: {', '.join(DECODERS)}.",
        metavar="NAME",
        show_default=f"{DEFAULT}; {DEFAULT_FREE} with --free",
    ),
    free=option(
        bool,
        "Render everything from embeddings, as the paper does, instead of keeping the "
        "photo's own pixels.",
        "--free",
    ),
    dilation=option(
        int,
        "How many pixels around what is taken away are filled, too, as the photo still "
        "shows a little of it there; soft edges reach as far. 0 leaves all pixels but those of "
        "edited elements as they were. Unless chosen, halos and soft rims that it left on calm "
        f"surfaces are mended, too, up to {REACH} times as far.",
        metavar="PX",
        min=0,
        max=DILATION,
        show_default=".9 % of the photo's side, 2 to 16",
    ),
    edge=Edge,
    model=Model,
    device=Device,
    steps=option(int, "Of denoising.", min=1, show_default=str(DiffusionDecoder.steps)),
    guidance=option(
        float,
        "Weight of elements and prompt against neither; 1 or less turns it off.",
        metavar="W",
        show_default="the model's",
    ),
    temperature=option(
        float,
        "How far what is sampled may be from what the model expects most: 1 is plain "
        "sampling, with less variations differ less, 0 is that itself, in one step.",
        metavar="T",
        min=0.0,
        show_default="the model's",
    ),
    seed=option(
        int,
        "Random seed for inpainting; with the classical decoder, 0 for the best fill, 1 "
        "for the next best …",
        min=0,
        show_default=str(DiffusionDecoder.seed),
    ),
    variations=option(
        int,
        "Make K pictures, with the seeds from --seed on: OUT-1.png, OUT-2.png … The "
        "classical decoder makes fewer where there are no others as good.",
        metavar="K",
        min=1,
        show_default="1",
    ),
    prompt=option(
        str,
        "What the picture shows, for models that read text.",
        metavar="TEXT",
        show_default="the element file's",
    ),
    negative_prompt=option(str, "What it does not show.", metavar="TEXT"),
    scheduler=option(
        str, f"How to denoise: {', '.join(SCHEDULERS)}.", metavar="NAME", show_default="the model's"
    ),
)

Size = option(int, "Make pictures smaller whose longer side has more pixels.", metavar="PX", min=1)


@bundled(
    options=RENDERING,
    written=ArgumentOptions(dict, quality=Quality, metadata=Metadata, size=Size),
    many=MANY,
)
def command(
    *,
    files: ElementFiles = None,
    output: OutputPicture = None,
    options: dict[str, Any],
    format: PictureFormat = None,
    written: dict[str, Any],
    many: Many,
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
    count = options.pop("variations", 1)
    if files and is_several(files):
        from eie.batch import Render
        from eie.batch.recipe import Output, check_render

        pictures = Output((format or "png").lower(), **written, variations=count)
        pictures.check(check_render(options))
        work_through(Render(options, pictures), files, output, "element files", many)
        return
    file = single(files, many)
    format = picture_format(output, format)
    names = output_names(output, count)
    elements = read_elements(file)
    check_picture(
        format,
        elements.canvas,
        None if options.get("free") else elements.sources[0].pixels,
        quality=written.get("quality"),
        where="standard output" if is_stream(output) else output,
    )
    for name in names:
        refuse_terminal(name)
        refuse_element_file(name)
    with working("rendering") as report:
        renderings = variations(elements, count, progress=report, **options)
    if len(renderings) < count:
        from eie.batch.recipe import fewer

        note(fewer(len(renderings), count))
    size = written.pop("size", None)
    total = elements.canvas.height * elements.canvas.width
    for name, rendering in zip(names, renderings, strict=False):
        write_picture(rendering.picture(size), name, format, text=rendering.provenance, **written)
        share = rendering.changed_pixels / total
        of = f"{name}: " if count > 1 else ""
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
