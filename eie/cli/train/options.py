"""Options of the trainings, each defined here alone; defaults are those of the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from eie.cli.input_output import note
from eie.files.atomic import check_folder
from eie.files.stores import path_of
from eie.train.core.settings import Precision
from eie.train.diffusion.settings import PHOTOS_OF_SHARD, Objective


def _folder_to_be(path: Path) -> Path:
    """A folder for results, looked at before the work."""
    check_folder(path)
    return path


def _shard_folder_to_be(name: str) -> str:
    """The same of a folder that may be in a store."""
    check_folder(path_of(name))
    return name


Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Folders of images, told apart by their layout: photos with human segmentations "
        "(ID.jpg and ID.gtK.png), cut-outs with an alpha channel, or plain photos. FOLDER:K leaves "
        "out every K-th file, from the first, for validation, FOLDER:K+J from the one after J "
        "others.",
    ),
]

RunFolder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="RUN_DIR", help="Folder of the run.", callback=_folder_to_be
    ),
]

ShardFolder = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder of the shards, on this machine or in a store (s3://bucket/shards).",
        callback=_shard_folder_to_be,
    ),
]

MaskFile = Annotated[
    Path, typer.Option("--output", "-o", metavar="MASKS.npz", help="Mask database to write.")
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, print the options, do not train.")
]

Steps = Annotated[int | None, typer.Option(min=1, help="Length of the run.")]

Seed = Annotated[int | None, typer.Option(min=0, help="Of batches and initial weights.")]

MixedPrecision = Annotated[Precision | None, typer.Option(help="Of products and convolutions.")]

Workers = Annotated[int | None, typer.Option(min=0, help="Processes that prepare batches.")]

Accumulate = Annotated[
    int | None, typer.Option(min=1, help="Batches whose gradients make one step.")
]

Start = Annotated[
    Path | None,
    typer.Option(
        metavar="WEIGHTS",
        help="Safetensors file to start from, as far as it fits; an encoder takes a model, too.",
    ),
]

Rate = Annotated[float | None, typer.Option(min=0.0, help="Highest learning rate.")]

HeadRate = Annotated[
    float | None, typer.Option(min=0.0, help="Highest learning rate but for the backbone.")
]

BackboneRate = Annotated[
    float | None, typer.Option(min=0.0, help="Highest learning rate of the backbone.")
]

Batch = Annotated[int | None, typer.Option(min=1, help="Crops in a batch.")]

Crop = Annotated[
    int | None,
    typer.Option(help="Side of a crop in pixels, a multiple of 32, or for the autoencoder of 8."),
]

Batches = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Different batches, kept in the run's folder; after so many they come again. Without "
        "a number, new ones all along.",
    ),
]

Segmented = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="Share of crops of photos that people segmented."),
]

Pasted = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Share of such photos' crops that get objects, too, as all others do.",
    ),
]

Objects = Annotated[int | None, typer.Option(min=1, help="Most objects on a crop.")]

Segments = Annotated[int | None, typer.Option(min=1, help="Most things asked for in a view.")]

Noise = Annotated[
    float | None, typer.Option(min=0.0, help="On what elements look like, in standard deviations.")
]

AffinityWeight = Annotated[
    float | None,
    typer.Option(
        min=0.0, help="Weight of the affinity's cross-entropy: of whole objects against elements."
    ),
]

DiceWeight = Annotated[
    float | None, typer.Option(min=0.0, help="Weight of the affinity's overlap.")
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

Encoder = Annotated[str | None, typer.Option(metavar="tiny|DIR", help="Model folder of stage 1.")]

Vae = Annotated[
    str | None, typer.Option(metavar="tiny|DIR", help="Folder of the latent autoencoder.")
]

Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="MASKS.npz", help="Mask database of eie train masks.", show_default="ellipses"
    ),
]

OfShard = Annotated[
    int | None, typer.Option(min=1, help="Photos in a shard.", show_default=str(PHOTOS_OF_SHARD))
]

Predicted = Annotated[Objective | None, typer.Option(help="What the U-Net predicts.")]

MinSnr = Annotated[
    float | None, typer.Option(min=0.0, help="γ of min-SNR loss weights; 0 for none.")
]

Freeze = Annotated[
    bool | None,
    typer.Option(
        "--freeze/--no-freeze",
        help="Leave the content encoder as stage 1 left it, or train it along.",
    ),
]

Joint = Annotated[
    bool | None,
    typer.Option("--joint", help="Train an encoder from nothing along, without stage 1."),
]

Dropout = Annotated[
    bool, typer.Option("--dropout/--no-dropout", help="Element dropout.", show_default="--dropout")
]

RandomPartition = Annotated[
    bool | None,
    typer.Option(
        "--random-partition/--no-random-partition",
        help="Cut crops with dropped elements by another photo's label map.",
    ),
]

LightPicture = Annotated[
    bool | None,
    typer.Option(
        "--light-picture/--no-light-picture",
        help="Show the U-Net the light decoder's picture, too; without, it learns of elements "
        "by attention only, as in the paper.",
    ),
]

PictureFeatures = Annotated[
    bool | None,
    typer.Option(
        "--picture-features/--no-picture-features",
        help="Show it that picture's ImageNet features, too.",
    ),
]

GuessDeviation = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="Make what is to be added to a first guess, the light decoder's picture or the "
        "classical decoder's fill: the standard deviation, in latents, of what an untrained U-Net "
        "adds. 0 makes everything, as in the paper. Only with a light picture and v_prediction.",
    ),
]

FeatureWeight = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="Weight of the distance in ImageNet features in the loss; 0 for none, as in the "
        "paper.",
    ),
]

LastShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Share of crops at the noise schedule's last step, where all is to be told from what "
        "is known.",
    ),
]

Temperature = Annotated[
    float | None,
    typer.Option(min=0.0, help="How far from what it expects most the model is to be used."),
]

Checkpointing = Annotated[
    bool | None, typer.Option("--checkpointing", help="Trade time for memory in the U-Net.")
]

LOOP = {"seed": Seed, "precision": MixedPrecision, "workers": Workers, "accumulate": Accumulate}
"""Options of the loop that every stage has, besides the number of steps."""


def run_training(
    train: Callable[..., dict[str, Any]],
    data: list[str],
    output: Path,
    settings: Any,
    dry_run: bool,
    made: str = "",
) -> None:
    """Train a stage, and print the options of a dry run, else what was trained.

    Args:
        train: of a stage: takes folders, run folder, settings and whether to try only.
        made: what it makes, in the run folder.
    """
    from eie.train.core.images import Folder

    options = train([Folder.parse(folder) for folder in data], output, settings, dry_run)
    if dry_run:
        typer.echo(json.dumps(options, indent=2, default=str))
    else:
        note(f"trained: {output / made}")
