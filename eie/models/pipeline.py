"""The diffusion decoder as a pipeline of diffusers (paper §3.3, stage 2).

    embeddings, boxes ⇒ keys and values, once
    noise ⇒ latents, denoised step by step ⇒ pixels

Besides the paper's pure decoding, the area that is known can be held while the rest is made
(blended latents, Avrahami et al. 2023), and a U-Net may see the picture as far as it is known as
further input channels.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from eie.models.conditioning import (
    Scaling,
    condition_channels,
    conditioned_channels,
    corrected,
    decode_latents,
    denoised,
    seen_features,
)
from eie.models.element_attention import ARGUMENT, ElementContext, attend_to_elements
from eie.models.feature_distance import STRIDES, load_feature_distance

# diffusers finds the classes of a saved pipeline's parts among the modules that are imported.
from eie.models.latent_autoencoder import DOWNSCALE
from eie.models.text import PARTS, ReadText, TextReader

GUIDANCE = 3.0
"""The paper's guidance scale, for text and elements alike."""

STEPS = 50
"""The paper's number of DDIM steps."""

WINDOW = 512
"""Stable Diffusion's side of a picture, in pixels."""

Generators = torch.Generator | Sequence[torch.Generator] | None

StepEnd = Callable[[Any, int, Any, dict[str, Tensor]], dict[str, Tensor]]
"""diffusers' callback after a step: pipeline, step, timestep, tensors ⇒ tensors to go on with."""


@dataclass(frozen=True, eq=False)
class KnownPicture:
    """What is known of the picture, in latents.

    Attributes:
        channels: (B, c + F + 2, h, w) as :func:`eie.models.conditioning.condition_channels` gives
            them.
        latent_channels: c.
    """

    channels: Tensor
    latent_channels: int

    @property
    def latents(self) -> Tensor:
        """(B, c, h, w) of the picture as far as it is known, a guess elsewhere."""
        return self.channels[:, : self.latent_channels]

    @property
    def known(self) -> Tensor:
        """(B, 1, h, w) in [0, 1], the share of a latent's pixels that is known."""
        return self.channels[:, -2:-1]

    @property
    def held(self) -> Tensor:
        """(B, 1, h, w) 1 where a latent is known altogether, else 0."""
        return (self.known > 1 - 1e-4).to(self.channels)


@dataclass(frozen=True, eq=False)
class Conditions:
    """What every denoising step of a render is told; B pictures, G = 2 with guidance, else 1.

    Attributes:
        text: of G · B texts, the unconditional ones first.
        elements: of B sets, with guidance behind B null sets.
        channels: (B, c + F + 2, h, w) further input channels, or None.
        guidance: weight of the conditional prediction; at most 1 turns guidance off.
        added: what else Stable Diffusion XL's U-Net is told, or None.
    """

    text: ReadText
    elements: ElementContext
    channels: Tensor | None
    guidance: float
    added: Mapping[str, Tensor] | None = None


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
            temperature: t of z = z₀ + t (z₁ − z₀), with the latents z₁ that are sampled and what
                the first step expects, z₀, the mean of all there could be: 1 samples, towards 0
                samples come closer to that mean, for which one step is enough; None for the model's
                own.
            eta: of DDIM: 0 is deterministic, 1 is DDPM.
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
        conditions = Conditions(
            text=text,
            added=text.added((height, width)),
            elements=elements,
            channels=anchor.channels if anchor and self.sees_picture else None,
            guidance=guidance,
        )
        if temperature is None:
            temperature = self.config.temperature
        noise = self.prepare_noise((batch, height, width), generator, latents)
        latents = self.denoise(
            noise,
            conditions,
            anchor,
            num_inference_steps,
            temperature,
            self._step_options(eta, generator),
            callback_on_step_end,
        )
        images = latents
        if output_type != "latent":
            images = self.decode_latents(latents, picture, anchor)
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
        context = repeat_context(context, num_images)
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

    def denoise(
        self,
        noise: Tensor,
        conditions: Conditions,
        anchor: KnownPicture | None,
        steps: int,
        temperature: float,
        step_options: Mapping[str, Any],
        callback: StepEnd | None = None,
    ) -> Tensor:
        """(B, c, h, w) noise ⇒ latents; what is known is held at every step."""
        self.scheduler.set_timesteps(steps, device=noise.device)
        timesteps = self.scheduler.timesteps[: None if temperature else 1]
        latents = noise * self.scheduler.init_noise_sigma
        expected = latents
        with self.progress_bar(total=len(timesteps)) as bar:
            for index, timestep in enumerate(timesteps):
                prediction = self.predict(latents, timestep, conditions)
                if not index and temperature != 1:
                    expected = self._expected(latents, timestep, prediction)
                latents = self.scheduler.step(
                    prediction, timestep, latents, **step_options, return_dict=False
                )[0]
                if anchor is not None:
                    latents = self._hold(latents, anchor, noise, timesteps[index + 1 : index + 2])
                if callback is not None:
                    changed = callback(self, index, timestep, {"latents": latents}) or {}
                    latents = changed.get("latents", latents)
                bar.update()
        if temperature != 1:
            latents = torch.lerp(expected, latents, temperature)
            if anchor is not None:
                latents = self._hold(latents, anchor, noise, timesteps[:0])
        if anchor is not None and self.corrects:
            latents = latents + anchor.latents
        return latents

    def predict(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        """(B, c, h, w) noisy latents ⇒ the U-Net's guided prediction, same shape, float32."""
        noisy = self.scheduler.scale_model_input(latents, timestep)  # (B, c, h, w)
        scaling = self._scaling(timestep) if self.corrects else None
        sample = noisy if scaling is None else scaling.scale * noisy
        if conditions.channels is not None:
            sample = torch.cat([sample, conditions.channels], dim=1)  # (B, 2c + F + 2, h, w)
        guided = conditions.guidance > 1
        if guided:
            sample = torch.cat([sample, sample])  # (2B, ·, h, w)
        prediction = self.unet(
            sample.to(self.unet.dtype),
            timestep,
            encoder_hidden_states=conditions.text.states,
            added_cond_kwargs=conditions.added,
            cross_attention_kwargs={ARGUMENT: conditions.elements},
            return_dict=False,
        )[0].float()
        if guided:
            without, informed = prediction.chunk(2)  # (B, c, h, w) each
            prediction = without + conditions.guidance * (informed - without)
        return prediction if scaling is None else scaling.kept * noisy + scaling.scale * prediction

    def _scaling(self, timestep: Tensor) -> Scaling:
        return Scaling.at(self._signal(timestep), self.config.guess_deviation)

    def _signal(self, timestep: Tensor) -> Tensor:
        """ᾱ of a step; schedulers that step between those trained on get the nearest of these."""
        signal = self.scheduler.alphas_cumprod
        index = int(torch.as_tensor(timestep).round().clamp(0, len(signal) - 1))
        return signal[index].float().cpu()

    def _expected(self, latents: Tensor, timestep: Tensor, prediction: Tensor) -> Tensor:
        """(B, c, h, w) that a prediction from latents says are under the noise."""
        noisy = self.scheduler.scale_model_input(latents, timestep)  # (B, c, h, w)
        objective = self.scheduler.config.prediction_type
        return denoised(prediction, noisy, self._signal(timestep), objective)

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

    def _hold(
        self, latents: Tensor, anchor: KnownPicture, noise: Tensor, following: Tensor
    ) -> Tensor:
        """Latents with what is known of the picture, as noisy as the following step expects it."""
        # Nothing is to be added to what is known.
        kept = torch.zeros_like(anchor.latents) if self.corrects else anchor.latents
        if len(following):
            kept = self.scheduler.add_noise(kept, noise, following)
        return torch.lerp(latents, kept.to(latents), anchor.held)

    def _step_options(self, eta: float, generator: Generators) -> dict[str, Any]:
        """Those of the arguments that this scheduler's steps take."""
        taken = inspect.signature(self.scheduler.step).parameters
        options = {"eta": eta, "generator": generator}
        return {name: value for name, value in options.items() if name in taken}


def repeat_context(context: ElementContext, times: int) -> ElementContext:
    """A context in which each set stands `times` times, without computing it again."""
    if times == 1:
        return context
    return replace(
        context,
        keys={name: key.repeat_interleave(times, 0) for name, key in context.keys.items()},
        values={name: value.repeat_interleave(times, 0) for name, value in context.values.items()},
        present=context.present.repeat_interleave(times, 0),
        box=context.box.repeat_interleave(times, 0),
        frame=None if context.frame is None else context.frame.repeat_interleave(times, 0),
    )
