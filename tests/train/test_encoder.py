"""Training of stage 1 on small synthetic photos with small models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from eie.errors import BadInputError
from eie.models.content import load_content_encoder, load_light_decoder
from eie.train.element_crops import DecomposedPhotos, draw_batch
from eie.train.encoder import train_encoder
from eie.train.images import Folder, photo_files
from eie.train.loop import averaged_weights
from eie.train.settings import CropSettings, EncoderConfig, EncoderSettings, LoopSettings

SMALL = EncoderSettings(
    model=EncoderConfig(
        patch_size=16,
        embedding_dim=32,
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        unshuffle=True,
        luma=16,
        chroma=4,
        shape=8,
        token_dim=16,
        self_layers=1,
        trunk_dim=16,
        cross_layers=1,
        heads=2,
        neighbours=4,
    ),
    crops=CropSettings(crop=64, batch=2, working_size=96, elements=(16,)),
    loop=LoopSettings(
        steps=4, warmup=1, precision="no", workers=0, log_every=1, sample_every=4, save_every=2
    ),
    segmenter="slic",
    basis_patches=40,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((128, 96), Image.BICUBIC).save(folder / f"{index}.png")
    return folder


def decomposed(photos, cache) -> DecomposedPhotos:
    return DecomposedPhotos(photo_files([Folder(photos)]), cache, 16, SMALL.crops, "slic")


def test_batches_follow_from_the_seed(photos, tmp_path) -> None:
    data = decomposed(photos, tmp_path)
    first, again, other = (draw_batch(data, SMALL.crops, (0, s)) for s in (1, 1, 2))
    assert torch.equal(first.target, again.target) and torch.equal(first.box, again.box)
    assert first.target.shape == other.target.shape == (2, 3, 64, 64)
    assert not torch.equal(first.target, other.target)


def test_photos_are_decomposed_once(photos, tmp_path) -> None:
    data = decomposed(photos, tmp_path)
    first = data[0]
    (entry,) = tmp_path.iterdir()
    written = entry.stat().st_mtime_ns
    assert np.array_equal(data[0].patches, first.patches)
    assert entry.stat().st_mtime_ns == written


def test_boxes_follow_the_crop(photos, tmp_path) -> None:
    """Pasting each patch's mean at its box gives about the crop: geometry and pixels agree."""
    data = decomposed(photos, tmp_path)
    batch = draw_batch(data, SMALL.crops, (0, 5))
    for row in range(2):
        crop = batch.target[row].float()
        errors = []
        for patch, box in zip(
            batch.patches[row, batch.visible[row]].float(),
            batch.box[row, batch.visible[row]],
            strict=True,
        ):
            x, y = (int(v) for v in box[:2])
            mask = patch[3] > 250
            if 2 < x < 61 and 2 < y < 61 and mask[6:10, 6:10].all():
                centre = patch[:3, 6:10, 6:10].mean(dim=(1, 2))
                errors.append(
                    (crop[:, y - 1 : y + 2, x - 1 : x + 2].mean(dim=(1, 2)) - centre).abs().mean()
                )
        assert errors and torch.stack(errors).mean() < 12


def test_a_stopped_run_goes_on_exactly(photos, tmp_path) -> None:
    whole, parts = tmp_path / "a" / "run", tmp_path / "b" / "run"
    train_encoder([Folder(photos)], whole, SMALL)
    from eie.train import encoder
    from eie.train.loop import train

    data = DecomposedPhotos(
        photo_files([Folder(photos)]), parts.parent / "decompositions", 16, SMALL.crops, "slic"
    )
    options = train_encoder([Folder(photos)], parts, SMALL, dry_run=True)
    train(encoder.EncoderStage(SMALL, data), SMALL.loop, parts, options, stop_after=2)
    train_encoder([Folder(photos)], parts, SMALL)
    first, second = averaged_weights(whole), averaged_weights(parts)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_run_is_a_model_folder(photos, tmp_path) -> None:
    train_encoder([Folder(photos)], tmp_path / "run", SMALL)
    encoder, decoder = load_content_encoder(tmp_path / "run"), load_light_decoder(tmp_path / "run")
    assert decoder.model.config.encoder_hash == encoder.weight_hash
    assert (tmp_path / "run" / "samples").is_dir()


def test_without_photos_nothing_starts(tmp_path) -> None:
    with pytest.raises(BadInputError, match="no images"):
        train_encoder([Folder(tmp_path)], tmp_path / "run", replace(SMALL))
