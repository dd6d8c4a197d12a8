"""The commands of `eie train`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from eie.cli.bundles import SettingsOptions, bundled, changed
from eie.cli.input_output import note
from eie.cli.options import option, typed
from eie.cli.train import options as o
from eie.errors import UsageError
from eie.files.stores import path_of
from eie.train.autoencoder.settings import AutoencoderSettings
from eie.train.corrections.settings import CorrectionSettings
from eie.train.diffusion.settings import DecoderSettings, MaskSettings, decoder_settings
from eie.train.encoder.settings import PAPER, EncoderSettings, Preset
from eie.train.objects.settings import ObjectSettings
from eie.train.segmenter.settings import SegmenterSettings

Heads = option(
    list[str],
    "Run of eie train objects, to be repeated: each photo is cut by all of them that were "
    "not trained on it, and left out if there are none. Without, all are cut by the "
    "segmenter, which should not have been trained on them either.",
    metavar="RUN_DIR",
)


def _of(*names: str) -> dict[str, Any]:
    """Some of the options, for a stage that has more fields of these names."""
    return {name: o.TRAINING[name] for name in names}


@bundled(settings=SettingsOptions(SegmenterSettings, **o.TRAINING))
def segmenter(
    data: o.Data, output: o.RunFolder, settings: SegmenterSettings, dry_run: o.DryRun = False
) -> None:
    """Train the segmenter of `eie decompose`.

    \b
      eie train segmenter bsds/train objects:10 photos:20 -o runs/segmenter
      eie decompose --segmenter runs/segmenter/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.core.checkpoint import WEIGHTS_NAME
    from eie.train.segmenter.stage import train_segmenter

    o.run_training(train_segmenter, data, output, settings, dry_run, WEIGHTS_NAME)


@bundled(
    settings=SettingsOptions(
        ObjectSettings,
        **_of("segmenter", "steps", "batches", "pasted", "segments", "noise", "rate", "seed"),
        workers=o.TRAINING["workers"],
    )
)
def objects(
    data: o.Data, output: o.RunFolder, settings: ObjectSettings, dry_run: o.DryRun = False
) -> None:
    """Train a segmenter to tell objects: what a click on an element stands for.

    Photos with label maps of which things.json says which labels are things teach it most.

    \b
      eie train objects coco bsds/train objects:10 photos:20 scenes:5 -o runs/objects
      eie decompose --segmenter runs/objects/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.core.checkpoint import WEIGHTS_NAME
    from eie.train.objects.stage import train_objects

    o.run_training(train_objects, data, output, settings, dry_run, WEIGHTS_NAME)


@bundled(
    settings=SettingsOptions(CorrectionSettings, heads=Heads, **_of("segmenter", "rate", "seed"))
)
def corrections(
    data: o.Data, output: o.RunFolder, settings: CorrectionSettings, dry_run: o.DryRun = False
) -> None:
    """Train what a click selects and how further ones correct it, from photos with label maps.

    Somebody who clicks into the middle of things, and on what is still wrong, is simulated.

    \b
      eie train objects coco:4+1 bsds/train -o runs/heads-1
      eie train corrections coco bsds/val --heads runs/heads-1 -o runs/corrections
    """
    from eie.train.corrections.stage import train_corrections

    o.run_training(train_corrections, data, output, settings, dry_run)


@bundled(settings=SettingsOptions(EncoderSettings, **o.TRAINING))
def encoder(
    data: o.Data,
    output: o.RunFolder,
    settings: EncoderSettings,
    preset: Annotated[
        Preset | None,
        typer.Option(help="tiny: the embedded sizes; paper: the paper's.", show_default="tiny"),
    ] = None,
    joint: Annotated[bool, typer.Option("--joint", hidden=True)] = False,
    dry_run: o.DryRun = False,
) -> None:
    """Train content encoder and light decoder (stage 1 of the paper).

    The run folder is then a model folder.

    \b
      eie train encoder photos:20 scenes:5 bsds/train -o runs/encoder
      eie encode --model runs/encoder photo.h5
    """
    if joint:
        raise UsageError(
            "--joint is reserved for the ablation of stage 2; stage 1 is trained by itself",
            hint="leave it out, or see eie train decoder --joint",
        )
    from eie.train.encoder.stage import train_encoder

    if settings.decoder_only and settings.start is None:
        raise UsageError("--decoder-only needs an encoder", hint="name its model with --start")
    if preset == "paper":
        settings = replace(settings, model=PAPER)
    o.run_training(train_encoder, data, output, settings, dry_run)


@bundled(settings=SettingsOptions(AutoencoderSettings, **o.TRAINING))
def autoencoder(
    data: o.Data, output: o.RunFolder, settings: AutoencoderSettings, dry_run: o.DryRun = False
) -> None:
    """Train the latent autoencoder of the tiny diffusion decoder.

    \b
      eie train autoencoder photos:20 -o runs/autoencoder
    """
    from eie.train.autoencoder.stage import FOLDER, train_autoencoder

    o.run_training(train_autoencoder, data, output, settings, dry_run, FOLDER)


@bundled(settings=SettingsOptions(MaskSettings, **o.TRAINING))
def masks(data: o.Data, output: o.MaskFile, settings: MaskSettings) -> None:
    """Collect the shapes of objects, for the decoder's element dropout.

    They come from cut-outs, from what people outlined, from black-and-white pictures, and from
    objects grown in other photos.

    \b
      eie train masks objects:10 bsds/train -o runs/masks.npz
    """
    from eie.train.core.images import Folder
    from eie.train.diffusion.masks import train_masks

    found = train_masks([Folder.parse(folder) for folder in data], output, settings)
    note(f"{found['masks']} masks: {output}")


@bundled(settings=SettingsOptions(decoder_settings, **_of("base", "encoder", "segmenter")))
def shards(
    data: o.Data, output: o.ShardFolder, settings: DecoderSettings, of_shard: o.OfShard = None
) -> None:
    """Decompose and encode photos into WebDataset tar files, for the decoder's training.

    \b
      eie train shards photos -o shards
      eie train decoder shards/*.tar -o runs/decoder
      eie train shards photos --from models/sd15 -o shards
      eie train shards photos -o s3://lab/shards
      eie train decoder 's3://lab/shards/*.tar' -o runs/decoder
    """
    from eie.train.core.images import Folder
    from eie.train.diffusion.run import train_shards

    folders = [Folder.parse(folder) for folder in data]
    written = train_shards(folders, path_of(output), settings, **typed(of_shard=of_shard))
    note(f"{len(written)} shards: {output}")


@bundled(settings=SettingsOptions(decoder_settings, **o.TRAINING))
def decoder(
    data: o.Data,
    output: o.RunFolder,
    settings: DecoderSettings,
    dropout: o.Dropout = True,
    dry_run: o.DryRun = False,
) -> None:
    """Train the diffusion decoder (stage 2 of the paper).

    The run folder is then a model folder.

    \b
      eie train decoder photos:20 --masks runs/masks.npz --vae runs/autoencoder -o runs/decoder
      eie render --decoder diffusion --model runs/decoder photo.h5 -o photo.png
      eie models init sd15 --from STABLE_DIFFUSION -o models/sd15
      accelerate launch -m eie train decoder shards/*.tar --from models/sd15 -o runs/sd15
    """
    from eie.train.diffusion.run import train_decoder

    if settings.joint:  # an encoder that starts from nothing has to be trained
        settings = replace(settings, freeze=False)
    if not dropout:
        settings = changed(settings, share=0.0)
    o.run_training(train_decoder, data, output, settings, dry_run)
