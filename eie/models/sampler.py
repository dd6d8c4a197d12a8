"""The sampling of the diffusion decoder: noise ⇒ latents, step by step (paper §3.3).

What is known of the picture is held while the rest is made (blended latents, Avrahami et al. 2023).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eie.models.conditioning import Scaling, denoised
from eie.models.element_attention import ARGUMENT, ElementContext
from eie.models.text_encoder import ReadText

Generators = torch.Generator | Sequence[torch.Generator] | None

AfterStep = Callable[[int, Any, dict[str, Tensor]], dict[str, Tensor] | None]
"""Index, timestep, tensors after a step ⇒ those to go on with."""


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


@dataclass(frozen=True)
class Sampler:
    """The steps of a scheduler with a U-Net, as :class:`eie.models.pipeline` has them.

    Attributes:
        guess_deviation: 0, or of a U-Net that makes what is to be added to the picture it sees.
        steps: how many.
        temperature: t of z = z₀ + t (z₁ − z₀), with the latents z₁ that are sampled and what the
            first step expects, z₀, the mean of all there could be: 1 samples, towards 0 samples
            come closer to that mean, for which one step is enough.
        eta, generator: for schedulers whose steps take them; eta of DDIM: 0 is deterministic, 1 is
            DDPM.
        progress: gives a progress bar of so many steps.
    """

    unet: Any
    scheduler: Any
    guess_deviation: float
    steps: int
    temperature: float
    eta: float
    generator: Generators
    progress: Callable[..., Any]

    def __call__(
        self,
        noise: Tensor,
        conditions: Conditions,
        anchor: KnownPicture | None,
        step_end: AfterStep | None = None,
    ) -> Tensor:
        """(B, c, h, w) noise ⇒ latents; what is known is held at every step.

        Args:
            step_end: called after each.
        """
        self.scheduler.set_timesteps(self.steps, device=noise.device)
        timesteps = self.scheduler.timesteps[: None if self.temperature else 1]
        latents = noise * self.scheduler.init_noise_sigma
        expected = latents
        step_options = self._step_options()
        with self.progress(total=len(timesteps)) as bar:
            for index, timestep in enumerate(timesteps):
                prediction = self.predict(latents, timestep, conditions)
                if not index and self.temperature != 1:
                    expected = self._expected(latents, timestep, prediction)
                latents = self.scheduler.step(
                    prediction, timestep, latents, **step_options, return_dict=False
                )[0]
                latents = self._hold(latents, anchor, noise, timesteps[index + 1 : index + 2])
                if step_end is not None:
                    changed = step_end(index, timestep, {"latents": latents}) or {}
                    latents = changed.get("latents", latents)
                bar.update()
        if self.temperature != 1:
            latents = torch.lerp(expected, latents, self.temperature)
            latents = self._hold(latents, anchor, noise, timesteps[:0])
        if anchor is not None and self.guess_deviation:
            latents = latents + anchor.latents
        return latents

    def predict(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        """(B, c, h, w) noisy latents ⇒ the U-Net's guided prediction, same shape, float32."""
        noisy = self.scheduler.scale_model_input(latents, timestep)  # (B, c, h, w)
        scaling = None
        if self.guess_deviation:
            scaling = Scaling.at(self._signal(timestep), self.guess_deviation)
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

    def _hold(
        self, latents: Tensor, anchor: KnownPicture | None, noise: Tensor, following: Tensor
    ) -> Tensor:
        """Latents with what is known of the picture, as noisy as the following step expects it."""
        if anchor is None:
            return latents
        # Nothing is to be added to what is known.
        kept = torch.zeros_like(anchor.latents) if self.guess_deviation else anchor.latents
        if len(following):
            kept = self.scheduler.add_noise(kept, noise, following)
        return torch.lerp(latents, kept.to(latents), anchor.held)

    def _step_options(self) -> dict[str, Any]:
        """Those of the options that this scheduler's steps take."""
        taken = inspect.signature(self.scheduler.step).parameters
        options = {"eta": self.eta, "generator": self.generator}
        return {name: value for name, value in options.items() if name in taken}
