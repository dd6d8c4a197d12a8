"""The diffusion decoder as a pipeline of diffusers (paper §3.3, stage 2).

    embeddings, boxes ⇒ keys and values, once
    noise ⇒ latents, denoised step by step ⇒ pixels

Besides the paper's pure decoding, the area that is known can be held while the rest is made
(blended latents, Avrahami et al. 2023), and a U-Net may see the picture as far as it is known as
further input channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from eie.models.conditioning import (
    condition_channels,
    conditioned_channels,
    corrected,
    decode_latents,
    seen_features,
)
from eie.models.element_attention import ElementContext, attend_to_elements
from eie.models.feature_distance import STRIDES, load_feature_distance

# diffusers finds the classes of a saved pipeline's parts among the modules that are imported.
from eie.models.latent_autoencoder import DOWNSCALE
from eie.models.sampler import Conditions, Generators, KnownPicture, Sampler
from eie.models.text_encoder import PARTS, ReadText, TextReader

GUIDANCE = 3.0
"""The paper's guidance scale, for text and elements alike."""

STEPS = 50
"""The paper's number of DDIM steps."""

WINDOW = 512
"""Stable Diffusion's side of a picture, in pixels."""

StepEnd = Callable[[Any, int, Any, dict[str, Tensor]], dict[str, Tensor]]
"""diffusers' callback after a step: pipeline, step, timestep, tensors ⇒ tensors to go on with."""


class ImageElementsPipeline(DiffusionPipeline):
    """Image elements ⇒ photo, by a diffusion U-Net with element cross-attention.

    Args:
        unet: a `UNet2DConditionModel`. With c latent channels it takes c input channels (noisy
            latents, as in the paper), 2c + 2 or, if it is told of ImageNet features, 2c + 2 + F
            (:mod:`eie.models.conditioning`).
        vae: `AutoencoderKL`, `AutoencoderTiny` or
            :class:`eie.models.latent_autoencoder.LatentAutoencoder`.
        element_attention: the θ_S of this U-Net.
        scheduler: any of diffusers' schedulers.
        text_encoder, tokenizer: CLIP's, or None for a model that reads no text.
        text_encoder_2, tokenizer_2: Stable Diffusion XL's second ones.
        guidance_scale, temperature: defaults of every call.
        guess_deviation: 0 for latents of pictures, as in the paper. Otherwise the U-Net denoises
            what is to be added to the latents of the picture it sees; see
            :class:`eie.models.conditioning.Scaling` for this deviation.
        window: side in pixels of the pictures that the model was trained on; a hole is not seen in
            less of its surroundings.
    """

    model_cpu_offload_seq = "text_encoder->text_encoder_2->unet->vae"
    # Its layers work in the midst of the U-Net's.
    _exclude_from_cpu_offload = ["element_attention"]  # noqa: RUF012 - diffusers' attribute
    _optional_components = list(PARTS)  # noqa: RUF012
    _callback_tensor_inputs = ["latents"]  # noqa: RUF012

    unet: Any
    vae: Any
    element_attention: Any
    scheduler: Any
    text_encoder: Any
    tokenizer: Any
    text_encoder_2: Any
    tokenizer_2: Any

    def __init__(
        self,
        unet: Any,
        vae: Any,
        element_attention: Any,
        scheduler: Any,
        text_encoder: Any = None,
        tokenizer: Any = None,
        guidance_scale: float = GUIDANCE,
        guess_deviation: float = 0.0,
        temperature: float = 1.0,
        window: int = WINDOW,
        text_encoder_2: Any = None,
        tokenizer_2: Any = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet,
            vae=vae,
            element_attention=element_attention,
            scheduler=scheduler,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            text_encoder_2=text_encoder_2,
            tokenizer_2=tokenizer_2,
        )
        self.register_to_config(
            guidance_scale=guidance_scale,
            guess_deviation=guess_deviation,
            temperature=temperature,
            window=window,
        )
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.vae_scale_factor)
        if unet.config.in_channels not in (
            self.latent_channels,
            conditioned_channels(self.latent_channels),
            conditioned_channels(self.latent_channels, features=True),
        ):
            raise ValueError(
                f"the U-Net takes {unet.config.in_channels} channels, but latents have "
                f"{self.latent_channels}"
            )
        if guess_deviation and not self.sees_picture:
            raise ValueError("a U-Net that sees no picture cannot start from it")
        # ImageNet's, from a package of their own: no part of what is saved.
        self.feature_network = load_feature_distance() if self.sees_features else None

    @classmethod
    def download(cls, pretrained_model_name: str, **kwargs: Any) -> Path:
        """Fetch a model folder from the hub; see :func:`eie.models.hub.model_folder`.

        diffusers' own would look for this package's classes as code in the repository.
        """
        from eie.models.hub import pipeline_folder

        options = ("revision", "cache_dir", "token", "force_download", "local_files_only")
        return pipeline_folder(
            pretrained_model_name, **{k: v for k, v in kwargs.items() if k in options and v}
        )

    @property
    def vae_scale_factor(self) -> int:
        """Pixels along the side of a latent."""
        levels = self.vae.config.get("block_out_channels")
        return 2 ** (len(levels) - 1) if levels else DOWNSCALE

    @property
    def latent_channels(self) -> int:
        return int(self.unet.config.out_channels)

    @property
    def sees_picture(self) -> bool:
        """Whether the U-Net takes the known picture as further channels."""
        return int(self.unet.config.in_channels) > self.latent_channels

    @property
    def sees_features(self) -> bool:
        """Whether it takes that picture's ImageNet features, too."""
        told = conditioned_channels(self.latent_channels, features=True)
        return int(self.unet.config.in_channels) == told

    @property
    def corrects(self) -> bool:
        """Whether the U-Net makes what is to be added to the picture it sees, a first guess."""
        return bool(self.config.guess_deviation)

    @property
    def multiple(self) -> int:
        """Pixels of which a picture's sides should be multiples."""
        levels = int(self.vae_scale_factor * 2 ** (len(self.unet.config.block_out_channels) - 1))
        return math.lcm(levels, STRIDES[-1]) if self.sees_features else levels

    @torch.no_grad()
    def __call__(
        self,
        embeddings: Tensor,
        box: Tensor,
        present: Tensor | None = None,
        *,
        frame: Tensor | None = None,
        prompt: str = "",
        negative_prompt: str = "",
        picture: Tensor | None = None,
        known: Tensor | None = None,
        covered: Tensor | None = None,
        height: int = 512,
        width: int = 512,
        num_images: int = 1,
        num_inference_steps: int = STEPS,
        guidance_scale: float | None = None,
        temperature: float | None = None,
        eta: float = 0.0,
        generator: Generators = None,
        latents: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: StepEnd | None = None,
    ) -> Any:
        """Render B element sets, `num_images` variations of each, in one batch.

        Args:
            embeddings: (B, N, D).
            box: (B, N, 4) (cx, cy, w, h) in shares of the picture's width and height.
            present: (B, N) bool, False for padding; None for all.
            frame: (B, N, 2, 2) how boxes are turned, in pixels (:mod:`eie.models.frames`); None if
                all are upright.
            prompt, negative_prompt: what the pictures show, and what not.
            picture: (B, 3, H, W) RGB in [−1, 1], true where known and a guess elsewhere
                (:func:`eie.models.conditioning.known_picture`); needed if `known` is given or the
                U-Net sees it.
            known: (B, 1, H, W) in [0, 1], 1 where the picture is known and kept, as far as
                latents go; None for nowhere.
            covered: (B, 1, H, W) in [0, 1], 1 where an element is or the picture is known; None
                for everywhere.
            height, width: of the pictures in pixels if none is given, multiples of
                :attr:`multiple`.
            num_images: variations K of each set.
            guidance_scale: w of ε = ε₀ + w (ε₁ − ε₀), text and elements alike; at most 1 for
                none; None for the model's own.
            temperature, eta: see :class:`eie.models.sampler.Sampler`; None for the model's own.
            generator: of the noise; one for all or one for each of the B · K pictures.
            latents: (B · K, c, h, w) standard normal noise to start from.
            output_type: "pil", "np" (B · K, H, W, 3) in [0, 1], "pt" (B · K, 3, H, W) in [0, 1],
                or "latent".
            return_dict: give diffusers' `ImagePipelineOutput`, else a tuple of the images.
            callback_on_step_end: called with "latents" after each step, as in diffusers; they are
                less those of the picture where the U-Net corrects it.

        Raises:
            ValueError: arguments that do not go together, or with the model.
        """
        guidance = self.config.guidance_scale if guidance_scale is None else guidance_scale
        attend_to_elements(self.unet)  # memory options of diffusers may have changed processors
        anchor = self.encode_picture(picture, known, covered, num_images)
        if picture is not None:
            height, width = picture.shape[-2:]
        elements = self.encode_elements(
            embeddings, box, present, width / height, guidance > 1, num_images, frame
        )
        batch = len(embeddings) * num_images
        text = self.encode_prompt(prompt, negative_prompt, guidance > 1, batch)
        channels = anchor.channels if anchor and self.sees_picture else None
        conditions = Conditions(text, elements, channels, guidance, text.added((height, width)))
        noise = self.prepare_noise((batch, height, width), generator, latents)
        sampler = self._sampler(num_inference_steps, temperature, eta, generator)
        step_end = callback_on_step_end and partial(callback_on_step_end, self)
        images = sampler(noise, conditions, anchor, step_end)
        if output_type != "latent":
            images = self.decode_latents(images, picture, anchor)
        images = self.image_processor.postprocess(images, output_type=output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def encode_prompt(
        self, prompt: str, negative_prompt: str, guided: bool, batch: int = 1
    ) -> ReadText:
        """What is read of G · batch texts: the negative prompt first if guided, then the prompt."""
        texts = [negative_prompt, prompt] if guided else [prompt]
        reader = TextReader(self)
        if reader:
            text = reader(texts, self._execution_device)
        elif any(texts):
            raise ValueError("this model reads no text")
        else:
            dim = self.unet.config.cross_attention_dim
            text = ReadText(torch.zeros(len(texts), 1, dim, device=self._execution_device))
        return text.repeated(batch, self.unet.dtype)

    def encode_elements(
        self,
        embeddings: Tensor,
        box: Tensor,
        present: Tensor | None,
        aspect: float,
        guided: bool,
        num_images: int = 1,
        frame: Tensor | None = None,
    ) -> ElementContext:
        """Keys and values of all layers, of B sets; as many null sets before them if guided."""
        device, dtype = self._execution_device, self.element_attention.dtype
        if present is None:
            present = torch.ones(embeddings.shape[:2], dtype=torch.bool)
        context = self.element_attention(
            embeddings.to(device, dtype),
            box.to(device),
            present.to(device),
            aspect,
            None if frame is None else frame.to(device),
        )
        context = context.repeated(num_images)
        return replace(context, null_rows=len(context.present) if guided else 0)

    def encode_picture(
        self, picture: Tensor | None, known: Tensor | None, covered: Tensor | None, num_images: int
    ) -> KnownPicture | None:
        """Pixels ⇒ latents and shares of latents, each `num_images` times; None without pixels."""
        if picture is None:
            if known is not None or self.sees_picture:
                raise ValueError("this needs a picture: see the argument 'picture'")
            return None
        sides = picture.shape[-2:]
        if any(side % self.multiple for side in sides):
            raise ValueError(f"sides {tuple(sides)} are no multiples of {self.multiple}")
        nowhere = picture.new_zeros(len(picture), 1, *sides)  # (B, 1, H, W)
        place = {"device": self._execution_device, "dtype": self.vae.dtype}
        known = (nowhere if known is None else known).to(**place)
        covered = (nowhere + 1 if covered is None else covered).to(**place)
        seen = None
        if self.feature_network is not None:
            network = self.feature_network.to(self._execution_device)
            seen = seen_features(network, picture.to(self._execution_device))  # (B, F, h, w)
        channels = condition_channels(self.vae, picture.to(**place), known, covered, seen)
        channels = channels.float()  # (B, c + F + 2, h, w)
        return KnownPicture(channels.repeat_interleave(num_images, dim=0), self.latent_channels)

    def _sampler(
        self, steps: int, temperature: float | None, eta: float, generator: Generators
    ) -> Sampler:
        return Sampler(
            unet=self.unet,
            scheduler=self.scheduler,
            guess_deviation=self.config.guess_deviation,
            steps=steps,
            temperature=self.config.temperature if temperature is None else temperature,
            eta=eta,
            generator=generator,
            progress=self.progress_bar,
        )

    def prepare_noise(
        self, shape: tuple[int, int, int], generator: Generators, noise: Tensor | None = None
    ) -> Tensor:
        """(B, c, h, w) float32 standard normal noise for B pictures of so many pixels."""
        batch, height, width = shape
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"sides {shape[1:]} are no multiples of {self.multiple}")
        side = self.vae_scale_factor
        size = (batch, self.latent_channels, height // side, width // side)
        if noise is None:
            return randn_tensor(size, generator=generator, device=self._execution_device)
        if noise.shape != size:
            raise ValueError(f"latents are {tuple(noise.shape)}, needed are {size}")
        return noise.to(self._execution_device, torch.float32)

    def decode_latents(
        self, latents: Tensor, picture: Tensor | None = None, anchor: KnownPicture | None = None
    ) -> Tensor:
        """(B · K, c, h, w) ⇒ (B · K, 3, H, W) RGB in [−1, 1].

        Args:
            picture, anchor: (B, 3, H, W), and its latents; where the U-Net corrects the picture,
                the difference from its latents is added to that.
        """
        latents = latents.to(self.vae.dtype)
        if not self.corrects or picture is None or anchor is None:
            return decode_latents(self.vae, latents).float().clamp(-1, 1)
        guess = anchor.latents.to(latents)
        shown = picture.to(latents).repeat_interleave(len(guess) // len(picture), dim=0)
        return corrected(self.vae, shown, guess, latents).float().clamp(-1, 1)
