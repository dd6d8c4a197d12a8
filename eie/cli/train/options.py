"""Options of the trainings, each defined here alone; defaults are those of the settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from eie.cli.input_output import note
from eie.cli.options import Segmenter, option
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


OfShard = Annotated[
    int | None, typer.Option(min=1, help="Photos in a shard.", show_default=str(PHOTOS_OF_SHARD))
]


Dropout = Annotated[
    bool, typer.Option("--dropout/--no-dropout", help="Element dropout.", show_default="--dropout")
]

TRAINING = {
    "base": option(
        str,
        "Element model to train on, as eie models init makes of Stable Diffusion: its U-Net, "
        "autoencoder, text encoder and content encoder, with the paper's settings. Captions are "
        "read from PHOTO.txt beside the photos.",
        "--from",
        metavar="DIR|HUB_ID",
        show_default="a new, tiny one",
    ),
    "masks": option(
        Path, "Mask database of eie train masks.", metavar="MASKS.npz", show_default="ellipses"
    ),
    "encoder": option(str, "Model folder of stage 1.", metavar="tiny|DIR"),
    "vae": option(str, "Folder of the latent autoencoder.", metavar="tiny|DIR"),
    "segmenter": Segmenter,
    "steps": option(int, "Length of the run.", min=1),
    "batches": option(
        int,
        "Different batches, kept in the run's folder; after so many they come again. Without "
        "a number, new ones all along.",
        min=1,
    ),
    "batch": option(int, "Crops in a batch.", min=1),
    "crop": option(int, "Side of a crop in pixels, a multiple of 32, or for the autoencoder of 8."),
    "segmented": option(float, "Share of crops of photos that people segmented.", min=0.0, max=1.0),
    "pasted": option(
        float,
        "Share of such photos' crops that get objects, too, as all others do.",
        min=0.0,
        max=1.0,
    ),
    "objects": option(int, "Most objects on a crop.", min=1),
    "segments": option(int, "Most things asked for in a view.", min=1),
    "noise": option(float, "On what elements look like, in standard deviations.", min=0.0),
    "objective": option(Objective, "What the U-Net predicts."),
    "min_snr": option(float, "γ of min-SNR loss weights; 0 for none.", min=0.0),
    "freeze": option(
        bool,
        "Leave the content encoder as stage 1 left it, or train it along.",
        "--freeze/--no-freeze",
    ),
    "joint": option(bool, "Train an encoder from nothing along, without stage 1.", "--joint"),
    "random_partition": option(
        bool,
        "Cut crops with dropped elements by another photo's label map.",
        "--random-partition/--no-random-partition",
    ),
    "light_picture": option(
        bool,
        "Show the U-Net the light decoder's picture, too; without, it learns of elements "
        "by attention only, as in the paper.",
        "--light-picture/--no-light-picture",
    ),
    "picture_features": option(
        bool,
        "Show it that picture's ImageNet features, too.",
        "--picture-features/--no-picture-features",
    ),
    "guess_deviation": option(
        float,
        "Make what is to be added to a first guess, the light decoder's picture or the "
        "classical decoder's fill: the standard deviation, in latents, of what an untrained U-Net "
        "adds. 0 makes everything, as in the paper. Only with a light picture and v_prediction.",
        min=0.0,
    ),
    "feature_weight": option(
        float,
        "Weight of the distance in ImageNet features in the loss; 0 for none, as in the paper.",
        min=0.0,
    ),
    "last_share": option(
        float,
        "Share of crops at the noise schedule's last step, where all is to be told from what "
        "is known.",
        min=0.0,
        max=1.0,
    ),
    "temperature": option(
        float, "How far from what it expects most the model is to be used.", min=0.0
    ),
    "checkpointing": option(bool, "Trade time for memory in the U-Net.", "--checkpointing"),
    "affinity_weight": option(
        float, "Weight of the affinity's cross-entropy: of whole objects against elements.", min=0.0
    ),
    "dice_weight": option(float, "Weight of the affinity's overlap.", min=0.0),
    "rate": option(float, "Highest learning rate.", min=0.0),
    "head_rate": option(float, "Highest learning rate but for the backbone.", min=0.0),
    "backbone_rate": option(float, "Highest learning rate of the backbone.", min=0.0),
    "seed": option(int, "Of batches and initial weights.", min=0),
    "precision": option(Precision, "Of products and convolutions."),
    "workers": option(int, "Processes that prepare batches.", min=0),
    "accumulate": option(int, "Batches whose gradients make one step.", min=1),
    "start": option(
        Path,
        "Safetensors file to start from, as far as it fits; an encoder takes a model, too.",
        metavar="WEIGHTS",
    ),
    "decoder_only": option(
        bool, "Leave the encoder as --start has it: embeddings stay valid.", "--decoder-only"
    ),
}
"""The options of settings, field that each sets, of whatever stage has it."""


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
