"""The commands of `eie evaluate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.cli.options import Model, typed
from eie.errors import UsageError
from eie.evaluate.settings import (
    ClickSettings,
    EditSettings,
    ReconstructionSettings,
    SegmentationSettings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eie.evaluate.cases.compositions import Composition
    from eie.evaluate.cases.pairs import PairCase


@bundled(
    settings=SettingsOptions(ReconstructionSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def reconstruction(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Photos.")],
    settings: ReconstructionSettings,
    keep_aspect: Annotated[
        bool, typer.Option("--keep-aspect", help="Take the whole photo, not its central square.")
    ] = False,
    output: o.Output,
) -> None:
    """Reconstruct photos from their embeddings and measure what comes back.

    Baselines are codes of as many bytes: pca, ordinary PCA of 32×32 patches with as many numbers an
    element, laid back by the true masks; jpeg and webp. An embedding counts 2 bytes a number, a box
    8. Decoders render as with --free.

    \b
      eie evaluate reconstruction photos --every 20 --report report
      eie evaluate reconstruction kodak --keep-aspect --json > kodak.json
    """
    from eie.evaluate.reconstruction import evaluate_reconstruction

    output.check_plots()
    if keep_aspect:
        settings = replace(settings, fit="keep")
    output.hand_out(evaluate_reconstruction(folder, settings, output.run))


@bundled(
    settings=SettingsOptions(SegmentationSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def segmentation(
    *,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with human segmentations: ID.gtK.png or BSDS500's ID.mat for ID.jpg.",
        ),
    ],
    settings: SegmentationSettings,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the segmentations.",
            show_default="DIR, or groundTruth beside images as BSDS500 has it",
        ),
    ] = None,
    output: o.Output,
) -> None:
    """Compare elements and superpixels with what people saw.

    Boundary recall: share of the human border pixels with a border pixel of the partition in the
    square of 5×5 pixels around; a border pixel is one whose right or lower neighbour belongs to
    something else. Undersegmentation error: Neubert and Protzel's, as a share of the pixels.
    Achievable accuracy: share of pixels that are right if every element takes its best segment's
    label. These are means over the people who segmented a photo. Explained variation: share of the
    colours' variance that the elements' mean colours explain. Compactness: isoperimetric quotient,
    mean weighted by area. Photos keep their size. Baselines: slic is scikit-image's, seeds and lsc
    are of OpenCV's contrib modules.

    \b
      eie evaluate segmentation BSDS500/data/images/val --report report
      eie evaluate segmentation bsds/val --counts 64,128,256,512 --json > curves.json
    """
    from eie.evaluate.segmentation import evaluate_segmentation

    if len(settings.counts) > 1:
        output.check_plots()
    output.hand_out(evaluate_segmentation(folder, settings, truth=truth, run=output.run))


@bundled(
    settings=SettingsOptions(ClickSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def clicks(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos with label maps, ID.gt0.png for ID.jpg; things.json tells which labels "
            "are things, without it all are. Or with outlines, ID.json of SA-1B or LabelMe.",
        ),
    ],
    settings: ClickSettings,
    output: o.Output,
) -> None:
    """Select things by clicks, and compare with what people outlined.

    The first click is at a thing's innermost point, and selects object@x,y. Every further one is in
    the middle of the largest connected error: on what is missing it adds +object@x,y, on what is
    too much -object@x,y. IoU: intersection over union after 1, 2 and 3 clicks. NoC@80, NoC@85: the
    clicks until the IoU is .80 or .85, the most allowed where it never is. "best choice of
    elements" takes those of which more than half lies in the thing. Means are over things; label 0
    of a things.json's photo is void and counts as outside. --every and --limit count photos. The
    baseline grabcut is OpenCV's GrabCut on SLIC superpixels.

    \b
      eie evaluate clicks coco/val --report report
      eie evaluate clicks BSDS500/data/images/val --clicks 20 --json > clicks.json
    """
    from eie.evaluate.clicks import evaluate_clicks

    output.hand_out(evaluate_clicks(folder, settings, output.run))


@bundled(
    settings=SettingsOptions(EditSettings, **o.SETTINGS),
    pasted=o.PASTED,
    output=o.OutputOptions(every=False),
)
def edits(
    *,
    pasted: dict[str, Any],
    pairs: o.Pairs = None,
    kinds: o.Kinds = None,
    settings: EditSettings,
    model: Model = None,
    seed: o.Seed = None,
    output: o.Output,
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

    Baselines: nothing (no edit), hole (grey), telea, patchmatch (PyPatchMatch), patchmatch-cython
    and shiftmap (He & Sun 2012). They are given the object's exact mask, of all that it touches
    unless --select mask. Where nothing is named, all of them are judged, and the decoders classical
    and light; with --free, light and no baseline. --seed says where objects are pasted; only where
    none are, with --pairs, it is the decoders'.

    \b
      eie evaluate edits --scenes scenes --objects objects --limit 100 --workers 2 --report report
      eie evaluate edits --pairs pairs --decoder light --json > pairs.json
      eie evaluate edits --scenes scenes --objects objects --kinds move,resize --free --select mask
    """
    from eie.evaluate.cases.pairs import find_pairs, plan_pairs
    from eie.evaluate.edits import evaluate_edits

    output.check_plots()
    chosen: dict[str, Any] = typed(limit=output.run.limit, kinds=kinds)
    drawn = typed(seed=seed)
    cases: Sequence[Composition | PairCase]
    if pairs:
        if settings.shadow or pasted:
            raise UsageError("--pairs goes without the options of pasted objects")
        cases = plan_pairs(find_pairs(pairs), **chosen)
    else:
        cases = _pasted_cases(**pasted, **chosen, **drawn)
        drawn = {}  # other places are not judged by other fills: classical's best has seed 0
    settings = replace(settings, options=typed(model=model) | drawn)
    output.hand_out(evaluate_edits(cases, settings, output.run))


@bundled(
    settings=SettingsOptions(
        ReconstructionSettings,
        **{n: o.SETTINGS[n] for n in ("size", "elements", "segmenter", "steps", "device")},
    ),
    pasted=o.PASTED,
    output=o.OutputOptions(),
)
def ablation(
    *,
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of eie train decoder.")
    ],
    photos: o.Photos,
    pasted: dict[str, Any],
    settings: ReconstructionSettings,
    seed: o.Seed = None,
    output: o.Output,
) -> None:
    """Judge training runs alike: the paper's ablation table.

    A row a run, called by the switch that it was trained with: joint training (--joint), encoder
    not frozen (--no-freeze), no random partition, no dropout. Photos are reconstructed from
    elements alone; objects pasted on scenes are moved, removed, resized and copied, cut along
    their masks, and the area that this reveals is compared with the truth, as eie evaluate edits
    does. A note says where runs differ in more than their switch.

    \b
      eie evaluate ablation runs/default runs/joint --photos photos --every 20 \\
        --scenes scenes --objects objects --limit 40 --report report
    """
    from eie.evaluate.ablation import AblationSettings, evaluate_ablation

    output.check_plots()
    drawn = typed(seed=seed)
    alike = {n: getattr(settings, n) for n in ("size", "elements", "segmenter", "device")}
    edits = EditSettings(**alike, select="exact", options={**drawn, **typed(steps=settings.steps)})
    compositions = _pasted_cases(**pasted, **drawn, **typed(limit=output.run.limit))
    judged = AblationSettings(reconstruction=replace(settings, **drawn), edits=edits)
    output.hand_out(evaluate_ablation(runs, photos, compositions, judged, output.run))


def _pasted_cases(
    scenes: Path | None = None,
    objects: Path | None = None,
    scenes_every: int | None = None,
    objects_every: int | None = None,
    **choice: Any,
) -> list[Composition]:
    """Objects pasted on scenes.

    Raises:
        UsageError: one of the folders is not named.
    """
    from eie.evaluate.cases.compositions import plan_compositions
    from eie.evaluate.core.photos import chosen_files

    if scenes is None or objects is None:
        raise UsageError("name --scenes and --objects, or --pairs")
    return plan_compositions(
        [file.path for file in chosen_files(scenes, scenes_every)],
        [file.path for file in chosen_files(objects, objects_every)],
        **choice,
    )
