"""`eie train`: weights from images, a stage a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from eie.cli.options import typed
from eie.cli.payload import note
from eie.cli.retired import RetiringCommand
from eie.errors import UsageError
from eie.files.atomic import check_folder
from eie.train.settings import (
    PAPER,
    AutoencoderSettings,
    CropSettings,
    DecoderSettings,
    EncoderSettings,
    LoopSettings,
    MaskSettings,
    Objective,
    ObjectSettings,
    PhotoCropSettings,
    Precision,
    Preset,
    SceneSettings,
    SegmenterSettings,
    settings_for,
)

app = typer.Typer(no_args_is_help=True)

DATA_HELP = (
    "Folders of images, told apart by their layout: photos with human segmentations (ID.jpg and "
    "ID.gtK.png), cut-outs with an alpha channel, or plain photos. FOLDER:K leaves out every K-th "
    "file, from the first, for validation."
)


def _count(text: str, default: int) -> Any:
    """An option that takes a whole number from 1 up."""
    return typer.Option(min=1, help=text, show_default=str(default))


def _amount(text: str, default: float) -> Any:
    """An option that takes a number from 0 up."""
    return typer.Option(min=0.0, help=text, show_default=str(default))


def _share(text: str, default: float) -> Any:
    """An option that takes a number from 0 to 1."""
    return typer.Option(min=0.0, max=1.0, help=text, show_default=str(default))


Data = Annotated[list[str], typer.Argument(metavar="DATA...", help=DATA_HELP)]


def _folder_to_be(path: Path) -> Path:
    """A folder for results, looked at before the work."""
    check_folder(path)
    return path


RunFolder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="RUN_DIR", help="Folder of the run.", callback=_folder_to_be
    ),
]

Steps = Annotated[
    int | None,
    _count("Length of the run.", LoopSettings.steps),
]

Seed = Annotated[int | None, typer.Option(min=0, show_default=str(LoopSettings.seed))]

PrecisionOption = Annotated[
    Precision | None,
    typer.Option(help="Of products and convolutions.", show_default=LoopSettings.precision),
]

Workers = Annotated[
    int | None,
    typer.Option(
        min=0, help="Processes that prepare batches.", show_default=str(LoopSettings.workers)
    ),
]


def _segmenter(default: str) -> Any:
    """The option --segmenter, whose default depends on the command."""
    return typer.Option(
        "--segmenter",
        metavar="NAME|CHECKPOINT.pth",
        help="What cuts the photos, as in eie decompose.",
        show_default=default,
    )


Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="tiny|DIR",
        help="Model folder of stage 1.",
        show_default=DecoderSettings.encoder,
    ),
]

Base = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DIR|HUB_ID",
        help="Element model to train on, as eie models init makes of Stable Diffusion: its U-Net, "
        "autoencoder, text encoder and content encoder, with the paper's settings. Captions are "
        "read from PHOTO.txt beside the photos.",
        show_default="a new, tiny one",
    ),
]

Start = Annotated[
    Path | None,
    typer.Option(metavar="WEIGHTS", help="Safetensors file to start from, as far as it fits."),
]

Accumulate = Annotated[
    int | None,
    _count("Batches whose gradients make one step.", LoopSettings.accumulate),
]

Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="MASKS.npz", help="Mask database of eie train masks.", show_default="ellipses"
    ),
]

Batches = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Different batches, kept in the run's folder; after so many they come again.",
        show_default="new ones all along",
    ),
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, print the options, do not train.")
]


def _loop(
    steps: int | None,
    seed: int | None,
    precision: Precision | None,
    workers: int | None,
    accumulate: int | None,
) -> dict[str, Any]:
    """The settings of the loop that were typed."""
    return typed(
        steps=steps, seed=seed, precision=precision, workers=workers, accumulate=accumulate
    )


def _decoder_defaults(base: str | None) -> DecoderSettings:
    """The settings of stage 2: the paper's for an element model that is trained on."""
    return settings_for(base) if base else DecoderSettings()


def _tell(options: Mapping[str, Any], dry_run: bool, made: Path) -> None:
    """Print the options of a dry run, else what was trained."""
    if dry_run:
        typer.echo(json.dumps(options, indent=2, default=str))
    else:
        note(f"trained: {made}")


@app.callback()
def train() -> None:
    """Train the embedded models; the same command resumes an interrupted run."""


@app.command(name="segmenter")
def segmenter(
    data: Data,
    output: RunFolder,
    steps: Steps = None,
    batch: Annotated[
        int | None,
        _count("Crops in a batch.", SceneSettings.batch),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(help="Side of a crop in pixels.", show_default=str(SceneSettings.crop)),
    ] = None,
    segmented: Annotated[
        float | None,
        _share("Share of crops of photos that people segmented.", SceneSettings.segmented),
    ] = None,
    pasted: Annotated[
        float | None,
        _share(
            "Share of these that get objects pasted on, as all others do.", SceneSettings.pasted
        ),
    ] = None,
    objects: Annotated[
        int | None,
        _count("Most objects on a crop.", SceneSettings.objects),
    ] = None,
    affinity_weight: Annotated[
        float | None,
        _amount(
            "Weight of the affinity's cross-entropy: of whole objects against elements.",
            SegmenterSettings.affinity_weight,
        ),
    ] = None,
    dice_weight: Annotated[
        float | None,
        _amount("Weight of the affinity's overlap.", SegmenterSettings.dice_weight),
    ] = None,
    head_rate: Annotated[
        float | None,
        _amount("Highest learning rate but for the backbone.", SegmenterSettings.head_rate),
    ] = None,
    backbone_rate: Annotated[
        float | None,
        _amount("Highest learning rate of the backbone.", SegmenterSettings.backbone_rate),
    ] = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    accumulate: Accumulate = None,
    start: Start = None,
    dry_run: DryRun = False,
) -> None:
    """Train the segmenter of `eie decompose`.

    \b
      eie train segmenter bsds/train objects:10 photos:20 -o runs/segmenter
      eie decompose --segmenter runs/segmenter/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.images import Folder
    from eie.train.segmenter import WEIGHTS_NAME, train_segmenter

    default = SegmenterSettings()
    settings = replace(
        default,
        loop=replace(default.loop, **_loop(steps, seed, precision, workers, accumulate)),
        scenes=replace(
            default.scenes,
            **typed(batch=batch, crop=crop, segmented=segmented, pasted=pasted, objects=objects),
        ),
        **typed(
            affinity_weight=affinity_weight,
            dice_weight=dice_weight,
            head_rate=head_rate,
            backbone_rate=backbone_rate,
            start=start,
        ),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_segmenter(folders, output, settings, dry_run)
    _tell(options, dry_run, output / WEIGHTS_NAME)


@app.command(name="objects")
def objects(
    data: Data,
    output: RunFolder,
    segmenter: Annotated[str | None, _segmenter(ObjectSettings.segmenter)] = None,
    steps: Annotated[int | None, _count("Length of the run.", ObjectSettings.loop.steps)] = None,
    batches: Annotated[
        int | None,
        _count(
            "Different views, kept in the run's folder; after so many they come again.",
            ObjectSettings.batches,
        ),
    ] = None,
    pasted: Annotated[
        float | None,
        _share("Share of views of segmented photos that get objects, too.", ObjectSettings.pasted),
    ] = None,
    segments: Annotated[
        int | None, _count("Most things asked for in a view.", ObjectSettings.segments)
    ] = None,
    noise: Annotated[
        float | None,
        _amount("On what elements look like, in standard deviations.", ObjectSettings.noise),
    ] = None,
    rate: Annotated[float | None, _amount("Highest learning rate.", ObjectSettings.rate)] = None,
    seed: Seed = None,
    workers: Workers = None,
    dry_run: DryRun = False,
) -> None:
    """Train a segmenter to tell objects: what a click on an element stands for.

    Photos with label maps of which things.json says which labels are things teach it most.

    \b
      eie train objects coco bsds/train objects:10 photos:20 scenes:5 -o runs/objects
      eie decompose --segmenter runs/objects/tiny-segmenter.safetensors photo.jpg -o photo.h5
    """
    from eie.train.images import Folder
    from eie.train.objects import train_objects
    from eie.train.segmenter import WEIGHTS_NAME

    settings = replace(
        ObjectSettings(),
        loop=replace(ObjectSettings.loop, **_loop(steps, seed, None, workers, None)),
        **typed(
            segmenter=segmenter,
            batches=batches,
            pasted=pasted,
            segments=segments,
            noise=noise,
            rate=rate,
        ),
    )
    folders = [Folder.parse(text) for text in data]
    options = train_objects(folders, output, settings, dry_run)
    _tell(options, dry_run, output / WEIGHTS_NAME)


@app.command(name="encoder")
def encoder(
    data: Data,
    output: RunFolder,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset",
            help="tiny: the embedded sizes; paper: the paper's.",
            show_default="tiny",
        ),
    ] = None,
    segmenter: Annotated[str | None, _segmenter(EncoderSettings.segmenter)] = None,
    steps: Annotated[
        int | None,
        _count("Length of the run.", EncoderSettings().loop.steps),
    ] = None,
    batch: Annotated[
        int | None,
        _count("Crops in a batch.", EncoderSettings().crops.batch),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            help="Side of a crop in pixels, a multiple of 32.", show_default=str(CropSettings.crop)
        ),
    ] = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    accumulate: Accumulate = None,
    start: Start = None,
    joint: Annotated[
        bool,
        typer.Option(
            "--joint",
            help="Reserved for the paper's ablation, which is eie train decoder --joint.",
        ),
    ] = False,
    dry_run: DryRun = False,
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
    from eie.train.encoder import train_encoder
    from eie.train.images import Folder

    default = EncoderSettings()
    settings = replace(
        default,
        model=PAPER if preset == "paper" else default.model,
        loop=replace(default.loop, **_loop(steps, seed, precision, workers, accumulate)),
        crops=replace(default.crops, **typed(batch=batch, crop=crop)),
        **typed(segmenter=segmenter, start=start),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_encoder(folders, output, settings, dry_run)
    _tell(options, dry_run, output)


@app.command(name="autoencoder")
def autoencoder(
    data: Data,
    output: RunFolder,
    steps: Steps = None,
    batch: Annotated[
        int | None,
        _count("Crops in a batch.", PhotoCropSettings.batch),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            help="Side of a crop in pixels, a multiple of 8.",
            show_default=str(PhotoCropSettings.crop),
        ),
    ] = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    accumulate: Accumulate = None,
    start: Start = None,
    dry_run: DryRun = False,
) -> None:
    """Train the latent autoencoder of the tiny diffusion decoder.

    \b
      eie train autoencoder photos:20 -o runs/autoencoder
    """
    from eie.train.autoencoder import FOLDER, train_autoencoder
    from eie.train.images import Folder

    default = AutoencoderSettings()
    settings = replace(
        default,
        loop=replace(default.loop, **_loop(steps, seed, precision, workers, accumulate)),
        crops=replace(default.crops, **typed(batch=batch, crop=crop)),
        **typed(start=start),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_autoencoder(folders, output, settings, dry_run)
    _tell(options, dry_run, output / FOLDER)


@app.command(name="masks")
def masks(
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MASKS.npz", help="Mask database to write.")
    ],
    segmenter: Annotated[str | None, _segmenter(MaskSettings.segmenter)] = None,
) -> None:
    """Collect the shapes of objects, for the decoder's element dropout.

    They come from cut-outs, from what people outlined, from black-and-white pictures, and from
    objects grown in other photos.

    \b
      eie train masks objects:10 bsds/train -o runs/masks.npz
    """
    from eie.train.images import Folder
    from eie.train.masks import train_masks

    settings = replace(MaskSettings(), **typed(segmenter=segmenter))
    found = train_masks([Folder.parse(folder) for folder in data], output, settings)
    note(f"{found['masks']} masks: {output}")


@app.command(name="shards")
def shards(
    data: Data,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder of the shards.", callback=_folder_to_be
        ),
    ],
    base: Base = None,
    encoder: Encoder = None,
    segmenter: Annotated[str | None, _segmenter(DecoderSettings.segmenter)] = None,
    of_shard: Annotated[
        int | None, typer.Option(min=1, help="Photos in a shard.", show_default="1000")
    ] = None,
) -> None:
    """Decompose and encode photos into WebDataset tar files, for the decoder's training.

    \b
      eie train shards photos -o shards
      eie train decoder shards/*.tar -o runs/decoder
      eie train shards photos --from models/sd15 -o shards
    """
    from eie.train.decoder import train_shards
    from eie.train.images import Folder

    settings = replace(_decoder_defaults(base), **typed(encoder=encoder, segmenter=segmenter))
    folders = [Folder.parse(folder) for folder in data]
    written = train_shards(folders, output, settings, **typed(of_shard=of_shard))
    note(f"{len(written)} shards: {output}")


@app.command(name="decoder", cls=RetiringCommand)
def decoder(
    data: Data,
    output: RunFolder,
    base: Base = None,
    masks: Masks = None,
    encoder: Encoder = None,
    vae: Annotated[
        str | None,
        typer.Option(
            metavar="tiny|DIR",
            help="Folder of the latent autoencoder.",
            show_default=DecoderSettings.vae,
        ),
    ] = None,
    segmenter: Annotated[str | None, _segmenter(DecoderSettings.segmenter)] = None,
    steps: Annotated[
        int | None,
        _count("Length of the run.", DecoderSettings().loop.steps),
    ] = None,
    batch: Annotated[
        int | None,
        _count("Crops in a batch.", DecoderSettings().crops.batch),
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            help="Side of a crop in pixels, a multiple of 32.", show_default=str(CropSettings.crop)
        ),
    ] = None,
    objective: Annotated[
        Objective | None,
        typer.Option(help="What the U-Net predicts.", show_default=DecoderSettings.objective),
    ] = None,
    min_snr: Annotated[
        float | None,
        _amount("γ of min-SNR loss weights; 0 for none.", DecoderSettings.min_snr),
    ] = None,
    freeze: Annotated[
        bool | None,
        typer.Option(
            "--freeze/--no-freeze",
            help="Leave the content encoder as stage 1 left it, or train it along.",
            show_default="--freeze",
        ),
    ] = None,
    joint: Annotated[
        bool | None,
        typer.Option("--joint", help="Train an encoder from nothing along, without stage 1."),
    ] = None,
    random_partition: Annotated[
        bool | None,
        typer.Option(
            "--random-partition/--no-random-partition",
            help="Cut crops with dropped elements by another photo's label map.",
            show_default="--random-partition",
        ),
    ] = None,
    dropout: Annotated[
        bool | None,
        typer.Option("--dropout/--no-dropout", help="Element dropout.", show_default="--dropout"),
    ] = None,
    light_picture: Annotated[
        bool | None,
        typer.Option(
            "--light-picture/--no-light-picture",
            help="Show the U-Net the light decoder's picture, too; without, it learns of elements "
            "by attention only, as in the paper.",
            show_default="--light-picture",
        ),
    ] = None,
    picture_features: Annotated[
        bool | None,
        typer.Option(
            "--picture-features/--no-picture-features",
            help="Show it that picture's ImageNet features, too.",
            show_default="--picture-features",
        ),
    ] = None,
    guess_deviation: Annotated[
        float | None,
        _amount(
            "Make what is to be added to a first guess, the light decoder's picture or the "
            "classical decoder's fill: the standard deviation, in latents, of what an untrained "
            "U-Net adds. 0 makes everything, as in the paper. Only with a light picture and "
            "v_prediction.",
            DecoderSettings.guess_deviation,
        ),
    ] = None,
    feature_weight: Annotated[
        float | None,
        _amount(
            "Weight of the distance in ImageNet features in the loss; 0 for none, as in the paper.",
            DecoderSettings.feature_weight,
        ),
    ] = None,
    last_share: Annotated[
        float | None,
        _share(
            "Share of crops at the noise schedule's last step, where all is to be told from "
            "what is known.",
            DecoderSettings.last_share,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        _amount(
            "How far from what it expects most the model is to be used.",
            DecoderSettings.temperature,
        ),
    ] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option("--checkpointing", help="Trade time for memory in the U-Net."),
    ] = None,
    rate: Annotated[
        float | None,
        _amount("Highest learning rate.", DecoderSettings.rate),
    ] = None,
    batches: Batches = None,
    seed: Seed = None,
    precision: PrecisionOption = None,
    workers: Workers = None,
    accumulate: Accumulate = None,
    start: Start = None,
    dry_run: DryRun = False,
) -> None:
    """Train the diffusion decoder (stage 2 of the paper).

    The run folder is then a model folder.

    \b
      eie train decoder photos:20 --masks runs/masks.npz --vae runs/autoencoder -o runs/decoder
      eie render --decoder diffusion --model runs/decoder photo.h5 -o photo.png
      eie models init sd15 --from STABLE_DIFFUSION -o models/sd15
      accelerate launch -m eie train decoder shards/*.tar --from models/sd15 -o runs/sd15
    """
    from eie.train.decoder import train_decoder
    from eie.train.images import Folder

    default = _decoder_defaults(base)
    share = 0.0 if dropout is False else None
    settings = replace(
        default,
        loop=replace(default.loop, **_loop(steps, seed, precision, workers, accumulate)),
        crops=replace(default.crops, **typed(batch=batch, crop=crop)),
        dropout=replace(default.dropout, **typed(share=share, random_partition=random_partition)),
        **typed(
            masks=masks,
            encoder=encoder,
            vae=vae,
            segmenter=segmenter,
            objective=objective,
            min_snr=min_snr,
            # An encoder that starts from nothing has to be trained.
            freeze=False if joint else freeze,
            joint=joint,
            light_picture=light_picture,
            picture_features=picture_features,
            guess_deviation=guess_deviation,
            feature_weight=feature_weight,
            last_share=last_share,
            temperature=temperature,
            checkpointing=checkpointing,
            rate=rate,
            batches=batches,
            start=start,
        ),
    )
    folders = [Folder.parse(folder) for folder in data]
    options = train_decoder(folders, output, settings, dry_run)
    _tell(options, dry_run, output)


if __name__ == "__main__":
    app()
