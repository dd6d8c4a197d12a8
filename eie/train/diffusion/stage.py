"""Stage 2: the diffusion decoder, a U-Net and its attention to elements (paper §3.3, §3.4)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from eie.models.conditioning import (
    Scaling,
    condition_channels,
    corrected,
    decode_latents,
    denoised,
    encode_pixels,
    known_picture,
    seen_features,
)
from eie.models.content_checkpoints import load_content_encoder
from eie.models.content_encoder import ContentEncoder
from eie.models.feature_distance import FeatureDistance, load_feature_distance
from eie.models.text_encoder import ReadText
from eie.train.core.checkpoint import load_fitting
from eie.train.core.decomposed_photos import repeated
from eie.train.core.log import side_by_side
from eie.train.core.loop import device_of
from eie.train.diffusion.decoder_data import DecoderBatch, draw_batch
from eie.train.diffusion.encoded_photos import EncodedPhotos, ShardedPhotos
from eie.train.diffusion.masks import MaskDatabase
from eie.train.diffusion.parts import (
    DiffusionDecoderModel,
    channel_weights,
    decoder_parts,
    feature_loss,
    loss_weight,
    square_about,
)
from eie.train.diffusion.settings import DecoderSettings

SAMPLE_STEPS = 12
"""Denoising steps of the sample pictures."""

Conditions = tuple[Tensor, Tensor, Tensor, Tensor | None, dict[str, Tensor] | None]
"""Appearance, box, present, text and added, as :meth:`DiffusionDecoderModel.forward` takes them."""


class DecoderStage:
    """Model, data and loss of stage 2.

    Args:
        prepared: folder that batches are kept in, if they are to come again.
    """

    def __init__(
        self,
        settings: DecoderSettings,
        photos: EncodedPhotos | ShardedPhotos,
        masks: MaskDatabase | None,
        prepared: Path | None = None,
    ) -> None:
        self.settings = settings
        draw = partial(_batch, photos, masks, settings)
        self.batch = repeated(DecoderBatch, draw, prepared, settings.batches)
        encoder = load_content_encoder(settings.encoder, "cpu")
        parts = decoder_parts(settings, encoder)
        self.vae, self.scheduler = parts.vae, parts.scheduler
        self.text = parts.text
        self.sees_picture = parts.unet.config.in_channels > self.vae.config.latent_channels
        self.channel_weight = channel_weights(self.vae, settings.channel_power)  # (C,)
        self.features: FeatureDistance | None = None
        if settings.feature_weight or settings.sees_features:
            self.features = load_feature_distance().to(memory_format=torch.channels_last)
        trained = None if settings.freeze else _trained_encoder(encoder.model, settings)
        model = DiffusionDecoderModel(parts.unet, parts.attention, trained)
        if settings.start:
            load_fitting(model, settings.start)
        self.model = model.to(memory_format=torch.channels_last)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.model.parameters()), "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: DecoderBatch) -> tuple[Tensor, dict[str, Tensor]]:
        device = device_of(model)
        pictures = self._pixels(batch, device)  # (B, 3, crop, crop) twice
        latents, extra, known = self._latents(batch, *pictures)  # (B, C, h, w), (B, E, h, w)
        count = len(latents)
        noise = torch.randn_like(latents)
        step = self._steps(count, device)
        noisy = self.scheduler.add_noise(latents, noise, step)
        conditions = self._conditions(batch, device, self.settings.text_dropout)
        predicted, scale = self._predict(model, noisy, step, extra, conditions)

        with torch.autocast(device.type, enabled=False):
            if self.settings.objective == "v_prediction":
                wanted = self.scheduler.get_velocity(latents, noise, step)
            else:
                wanted = noise
            open_share = 1 - known  # (B, 1, h, w)
            place = open_share + self.settings.known_weight * known  # (B, 1, h, w)
            error = (predicted - wanted).square()  # (B, C, h, w)
            parts = {"error": error.detach().mean()}
            error = error / scale.square() * self.channel_weight.to(error)[:, None, None]
            each = (error * place).mean(dim=(1, 2, 3)) / place.mean(dim=(1, 2, 3))  # (B,)
            signal = self._signal(step)  # (B, 1, 1, 1)
            loss = (loss_weight(signal.flatten(), self.settings) * each).mean()
            made = denoised(predicted, noisy, signal, self.settings.objective)
        if self.features is not None and self.settings.feature_weight:  # in half, as the U-Net
            features = self.features.to(device)
            parts["features"] = self._feature_distance(
                features, made, extra, *pictures, batch.known
            )
            loss = loss + self.settings.feature_weight * parts["features"]
        return loss, parts

    @torch.no_grad()
    def samples(self, model: nn.Module, batch: DecoderBatch) -> dict[str, np.ndarray]:
        device = device_of(model)
        target, picture = self._pixels(batch, device)
        latents, extra, _ = self._latents(batch, target, picture)
        conditions = self._conditions(batch, device)
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(SAMPLE_STEPS)
        random = torch.Generator().manual_seed(0)
        sample = torch.randn(latents.shape, generator=random).to(device)
        expected = torch.zeros_like(sample)
        for index, step in enumerate(scheduler.timesteps):
            steps = step.expand(len(latents)).to(device)
            predicted, _ = self._predict(model, sample, steps, extra, conditions)
            if not index:
                signal = self._signal(steps)
                expected = denoised(predicted, sample, signal, self.settings.objective)
            sample = scheduler.step(predicted, step, sample).prev_sample
        sample = torch.lerp(expected, sample, self.settings.temperature)
        decoded = self._decoded(picture, extra, sample)
        known_pixels = batch.known.to(device).float()
        decoded = known_pixels * target + (1 - known_pixels) * decoded
        columns = torch.cat([target, picture, decoded], dim=2)  # (B, 3, 3·crop, crop)
        return {"filled": side_by_side((columns + 1) / 2)}

    def _steps(self, count: int, device: torch.device) -> Tensor:
        """(count,) steps of the noise schedule."""
        steps = self.scheduler.config.num_train_timesteps
        step = torch.randint(steps, (count,), device=device)
        last = torch.rand(count, device=device) < self.settings.last_share
        return torch.where(last, steps - 1, step)

    def _predict(
        self, model: nn.Module, noisy: Tensor, step: Tensor, extra: Tensor, conditions: Conditions
    ) -> tuple[Tensor, Tensor]:
        """The objective (B, C, h, w), and the scale of the network's part in it (B, 1, 1, 1)."""
        signal = self._signal(step)
        if not self.settings.corrects:
            return model(noisy, step, extra, *conditions).float(), torch.ones_like(signal)
        scaling = Scaling.at(signal, self.settings.guess_deviation)
        made = model(scaling.scale * noisy, step, extra, *conditions).float()
        return scaling.kept * noisy + scaling.scale * made, scaling.scale

    def _signal(self, step: Tensor) -> Tensor:
        """(B,) steps of the noise schedule ⇒ their ᾱ, (B, 1, 1, 1)."""
        return self.scheduler.alphas_cumprod.to(step.device)[step][:, None, None, None]

    def _feature_distance(
        self,
        features: FeatureDistance,
        latents: Tensor,
        extra: Tensor,
        photo: Tensor,
        picture: Tensor,
        known: Tensor,
    ) -> Tensor:
        """Mean distance in features from the photo of denoised latents, where it is not known.

        Taken of a part of every crop, about the middle of its hole.

        Args:
            latents, extra: (B, ·, h, w).
            photo, picture: (B, 3, crop, crop) in [−1, 1], as :meth:`_pixels` gives them.
            known: (B, 1, crop, crop) bool.
        """
        side = min(self.settings.feature_crop, self.settings.crops.crop)
        pixels = torch.cat([photo, picture, known.to(photo)], dim=1)  # (B, 7, crop, crop)
        planes, rows = [], []
        for row, unknown in enumerate(~known[:, 0]):
            top, left = square_about(unknown, side)
            whole = np.s_[:, top : top + side, left : left + side]
            small = np.s_[:, top // 8 : (top + side) // 8, left // 8 : (left + side) // 8]
            planes.append(pixels[row][whole])
            rows.append(torch.cat([latents[row], extra[row]])[small])
        photo, picture, share = torch.stack(planes).split([3, 3, 1], dim=1)  # (B, ·, side, side)
        made, given = torch.stack(rows).tensor_split([latents.shape[1]], dim=1)
        target, made = (photo + 1) / 2, (self._decoded(picture, given, made).float() + 1) / 2
        seen = share * target + (1 - share) * made.clamp(0, 1)
        return feature_loss(features, seen, target, 1 - share)

    def _pixels(self, batch: DecoderBatch, device: torch.device) -> tuple[Tensor, Tensor]:
        """The photo and what is known of it, (B, 3, crop, crop) in [−1, 1] each."""
        target = batch.target.to(device).float() / 127.5 - 1
        guess = batch.guess.to(device).float() / 127.5 - 1
        known = batch.known.to(device).float()
        guessed = self._if_guessed(batch.guessed.to(device))
        return target, known_picture(target, guess, known, guessed)

    def _if_guessed(self, plane: Tensor) -> Tensor:
        """A plane as float, 0 all over if the U-Net is told of what is known alone."""
        return plane.float() * self.settings.light_picture

    @torch.no_grad()
    def _latents(
        self, batch: DecoderBatch, target: Tensor, picture: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (B, C, h, w), extra channels (B, C + F + 2, h, w), share known (B, 1, h, w).

        Latents are less those of the guess if that is corrected.
        """
        device = target.device
        seen = None
        if self.features is not None and self.settings.sees_features:
            seen = seen_features(self.features.to(device), picture)  # (B, F, h, w)
        with torch.autocast(device.type, enabled=False):
            self.vae.to(device)
            known, covered = batch.known.to(device).float(), batch.covered.to(device)
            covered = self._if_guessed(covered)
            latents = encode_pixels(self.vae, target)
            if self.sees_picture:
                extra = condition_channels(self.vae, picture, known, covered, seen)
            else:  # what is known is nothing to the U-Net
                count, channels, *size = latents.shape
                extra = latents.new_zeros(count, channels + 2, *size)
            latents = latents - self._guess(extra)
            return latents, extra, extra[:, -2:-1]

    def _decoded(self, picture: Tensor, extra: Tensor, latents: Tensor) -> Tensor:
        """(B, 3, H, W), about [−1, 1], of denoised latents.

        Args:
            picture: (B, 3, H, W) in [−1, 1], what is known of the photo.
            extra: (B, C + F + 2, h, w) further channels, the picture's latents first.
            latents: (B, C, h, w), less those of the picture if it is corrected.
        """
        if self.settings.corrects:
            guess = self._guess(extra)
            return corrected(self.vae, picture, guess, guess + latents)
        return decode_latents(self.vae, latents)

    def _guess(self, extra: Tensor) -> Tensor:
        """Latents (B, C, h, w) that the network's are added to: 0 if it makes everything."""
        return extra[:, : self.vae.config.latent_channels] * self.settings.corrects

    def _elements(self, batch: DecoderBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings (B, N, D) or patches (B, N, 4, S, S), boxes (B, N, 4), present (B, N)."""
        box, present = batch.box.to(device), batch.present.to(device)
        appearance = batch.appearance.to(device)
        if not self.settings.freeze:
            appearance = appearance.float() / 255
        return appearance, box, present

    def _conditions(
        self, batch: DecoderBatch, device: torch.device, dropout: float = 0.0
    ) -> Conditions:
        """Elements and text as the model takes them.

        Args:
            dropout: share of null sets, and of texts that are left out, each on its own: guidance's
                unconditional side.
        """
        appearance, box, present = self._elements(batch, device)
        null = torch.rand(len(box), 1, device=device) < dropout
        text = self._text(batch, device, dropout)
        if text is None:
            return appearance, box, present & ~null, None, None
        height, width = batch.target.shape[-2:]
        return appearance, box, present & ~null, text.states, text.added((height, width))

    @torch.no_grad()
    def _text(
        self, batch: DecoderBatch, device: torch.device, dropout: float = 0.0
    ) -> ReadText | None:
        """What is read of the captions, some left out; None for a U-Net that reads none."""
        if self.text is None:
            return None
        kept = [caption if torch.rand(()) >= dropout else "" for caption in batch.captions()]
        for encoder in self.text.encoders:
            encoder.to(device)
        return self.text(kept, device)


def _trained_encoder(frozen: ContentEncoder, settings: DecoderSettings) -> ContentEncoder:
    """The encoder that is trained along: stage 1's, or with `joint` an untrained one."""
    if not settings.joint:
        return frozen.requires_grad_(True)
    return ContentEncoder(**vars(frozen.config) | {"luma": 0, "chroma": 0, "shape": 0})


def _batch(
    photos: EncodedPhotos | ShardedPhotos,
    masks: MaskDatabase | None,
    settings: DecoderSettings,
    step: int,
) -> DecoderBatch:
    return draw_batch(
        photos,
        masks,
        settings.crops,
        settings.dropout,
        # Step −1 draws the batch that sample pictures are made of.
        (settings.loop.seed, step + 1),
        filled=settings.corrects,
        patches=not settings.freeze,
    )
