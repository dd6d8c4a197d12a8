"""Stage 2: the diffusion decoder, a U-Net and its attention to elements (paper §3.3, §3.4)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from eie.errors import UsageError
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
from eie.models.content import DECODER_FOLDER as LIGHT_FOLDER
from eie.models.content import ENCODER_FOLDER, load_content_encoder
from eie.models.content_encoder import ContentEncoder
from eie.models.diffusion import save_diffusion_model
from eie.models.element_attention import ElementAttention
from eie.models.element_model import element_model_folder
from eie.models.feature_distance import FeatureDistance, load_feature_distance
from eie.models.folders import WEIGHTS_FILE
from eie.models.text import ReadText
from eie.models.weight_hash import file_hash
from eie.train.batch_cache import repeated
from eie.train.decoder_parts import decoder_parts
from eie.train.dropout import DecoderBatch, draw_batch
from eie.train.element_crops import DecomposedPhotos
from eie.train.encoded_photos import EncodedPhotos
from eie.train.feature_loss import feature_loss
from eie.train.images import Folder, photo_files
from eie.train.loop import averaged_weights, load_fitting, run_options, train
from eie.train.masks import MaskDatabase
from eie.train.pictures import side_by_side
from eie.train.settings import DecoderSettings
from eie.train.shards import ShardedPhotos, is_shard, write_shards

SAMPLE_STEPS = 12
"""Denoising steps of the sample pictures."""


Conditions = tuple[Tensor, Tensor, Tensor, Tensor | None, dict[str, Tensor] | None]
"""Appearance, box, present, text and added, as :meth:`DiffusionDecoderModel.forward` takes them."""


class DiffusionDecoderModel(nn.Module):
    """U-Net and element attention as one module, as they are trained; the encoder if it is too."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        attention: ElementAttention,
        encoder: ContentEncoder | None,
    ) -> None:
        super().__init__()
        self.unet, self.element_attention = unet, attention
        self.content_encoder: ContentEncoder | None = encoder

    def forward(
        self,
        noisy: Tensor,
        step: Tensor,
        extra: Tensor,
        appearance: Tensor,
        box: Tensor,
        present: Tensor,
        text: Tensor | None = None,
        added: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Predict the objective.

        Args:
            noisy: (B, C, h, w) latents.
            step: (B,) of the noise schedule.
            extra: (B, C + F + 2, h, w) further channels, which a U-Net with as many input channels
                as latents have is not given.
            appearance: (B, N, D) embeddings or, with an encoder, (B, N, 4, S, S) patches.
            box: (B, N, 4) in shares of the crop.
            present: (B, N) bool.
            text: (B, L, T) what is read of the text; None for nothing.
            added: what else Stable Diffusion XL's U-Net is told.

        Returns:
            (B, C, h, w).
        """
        embeddings = appearance
        if self.content_encoder is not None:
            patches = appearance.flatten(0, 1)  # (B·N, 4, S, S)
            embeddings = self.content_encoder(patches).unflatten(0, present.shape)  # (B, N, D)
        context = self.element_attention(embeddings, box, present)
        if text is None:
            text = noisy.new_zeros(len(noisy), 1, self.unet.config.cross_attention_dim)
        told = self.unet.config.in_channels > noisy.shape[1]
        return self.unet(
            torch.cat([noisy, extra], dim=1) if told else noisy, step, text,
            cross_attention_kwargs={"elements": context}, added_cond_kwargs=added,
        ).sample  # fmt: skip


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
        device = _device(model)
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
        device = _device(model)
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
        self,
        model: nn.Module,
        noisy: Tensor,
        step: Tensor,
        extra: Tensor,
        conditions: Conditions,
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


def loss_weight(signal: Tensor, settings: DecoderSettings) -> Tensor:
    """min-SNR-γ weights (Hang et al. 2023) of the objective's squared error.

    Args:
        signal: (B,) ᾱ, the share of signal in the noisy latents' variance.
    """
    if not settings.min_snr:
        return torch.ones_like(signal)
    ratio = signal / (1 - signal).clamp_min(1e-8)  # (B,)
    clipped = ratio.clamp(max=settings.min_snr)
    if settings.objective == "v_prediction":
        return clipped / (ratio + 1)
    return clipped / ratio.clamp_min(1e-8)


@torch.no_grad()
def channel_weights(vae: Any, power: float) -> Tensor:
    """(C,) how much each latent channel counts, 1 on average: what it does to pixels, to a power.

    Measured on a grey picture, so that it holds for any autoencoder.
    """
    channels = int(vae.config.latent_channels)
    single = torch.eye(channels)[:, :, None, None].expand(-1, -1, 3, 3)  # (C, C, 3, 3)
    nothing = torch.zeros(1, channels, 3, 3)
    change = decode_latents(vae, single) - decode_latents(vae, nothing)  # (C, 3, H, W)
    weight = change.square().mean(dim=(1, 2, 3)).sqrt() ** power  # (C,)
    return weight / weight.mean()


def _trained_encoder(frozen: ContentEncoder, settings: DecoderSettings) -> ContentEncoder:
    """The encoder that is trained along: stage 1's, or with `joint` an untrained one."""
    if not settings.joint:
        return frozen.requires_grad_(True)
    return ContentEncoder(**vars(frozen.config) | {"luma": 0, "chroma": 0, "shape": 0})


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def square_about(unknown: Tensor, side: int) -> tuple[int, int]:
    """Top and left, multiples of 8, of a square of so many pixels about a plane's True pixels.

    Args:
        unknown: (H, H) bool.
    """
    size = unknown.shape[0]
    places = unknown.nonzero().float()  # (K, 2)
    middle = places.mean(dim=0) if len(places) else torch.full((2,), size / 2)
    top, left = (((middle - side / 2) / 8).round() * 8).clamp(0, size - side).int().tolist()
    return top, left


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
        return ShardedPhotos(shards)
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
    output: Path,
    settings: DecoderSettings | None = None,
    of_shard: int = 1000,
) -> list[Path]:
    """Decompose and encode photos into shards, which `train_decoder` takes instead of folders.

    Args:
        folders: photos.
        output: folder of the shards; what is cached on the way lies in it, too.
        settings: of the training; None for the `tiny` preset.
        of_shard: photos in a shard.

    Raises:
        BadInputError: a folder or image cannot be read.
    """
    photos = encoded_photos(folders, output / "cache", settings or DecoderSettings())
    if isinstance(photos, ShardedPhotos):
        raise UsageError("these are shards already", hint="give folders of photos")
    return list(write_shards(photos, output, of_shard))


def train_decoder(
    folders: Sequence[Folder],
    run: Path,
    settings: DecoderSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the diffusion decoder on folders of photos, or go on with the run in `run`.

    Photos are decomposed, encoded and lightly decoded once, cached beside the run. At the end the
    averaged weights are in `run`, as a model folder that `--model` takes.

    Args:
        folders: photos, or shards of :func:`train_shards`.
        run: the run folder.
        settings: None for the `tiny` preset.
        dry_run: check everything and train nothing.

    Returns:
        All options that determine the run.

    Raises:
        BadInputError: a folder, shard, image or mask database cannot be read.
        UsageError: senseless settings, or `run` holds a run with other settings.
        MissingModelError: the encoder or the latent autoencoder is not there.
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
    options = run_options("decoder", folders, len(photos), settings)
    masks = MaskDatabase.load(settings.masks) if settings.masks else None
    if dry_run:
        return options
    stage = DecoderStage(settings, photos, masks, run / "batches")
    train(stage, settings.loop, run, options)
    stage.model.load_state_dict(averaged_weights(run))
    _hand_out(run, stage)
    return options


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
