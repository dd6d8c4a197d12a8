"""`eie evaluate edits`: edits with known truth, against inpainting with the exact mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.cli.options import Model, typed
from eie.errors import UsageError
from eie.evaluate.settings import EditSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eie.evaluate.cases.compositions import Composition
    from eie.evaluate.cases.pairs import PairCase


@bundled(
    settings=SettingsOptions(EditSettings, **o.SETTINGS),
    pasted=o.PASTED,
    output=o.OutputOptions(every=False),
)
def command(
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
    and light; with --free, light and no baseline.

    \b
      eie evaluate edits --scenes scenes --objects objects --limit 100 --workers 2 --report report
      eie evaluate edits --pairs pairs --decoder light --json > pairs.json
      eie evaluate edits --scenes scenes --objects objects --kinds move,resize --free --select mask
    """
    from eie.evaluate.cases.pairs import find_pairs, plan_pairs
    from eie.evaluate.edits import evaluate_edits

    output.check_plots()
    settings = replace(settings, options=typed(model=model, seed=seed))
    chosen: dict[str, Any] = typed(limit=output.run.limit, kinds=kinds)
    cases: Sequence[Composition | PairCase]
    if pairs:
        if settings.shadow or pasted:
            raise UsageError("--pairs goes without the options of pasted objects")
        cases = plan_pairs(find_pairs(pairs), **chosen)
    else:
        chosen |= typed(seed=seed)
        cases = pasted_cases(**pasted, **chosen)
    output.hand_out(evaluate_edits(cases, settings, output.run))


def pasted_cases(
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
