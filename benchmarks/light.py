"""How fast encoding and light decoding are, against Stable Diffusion's autoencoder.

    python -m benchmarks.light [--output build/bench]

Also how much of this machine's convolution speed a training step of stage 1 reaches. Everything
runs in the precision that the machine is fast in, both sides of a ratio in the same. Weights are
random; they take as long as trained ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import eie
from benchmarks import run
from eie.elements import ElementSet, Source
from eie.models.devices import half_precision, keep_freed_memory

SIDE = 512
CELLS = 16
"""Elements along each side: 256 in all."""

TIME_LIMIT = 0.25
SPEED_LIMIT = 0.4

PRECISION = half_precision(torch.device("cpu"))


def measure() -> dict[str, float | str]:
    """Seconds, ratios, images a second, and operations a second in units of 10⁹."""
    precision = str(PRECISION).removeprefix("torch.")
    return {"precision": precision, **against_stable_diffusion(), **training_speed()}


def against_stable_diffusion(rounds: int = 3) -> dict[str, float]:
    """`encode` and `render --decoder light --free` against diffusers' AutoencoderKL."""
    from diffusers import AutoencoderKL

    elements = example()
    autoencoder = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    ).to(PRECISION, memory_format=torch.channels_last)
    image = torch.rand(1, 3, SIDE, SIDE).to(PRECISION, memory_format=torch.channels_last)

    def theirs() -> None:
        with torch.inference_mode():
            autoencoder(image)

    ours_s, theirs_s = least_seconds(
        [lambda: eie.render(eie.encode(elements), decoder="light", free=True), theirs], rounds
    )
    return {
        "encode_and_light_s": ours_s,
        "autoencoder_kl_s": theirs_s,
        "light_by_autoencoder_kl": ours_s / theirs_s,
        "light_by_autoencoder_kl_limit": TIME_LIMIT,
    }


def training_speed(rounds: int = 5) -> dict[str, float]:
    """A training step of stage 1 at its default sizes, against a plain convolution."""
    from eie.train.core.settings import CropSettings
    from eie.train.encoder.settings import EncoderSettings
    from eie.train.encoder.stage import ElementAutoencoder

    keep_freed_memory()  # as training does
    settings = EncoderSettings(crops=CropSettings())
    model = ElementAutoencoder(settings.model).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters())
    crop, batch, side = settings.crops.crop, settings.crops.batch, settings.model.patch_size
    cells = crop // 32 + 2
    centre = torch.arange(cells) * 32.0 - 16
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    box = torch.stack([x, y, torch.full_like(x, 45), torch.full_like(x, 45)], dim=-1)
    box = box.flatten(0, 1).expand(batch, -1, -1)  # (B, N, 4), boxes as large as real ones
    patches = torch.rand(batch, box.shape[1], 4, side, side)
    visible = torch.ones(batch, box.shape[1], dtype=torch.bool)

    def step() -> None:
        with torch.autocast("cpu", PRECISION, enabled=PRECISION.itemsize < 4):
            loss = model(patches, box, visible, (crop, crop)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    with FlopCounterMode(display=False) as counter:
        step()
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(
        PRECISION, memory_format=torch.channels_last
    )
    image = torch.rand(8, 256, 64, 64).to(PRECISION, memory_format=torch.channels_last)
    image.requires_grad_()

    def plain() -> None:
        convolution(image).square().mean().backward()

    with FlopCounterMode(display=False) as plain_counter:
        plain()
    step_s, plain_s = least_seconds([step, plain], rounds)
    ours = counter.get_total_flops() / step_s
    peak = plain_counter.get_total_flops() / plain_s
    return {
        "training_images_per_s": batch / step_s,
        "training_gflops": ours / 1e9,
        "convolution_gflops": peak / 1e9,
        "training_by_convolution": ours / peak,
        "training_by_convolution_limit": SPEED_LIMIT,
    }


def example() -> ElementSet:
    """A 512×512 photo cut into 16×16 squares."""
    from skimage import data

    cell = np.arange(SIDE) * CELLS // SIDE
    source = Source.from_label_map(cell[:, None] * CELLS + cell, pixels=data.astronaut())
    return ElementSet.from_source(source)


def least_seconds(works: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Least time of each over a few rounds in turn."""
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            start = time.perf_counter()
            work()
            least[index] = min(least[index], time.perf_counter() - start)
    return least


if __name__ == "__main__":
    run("light", __doc__, measure)
