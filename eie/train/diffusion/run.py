"""Runs of stage 2: photos or shards of them ⇒ a model folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eie.errors import UsageError
from eie.files.stores import AnyPath
from eie.models.content_checkpoints import DECODER_FOLDER as LIGHT_FOLDER
from eie.models.content_checkpoints import ENCODER_FOLDER, load_content_encoder
from eie.models.diffusion_checkpoints import element_model_folder, save_diffusion_model
from eie.models.weight_files import WEIGHTS_FILE, file_hash
from eie.train.core.checkpoint import run_options
from eie.train.core.decomposed_photos import DecomposedPhotos
from eie.train.core.images import Folder, photo_files
from eie.train.core.loop import train_stage
from eie.train.diffusion.encoded_photos import (
    EncodedPhotos,
    ShardedPhotos,
    is_shard,
    shards_of,
    write_shards,
)
from eie.train.diffusion.masks import MaskDatabase
from eie.train.diffusion.settings import PHOTOS_OF_SHARD, DecoderSettings
from eie.train.diffusion.stage import DecoderStage


def encoded_photos(
    folders: Sequence[Folder], cache: Path, settings: DecoderSettings
) -> EncodedPhotos | ShardedPhotos:
    """The photos of folders, encoded when they are first needed, or those of shards.

    Args:
        folders: of photos, or shards made by :func:`train_shards`, not both.
        cache: where decomposed and encoded photos are kept.

    Raises:
        BadInputError: a folder or shard cannot be read.
        UsageError: folders and shards together.
    """
    shards = [folder.path for folder in folders if is_shard(folder.path)]
    if len(shards) == len(folders):
        return ShardedPhotos([shard for path in shards for shard in shards_of(path)])
    if shards:
        raise UsageError("shards and folders together", hint="give either")
    patch_size = load_content_encoder(settings.encoder, "cpu").model.config.patch_size
    photos = DecomposedPhotos(
        photo_files(folders),
        cache / "decompositions",
        patch_size,
        settings.crops,
        settings.segmenter,
    )
    return EncodedPhotos(photos, settings.encoder, cache / "encoded")


def train_shards(
    folders: Sequence[Folder],
    output: AnyPath,
    settings: DecoderSettings | None = None,
    of_shard: int = PHOTOS_OF_SHARD,
) -> list[AnyPath]:
    """Decompose and encode photos into shards, which `train_decoder` takes instead of folders.

    Args:
        folders: photos.
        output: folder of the shards, which may be in a store; what is cached on the way lies in it,
            too, but for a store in a temporary folder.
        settings: of the training; None for the `tiny` preset.
        of_shard: photos in a shard.

    Raises:
        BadInputError: a folder or image cannot be read.
    """
    with TemporaryDirectory(prefix="eie-") as temporary:
        cache = output / "cache" if isinstance(output, Path) else Path(temporary)
        photos = encoded_photos(folders, cache, settings or DecoderSettings())
        if isinstance(photos, ShardedPhotos):
            raise UsageError("these are shards already", hint="give folders of photos")
        return list(write_shards(photos, output, of_shard))


def train_decoder(
    folders: Sequence[Folder],
    run: Path,
    settings: DecoderSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the diffusion decoder, see :func:`eie.train.core.loop.train_stage`.

    Photos are decomposed, encoded and lightly decoded once, cached beside the run; folders may also
    be shards of :func:`train_shards`. At the end the averaged weights are in `run`, as a model
    folder that `--model` takes.
    """
    settings = settings or DecoderSettings()
    if settings.joint and settings.freeze:
        raise UsageError("an encoder trained jointly is not frozen", hint="add --no-freeze")
    if settings.light_picture and not settings.freeze:
        raise UsageError(
            "the light decoder cannot read the embeddings of an encoder that is trained on",
            hint="add --no-light-picture",
        )
    if settings.base and settings.vae != DecoderSettings.vae:
        raise UsageError(
            "an element model has a latent autoencoder of its own", hint="leave out --vae"
        )
    photos = encoded_photos(folders, run.parent, settings)
    masks = MaskDatabase.load(settings.masks) if settings.masks else None
    return train_stage(
        run,
        run_options("decoder", folders, settings, photos=len(photos)),
        settings.loop,
        lambda: DecoderStage(settings, photos, masks, run / "batches"),
        partial(_hand_out, run),
        dry_run,
    )


def _hand_out(run: Path, stage: DecoderStage) -> None:
    """Make the run a model folder: the diffusion decoder, beside it stage 1's models."""
    settings, model = stage.settings, stage.model
    content = element_model_folder(settings.encoder)
    if model.content_encoder is None:
        shutil.copytree(content / ENCODER_FOLDER, run / ENCODER_FOLDER, dirs_exist_ok=True)
    else:
        model.content_encoder.half().save_pretrained(run / ENCODER_FOLDER)
    weights = file_hash(run / ENCODER_FOLDER / WEIGHTS_FILE)
    model.element_attention.register_to_config(encoder_hash=weights)
    if settings.light_picture:
        shutil.copytree(content / LIGHT_FOLDER, run / LIGHT_FOLDER, dirs_exist_ok=True)
    save_diffusion_model(
        run,
        model.unet,
        model.element_attention,
        stage.vae,
        stage.scheduler,
        **(stage.text.parts if stage.text else {}),
        guidance_scale=settings.guidance,
        temperature=settings.temperature,
        window=settings.crops.crop,
        guess_deviation=settings.guess_deviation if settings.corrects else 0.0,
    )
