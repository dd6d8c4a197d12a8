"""`eie evaluate edits`: edits with known truth, against inpainting with the exact mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eie.cli.evaluate.options import (
    Csv,
    Json,
    Limit,
    ObjectsEvery,
    ReportFolder,
    ScenesEvery,
    Seed,
    Segmenter,
    StoreFolder,
    Workers,
    check_formats,
    command_line,
    hand_out,
    store_folder,
    words,
)
from eie.cli.options import Device, Edge, Elements, Model, typed
from eie.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eie.evaluate.compositions import Composition
    from eie.evaluate.pairs import PairCase


def command(
    context: typer.Context,
    scenes: Annotated[
        Path | None,
        typer.Option("--scenes", metavar="DIR", help="Photos that objects are pasted on."),
    ] = None,
    objects: Annotated[
        Path | None,
        typer.Option("--objects", metavar="DIR", help="Cut-out objects with an alpha channel."),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            metavar="DIR",
            help="Instead of both: real photos NAME_1.jpg and NAME_2.jpg of one scene, in which an "
            "object was moved or taken away, and NAME_1_mask.png, NAME_2_mask.png, white on it.",
        ),
    ] = None,
    scenes_every: ScenesEvery = None,
    objects_every: ObjectsEvery = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds",
            metavar="NAME,...",
            help="Edits to judge.",
            show_default="move,remove,resize,copy; move,remove of pairs",
        ),
    ] = None,
    shadow: Annotated[
        bool | None,
        typer.Option("--shadow", help="Give pasted objects a soft contact shadow."),
    ] = None,
    decoders: Annotated[
        str | None,
        typer.Option(
            "--decoder",
            metavar="NAME,...",
            help="Decoders to judge, as in eie render, or none.",
            show_default="classical,light; light with --free",
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="NAME,...",
            help="nothing (no edit), hole (grey), telea, patchmatch (PyPatchMatch), "
            "patchmatch-cython, shiftmap (He & Sun 2012), or none. They are given the object's "
            "exact mask, of all that it touches unless --select mask.",
            show_default="all; none with --free",
        ),
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            "--select",
            metavar="click|mask|exact",
            help="How eie picks the object: by object@x,y at the pixel of it that is farthest from "
            "its border; by mask: with its true mask, the pixels more its own than the scene's, "
            "which baselines are given, too; or with a mask of all that it touches, undilated (by "
            "3 pixels of pairs), so that decoders have to fill exactly what baselines have to.",
            show_default="click",
        ),
    ] = None,
    free: Annotated[
        bool | None,
        typer.Option(
            "--free",
            help="Decode everything from embeddings and boxes, and compare with decoding the "
            "elements unedited.",
        ),
    ] = None,
    edge: Edge = None,
    model: Model = None,
    segmenter: Segmenter = None,
    elements: Elements = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=64,
            help="Long side that photos are scaled down to.",
            show_default="512",
        ),
    ] = None,
    limit: Limit = None,
    seed: Seed = None,
    workers: Workers = None,
    device: Device = None,
    store: StoreFolder = None,
    report: ReportFolder = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Edit objects where the right result is known, and compare.

    An object pasted on a scene at A, and the same at B, is a move with known truth; with and
    without it, a removal; at two sizes, a resize; at A, and at A and B, a copy. Three regions are
    judged: revealed, what the object covered before and no longer does; object, its new place;
    untouched, all the rest, without a margin. Edge: PSNR within 8 pixels of the object's border at
    its new place, away from the old one. Features: at every pixel the squared distance of
    unit-length EfficientNet-Lite0 features (ImageNet) of result and truth, mean over strides 2, 4,
    8, 16, 32 and the region; 0 to 4. Identical: share of the untouched pixels that equal the photo
    before. Leftover: how much of the object's detail still shows at its old place, 0 to 1 (least
    squares of the result's detail on that of the photo before and of the truth). Selection IoU: of
    the elements picked and the true mask. Processor time: seconds of rendering the edit. Means are
    over the cases whose region has 64 pixels or more.

    These reward a smear, the average of all that may have been there; two measures see it, where
    600 pixels or more are revealed. KID: kernel distance (Bińkowski et al. 2018, cubic kernel) of
    the crops about what is revealed to those of the truths, in EfficientNet-Lite0 features at
    strides 8, 16 and 32, standardised by the truths'; a figure of the whole set of cases, to be
    compared on the same cases only. Detail: root of the gradient energy in what is revealed over
    the truth's, median of the cases; 1 is right, a smear is near 0.

    Of a pair, the object of each photo is removed, and judged where the other photo does not show
    it; if both do, it is also moved from its place in either to that in the other, centroid of the
    mask to centroid, and scaled by the root of the masks' areas. What photos show of an object ends
    in a blur: masks of pairs are dilated by 4 pixels before it is said what is revealed and what is
    untouched, and by 3 for baselines.

    \b
      eie evaluate edits --scenes scenes --objects objects --limit 100 --workers 2 --report report
      eie evaluate edits --pairs pairs --decoder light --json > pairs.json
      eie evaluate edits --scenes scenes --objects objects --kinds move,resize --free --select mask
    """
    from eie.evaluate.edit_settings import EditSettings
    from eie.evaluate.edits import edit_plots, evaluate_edits, report_key
    from eie.evaluate.plots import check_plots

    check_formats(json, csv)
    if report is not None:
        check_plots()
    pasted = (scenes, objects, scenes_every, objects_every, shadow)
    chosen = typed(limit=limit, kinds=words(kinds))
    cases = _pair_cases(pairs, *pasted, **chosen) if pairs else None
    settings = EditSettings(
        **typed(
            decoders=words(decoders),
            baselines=words(baselines),
            select=select,
            free=free,
            edge=edge,
            segmenter=segmenter,
            elements=elements,
            size=size,
            shadow=shadow,
            device=device,
        ),
        options=typed(model=model, seed=seed),
    )
    results = evaluate_edits(
        cases
        or _pasted_cases(
            scenes, objects, scenes_every, objects_every, **chosen, **typed(seed=seed)
        ),
        settings,
        store=store_folder(store, report),
        command=command_line(context),
        **typed(workers=workers),
    )
    plots = {} if report is None else edit_plots(results, settings)
    hand_out(results, json=json, csv=csv, report=report, plots=plots, key=report_key(settings))


def _pasted_cases(
    scenes: Path | None,
    objects: Path | None,
    scenes_every: int | None,
    objects_every: int | None,
    **choice: Any,
) -> Sequence[Composition]:
    from eie.evaluate.compositions import plan_compositions
    from eie.evaluate.photos import chosen_files

    if scenes is None or objects is None:
        raise UsageError("name --scenes and --objects, or --pairs")
    return plan_compositions(
        [file.path for file in chosen_files(scenes, scenes_every)],
        [file.path for file in chosen_files(objects, objects_every)],
        **choice,
    )


def _pair_cases(pairs: Path, *others: object, **choice: Any) -> Sequence[PairCase]:
    from eie.evaluate.pairs import find_pairs, plan_pairs

    if any(other is not None for other in others):
        raise UsageError("--pairs goes without the options of pasted objects")
    return plan_pairs(find_pairs(pairs), **choice)
