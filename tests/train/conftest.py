"""Folders of small synthetic training images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eie.train.core.settings import LoopSettings

LOOP = LoopSettings(
    steps=4, warmup=1, precision="no", workers=0, log_every=1, sample_every=4, save_every=2
)
"""Four steps."""


def save(path, array):
    Image.fromarray(array).save(path)


def save_smooth_photos(folder, *sizes):
    """Photos of smooth colour, as many as there are sizes (width, height)."""
    rng = np.random.default_rng(0)
    for index, size in enumerate(sizes):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.BICUBIC).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """`bsds` (3 photos, 2 annotators each), `photos` (4) and `objects` (4), made of noise."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("bsds", "photos", "objects"):
        (root / name).mkdir()
    for index in range(3):
        pixels = rng.integers(0, 256, (80, 120, 3), dtype=np.uint8)
        save(root / "bsds" / f"{index}.png", pixels)
        for annotator in range(2):
            labels = np.ones((80, 120), np.uint8)
            labels[:, 40 * (annotator + 1) :] = 2
            save(root / "bsds" / f"{index}.gt{annotator}.png", labels)
    for index in range(4):
        save(root / "photos" / f"{index}.png", rng.integers(0, 256, (90, 70, 3), dtype=np.uint8))
        cutout = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
        cutout[..., 3] = 255
        cutout[:5, :, 3] = 0
        save(root / "objects" / f"{index}.png", cutout)
    return root
