"""Small photos, models and settings for stage 2."""

from __future__ import annotations

import pytest

from eie.train.autoencoder.settings import AutoencoderConfig, AutoencoderSettings, PhotoCropSettings
from eie.train.autoencoder.stage import train_autoencoder
from eie.train.core.decomposed_photos import DecomposedPhotos
from eie.train.core.images import Folder, photo_files
from eie.train.core.settings import CropSettings
from eie.train.diffusion.encoded_photos import EncodedPhotos
from eie.train.diffusion.settings import (
    DecoderConfig,
    DecoderSettings,
)
from tests.train.conftest import LOOP, save_smooth_photos

SMALL_VAE = AutoencoderSettings(
    model=AutoencoderConfig(latent_channels=4, width=24, blocks=1),
    crops=PhotoCropSettings(crop=32, batch=2),
    loop=LOOP,
    fitted_batches=16,
)


SMALL = DecoderSettings(
    model=DecoderConfig(
        block_out_channels=(32, 32), heads=2, text_dim=4, token_dim=8, hidden_dim=8, frequencies=2
    ),
    crops=CropSettings(crop=64, batch=2, working_size=96, elements=(16,)),
    loop=LOOP,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return save_smooth_photos(tmp_path_factory.mktemp("photos"), *2 * [(104, 120), (128, 96)])


@pytest.fixture(scope="module")
def vae(photos, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "autoencoder"
    train_autoencoder([Folder(photos)], run, SMALL_VAE)
    return run


def encoded(photos, cache) -> EncodedPhotos:
    files = photo_files([Folder(photos)])
    decomposed = DecomposedPhotos(files, cache / "decompositions", 32, SMALL.crops, "slic")
    return EncodedPhotos(decomposed, "tiny", cache / "encoded")
