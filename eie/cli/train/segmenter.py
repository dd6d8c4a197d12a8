"""`eie train segmenter`: what cuts photos into elements."""

from __future__ import annotations

from eie.cli.bundles import SettingsOptions, bundled
from eie.cli.train import options as o
from eie.train.segmenter.settings import SegmenterSettings


@bundled(
    settings=SettingsOptions(
        SegmenterSettings,
        steps=o.Steps,
        batch=o.Batch,
        crop=o.Crop,
        segmented=o.Segmented,
        pasted=o.Pasted,
        objects=o.Objects,
        affinity_weight=o.AffinityWeight,
        dice_weight=o.DiceWeight,
        head_rate=o.HeadRate,
        backbone_rate=o.BackboneRate,
        **o.LOOP,
        start=o.Start,
    )
)
def command(
    data: o.Data, output: o.RunFolder, settings: SegmenterSettings, dry_run: o.DryRun = False
) -> None:
    """Train the segmenter of `eie decompose`.

    \b
      eie train segmenter bsds/train objects:10 photos:20 -o runs/segmenter
      eie decompose --segmenter runs/segmenter/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.core.segmenters import WEIGHTS_NAME
    from eie.train.segmenter.stage import train_segmenter

    o.run_training(train_segmenter, data, output, settings, dry_run, WEIGHTS_NAME)
