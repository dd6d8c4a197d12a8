"""`eie evaluate reconstruction`: photos from embeddings alone, beside baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.evaluate import options as o
from eie.evaluate.settings import ReconstructionSettings


@bundled(
    settings=SettingsOptions(ReconstructionSettings, **o.SETTINGS),
    output=o.OutputOptions(),
)
def command(
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
