"""What rendering by diffusion costs, against diffusers' own pipelines in the same run.

    python -m benchmarks.diffusion [--output build/bench]

Random weights of Stable Diffusion 1.5's shapes, in the precision that this machine is fast in:

- a guided denoising step with 256 elements, against one of StableDiffusionPipeline, and of
  StableDiffusionPipeline with an IP-Adapter of 256 image tokens;
- peak memory of such a step, and of a training step with gradient checkpointing and plain SGD;
- `eie render` of a 512×512 photo by a model of `tiny`'s sizes, 50 steps with guidance, and as it is
  by default, against one guided step of the full-size U-Net.

Seconds are the least of a few rounds in turn. Processor seconds are given besides, since they
suffer less from what else runs.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import eie
from benchmarks import peak_bytes, run
from benchmarks.light import example
from eie.models.devices import half_precision

ELEMENTS = 256
EMBEDDING = 128
IMAGE_DIM = 1024
"""Of the image features that the IP-Adapter projects."""

SIDE = 512
STEP_LIMIT = 1.10
MEMORY_LIMIT_GB = 20.0
RENDER_LIMIT = 2.0

PRECISION = half_precision(torch.device("cpu"))


def measure() -> dict[str, float | str]:
    """Seconds, ratios with their limits, and gigabytes."""
    steps = in_own_process(guided_steps)
    training = in_own_process(training_step)
    render, default = render_seconds()
    return {
        "precision": str(PRECISION).removeprefix("torch."),
        **steps,
        "guided_step_peak_gb_limit": MEMORY_LIMIT_GB,
        "step_by_stable_diffusion_limit": STEP_LIMIT,
        **training,
        "training_step_peak_gb_limit": MEMORY_LIMIT_GB,
        "render_tiny_s": render,
        "render_default_s": default,
        "render_tiny_by_guided_step": render / steps["stable_diffusion_step_s"],
        "render_tiny_by_guided_step_limit": RENDER_LIMIT,
    }


def guided_steps(rounds: int = 5) -> dict[str, float]:
    """A guided step of Stable Diffusion, of ours, and of an IP-Adapter, on one U-Net."""
    unet = random_unet()
    stock = dict(unet.attn_processors)

    def as_stock() -> None:
        unet.set_attn_processor(dict(stock))
        unet.encoder_hid_proj = None
        unet.register_to_config(encoder_hid_dim_type=None)

    works = [(as_stock, stable_diffusion(unet)), (as_stock, with_elements(unet))]
    # Memory is read before the adapter's weights come into it.
    least(works, 1, unet)
    peak = peak_bytes() / 1e9
    as_stock()
    works.append((ip_adapter(unet), stable_diffusion(unet, image=True)))
    plain, ours, adapter = least(works, rounds, unet)
    return {
        "stable_diffusion_step_s": plain[0],
        "elements_step_s": ours[0],
        "ip_adapter_step_s": adapter[0],
        "step_by_stable_diffusion": ours[0] / plain[0],
        "step_by_ip_adapter": ours[0] / adapter[0],
        "step_by_stable_diffusion_cpu": ours[1] / plain[1],
        "step_by_ip_adapter_cpu": ours[1] / adapter[1],
        "guided_step_peak_gb": peak,
    }


def training_step() -> dict[str, float]:
    """Memory of one step on U-Net and element attention: one picture, checkpoints, plain SGD."""
    from torch.nn import functional as F

    from eie.models.element_attention import ElementAttention, attend_to_elements

    unet = random_unet().train()
    unet.enable_gradient_checkpointing()
    attention = ElementAttention.for_unet(unet, EMBEDDING).to(PRECISION)
    attend_to_elements(unet)
    parameters = [*unet.parameters(), *attention.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=1e-6)
    start = time.perf_counter()
    context = attention(*(tensor.to(PRECISION) for tensor in elements()), present())
    predicted = unet(
        torch.randn(1, 4, SIDE // 8, SIDE // 8, dtype=PRECISION),
        torch.tensor([500]),
        torch.randn(1, 77, 768, dtype=PRECISION),
        cross_attention_kwargs={"elements": context},
    ).sample
    F.mse_loss(predicted.float(), torch.randn(predicted.shape)).backward()
    optimizer.step()
    weights = sum(p.numel() * p.element_size() for p in parameters) / 1e9
    return {
        "training_step_s": time.perf_counter() - start,
        "training_step_peak_gb": peak_bytes() / 1e9,
        "weights_gb": weights,
    }


def render_seconds() -> tuple[float, float]:
    """`eie render` by a tiny diffusion model and by default, as commands, everything included."""
    from dataclasses import replace

    import numpy as np

    photo = eie.encode(example())
    row = np.array([len(photo) // 2 + 8])
    edited = replace(photo, table=photo.table.set(row, visible=False))
    with tempfile.TemporaryDirectory() as folder:
        file, model = Path(folder) / "photo.h5", Path(folder) / "model"
        save_tiny(model, edited.sources[0].embeddings.encoder_hash)
        eie.save(edited, file)
        out = ["-o", str(Path(folder) / "out.png")]
        command = [sys.executable, "-m", "eie", "render", str(file), *out]
        tiny = ["--decoder", "diffusion", "--model", str(model), "--guidance", "3"]
        return seconds([*command, *tiny]), seconds(command)


def seconds(command: list[str]) -> float:
    """Of a command."""
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def save_tiny(folder: Path, encoder_hash: str) -> None:
    """A model folder of the embedded model's sizes with random weights."""
    import shutil

    from eie.models.content_checkpoints import EMBEDDED, TINY
    from eie.models.diffusion_checkpoints import save_diffusion_model
    from eie.models.element_attention import ElementAttention
    from eie.models.latent_autoencoder import LatentAutoencoder
    from eie.train.autoencoder.settings import AutoencoderConfig
    from eie.train.diffusion.parts import build_unet, training_scheduler
    from eie.train.diffusion.settings import DecoderConfig, DecoderSettings

    sizes = DecoderConfig()
    unet = build_unet(sizes, AutoencoderConfig().latent_channels, DecoderSettings().sees_features)
    attention = ElementAttention.for_unet(
        unet,
        EMBEDDING,
        token_dim=sizes.token_dim,
        hidden_dim=sizes.hidden_dim,
        frequencies=sizes.frequencies,
        geometry_bias=sizes.geometry_bias,
        encoder_hash=encoder_hash,
    )
    settings = DecoderSettings()
    save_diffusion_model(
        folder,
        unet,
        attention,
        LatentAutoencoder(),
        training_scheduler(settings),
        guess_deviation=settings.guess_deviation,
        window=settings.crops.crop,
    )
    for part in ("content_encoder", "light_decoder"):
        shutil.copytree(EMBEDDED / TINY / part, folder / part)


def random_unet() -> Any:
    """Stable Diffusion 1.5's U-Net; diffusers' defaults are its shapes but for three."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    return unet.to(PRECISION).to(memory_format=torch.channels_last).eval()


def stable_diffusion(unet: Any, image: bool = False) -> Callable[[Callable[..., Any]], None]:
    """One guided step of StableDiffusionPipeline, text embeddings given."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=None,
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    text = torch.randn(1, 77, 768, dtype=PRECISION)
    options = {}
    if image:
        tokens = torch.randn(2, 1, ELEMENTS, IMAGE_DIM, dtype=PRECISION)
        options["ip_adapter_image_embeds"] = [tokens]

    def step(callback: Callable[..., Any]) -> None:
        pipeline(
            prompt_embeds=text,
            negative_prompt_embeds=torch.zeros_like(text),
            height=SIDE,
            width=SIDE,
            num_inference_steps=1,
            guidance_scale=3.0,
            output_type="latent",
            callback_on_step_end=callback,
            **options,
        )

    return step


def with_elements(unet: Any) -> Callable[[Callable[..., Any]], None]:
    """One guided step of ours with 256 elements, as long a text besides."""
    from diffusers import AutoencoderKL, DDIMScheduler

    from eie.models.element_attention import ElementAttention
    from eie.models.pipeline import ImageElementsPipeline
    from eie.models.text_encoder import ReadText

    attention = ElementAttention.for_unet(unet, EMBEDDING).to(PRECISION)
    vae = AutoencoderKL(block_out_channels=(32,) * 4, latent_channels=4)
    pipeline = ImageElementsPipeline(unet, vae, attention, DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    text = torch.randn(2, 77, 768, dtype=PRECISION)
    pipeline.encode_prompt = lambda *_: ReadText(text)

    def step(callback: Callable[..., Any]) -> None:
        pipeline(
            *elements(),
            present(),
            height=SIDE,
            width=SIDE,
            num_inference_steps=1,
            guidance_scale=3.0,
            output_type="latent",
            callback_on_step_end=callback,
        )

    return step


def ip_adapter(unet: Any) -> Callable[[], None]:
    """What makes the U-Net read 256 tokens of an IP-Adapter, by diffusers' own processors."""
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
    from diffusers.models.embeddings import (
        IPAdapterFullImageProjection,
        MultiIPAdapterImageProjection,
    )

    modules = dict(unet.named_modules())
    processors = dict(unet.attn_processors)
    for name in processors:
        attention = modules[name.removesuffix(".processor")]
        if name.endswith("attn2.processor"):
            processors[name] = IPAdapterAttnProcessor2_0(
                attention.to_q.in_features, 768, num_tokens=(ELEMENTS,)
            ).to(PRECISION)
    projection = IPAdapterFullImageProjection(IMAGE_DIM, 768).to(PRECISION)
    projections = MultiIPAdapterImageProjection([projection])

    def adapted() -> None:
        unet.set_attn_processor(dict(processors))
        unet.encoder_hid_proj = projections
        unet.register_to_config(encoder_hid_dim_type="ip_image_proj")

    return adapted


def least(
    works: list[tuple[Callable[[], Any], Callable[[Callable[..., Any]], None]]],
    rounds: int,
    unet: Any,
) -> list[tuple[float, float]]:
    """Least seconds and processor seconds of each work's step, a few rounds in turn.

    A step lasts from the U-Net's call to diffusers' callback after the step.
    """
    started: list[float] = []

    def start(*_: Any) -> None:
        started[:] = [time.perf_counter(), time.process_time()]

    taken: list[list[tuple[float, float]]] = [[] for _ in works]
    hook = unet.register_forward_pre_hook(start)
    for _ in range(rounds):
        for (prepare, work), times in zip(works, taken, strict=True):
            prepare()

            def stop(_pipe: Any, _index: int, _step: Any, tensors: Any, times: Any = times) -> Any:
                wall, processor = time.perf_counter(), time.process_time()
                times.append((wall - started[0], processor - started[1]))
                return tensors

            work(stop)
    hook.remove()
    return [(min(w for w, _ in times), min(p for _, p in times)) for times in taken]


def elements() -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (1, 256, D) and boxes (1, 256, 4)."""
    return torch.randn(1, ELEMENTS, EMBEDDING), torch.rand(1, ELEMENTS, 4)


def present() -> torch.Tensor:
    return torch.ones(1, ELEMENTS, dtype=torch.bool)


def in_own_process(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The result of a function run in a new process, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work)


if __name__ == "__main__":
    run("diffusion", __doc__, measure)
