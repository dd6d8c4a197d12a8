"""The `diffusion` decoder: a U-Net that attends to image elements (paper §3.3, stage 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eie.elements import ElementSet
from eie.errors import UsageError
from eie.geometry import corners
from eie.pictures import Mask, Picture, Window
from eie.rendering.anchored import Progress
from eie.rendering.classical import ClassicalDecoder
from eie.rendering.diffusion_sampling import (
    generators_of,
    part_of,
    reporting,
    use_scheduler,
)
from eie.rendering.element_tensors import element_inputs, embedded, stretched_inputs
from eie.rendering.learned_filling import SamplingDecoder, fill_sites
from eie.rendering.windows import View

if TYPE_CHECKING:
    import torch

    from eie.models.diffusion_checkpoints import ElementModel
    from eie.models.light_decoder import LightDecoder
    from eie.rendering.anchored import Scene

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class DiffusionDecoder(SamplingDecoder):
    """Denoises latents that attend to the elements, holding what is known of the photo.

    Attributes:
        model: "tiny" (embedded), a model folder, or a hub id.
        guidance: weight of text and elements against neither; at most 1 for none; None for what
            the model was made for.
        prompt, negative_prompt: only for models that read text.
        temperature: how far what is sampled may be from what the model expects most, see
            :class:`eie.models.pipeline.ImageElementsPipeline`; None for what the model was made
            for.

    The others as :class:`eie.rendering.learned_filling.SamplingDecoder`.

    Raises:
        UsageError: a senseless setting.
    """

    model: str = "tiny"
    temperature: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature is not None and not 0 <= self.temperature < np.inf:
            raise UsageError(f"a temperature of {self.temperature}", hint="choose one from 0 up")

    @property
    def name(self) -> str:
        return "diffusion"

    @property
    def settings(self) -> Mapping[str, Any]:
        from eie.models.diffusion_checkpoints import element_model_folder, weight_hashes

        settings = asdict(self) | {"weights": weight_hashes(element_model_folder(self.model))}
        del settings["device"]
        return settings

    def decode(self, elements: ElementSet) -> Picture:
        """(H, W, 3) uint8 RGB of the whole canvas, from embeddings and boxes alone."""
        return self.decode_variations(elements, 1)[0]

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`fill`, several times in one batch.

        Args:
            progress: called with (steps done, all steps).

        Raises:
            UsageError: embeddings of another encoder, or a prompt for a model that reads none.
            MissingModelError: the model is not there.
        """
        model = self._load()
        pipeline = model.pipeline
        inputs = self._inputs(scene.elements, model)
        light = self._light_decoder(model)
        generators = generators_of(self.seed, count)
        scenes = guesses(scene, count, self.seed) if pipeline.corrects else [scene] * count

        def make(views: Sequence[View], report: Progress) -> list[Picture]:
            different = views if pipeline.corrects else views[:1]
            known = [
                known_of(view, inputs, light, sees=pipeline.sees_picture, guessed=pipeline.corrects)
                for view in different
            ]
            return self._make(model, known, inputs, views[0], scene.elements, generators, report)

        return fill_sites(
            scenes,
            make,
            self.working_size,
            self.context,
            pipeline.multiple,
            progress,
            guessed=pipeline.corrects,
            least=pipeline.config.window,
        )

    def decode_variations(
        self, elements: ElementSet, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`decode`, several times in one batch; otherwise as :meth:`fill_variations`."""
        model = self._load()
        inputs = self._inputs(elements, model)
        light = self._light_decoder(model)
        view = free_view(elements.canvas, self.working_size, model.pipeline.multiple)
        report = part_of(progress, 0, 1)
        known = known_of(view, inputs, light, sees=model.pipeline.sees_picture)
        generators = generators_of(self.seed, count)
        made = self._make(model, [known], inputs, view, elements, generators, report)
        return [view.back(pixels) for pixels in made]

    def _load(self) -> ElementModel:
        from eie.models.diffusion_checkpoints import load_element_model

        model = load_element_model(self.model, self.device)
        pipeline = model.pipeline
        if pipeline.text_encoder is None and (self.prompt or self.negative_prompt):
            raise UsageError(
                "this model reads no text",
                where=self.model,
                hint="leave the prompt out, or make a model by eie models init sd15",
            )
        use_scheduler(pipeline, self.scheduler)
        return model

    def _inputs(self, elements: ElementSet, model: ElementModel) -> Inputs:
        wanted = model.pipeline.element_attention.config.encoder_hash
        return element_inputs(embedded(elements, wanted, self.model, self.device))

    def _light_decoder(self, model: ElementModel) -> LightDecoder | None:
        """The light decoder, if the U-Net sees its picture and the model has one."""
        from eie.models.content_checkpoints import DECODER_FOLDER, load_light_decoder

        if not model.pipeline.sees_picture or not (model.folder / DECODER_FOLDER).is_dir():
            return None
        return load_light_decoder(self.model, self.device).model

    def _make(
        self,
        model: ElementModel,
        known: Sequence[Known],
        inputs: Inputs,
        view: View,
        elements: ElementSet,
        generators: list[torch.Generator],
        report: Progress,
    ) -> list[Picture]:
        """Pictures (H, W, 3) uint8 of a view, one for each generator.

        Args:
            known: of each picture, or the same of all.
        """
        import torch

        pipeline = model.pipeline
        shape = view.known.shape
        inputs = stretched_inputs(inputs, view.stretch, view.corner)
        frame = inputs.get("frame", np.eye(2, dtype=np.float32))
        near = inputs["visible"] & _reaching(inputs["box"], frame, shape)
        near[0] |= not near.any()  # something must be absent to make a null set
        box = inputs["box"][near] / np.array([shape[1], shape[0]] * 2, np.float32)

        reads = pipeline.text_encoder is not None
        prompt = self.prompt if self.prompt is not None else elements.prompt
        told = together(known)
        sets = [
            torch.from_numpy(plane)[None].expand(len(known), *plane.shape)
            for plane in (inputs["embeddings"][near], box, inputs["visible"][near])
        ]
        turned = None
        if "frame" in inputs:
            turned = torch.from_numpy(frame[near])[None]  # (1, N, 2, 2)
            turned = turned.expand(len(known), *turned.shape[1:])
        images = pipeline(
            *sets,
            frame=turned,
            prompt=prompt if reads else "",
            negative_prompt=self.negative_prompt,
            picture=told.picture,
            known=told.known,
            covered=told.covered,
            height=shape[0],
            width=shape[1],
            num_images=len(generators) // len(known),
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            temperature=self.temperature,
            generator=generators,
            output_type="np",
            callback_on_step_end=reporting(report),
        ).images  # (K, H, W, 3) in [0, 1]
        return list(np.rint(images * 255).astype(np.uint8))


def guesses(scene: Scene, count: int, seed: int) -> list[Scene]:
    """The scene with the classical decoder's fills in its hole, `count` of them: fill k, counted
    from 0, is that of seed + k."""
    fills = ClassicalDecoder(seed=seed).fill_variations(scene, count)
    hole = scene.hole[..., None]
    pictures = [np.where(hole, fill, scene.picture) for fill in fills]
    return [replace(scene, picture=pictures[index % len(pictures)]) for index in range(count)]


class Known(NamedTuple):
    """What the pipeline is told of the picture, each (B, ·, H, W), or None."""

    picture: torch.Tensor | None = None
    known: torch.Tensor | None = None
    covered: torch.Tensor | None = None


def together(known: Sequence[Known]) -> Known:
    """What is told of several pictures, of all alike None or not, as one batch."""
    import torch

    planes = zip(*known, strict=True)
    return Known(*(None if of[0] is None else torch.cat(of) for of in planes))


def known_of(
    view: View,
    inputs: Inputs,
    light: LightDecoder | None,
    *,
    sees: bool,
    guessed: bool = False,
) -> Known:
    """What the pipeline is told of the picture.

    Nothing if nothing is known and the U-Net does not see it anyway, as in the paper.

    Args:
        sees: whether the U-Net is told of the picture.
        guessed: whether the view's photo shows a first guess in the hole, which it starts from.
    """
    import torch

    from eie.models.conditioning import known_picture

    if not sees and not view.known.any():
        return Known()
    photo = torch.from_numpy(view.photo).permute(2, 0, 1)[None].float() / 127.5 - 1  # (1, 3, H, W)
    known, covered = (
        torch.from_numpy(mask)[None, None].float() for mask in (view.known, view.covered)
    )  # (1, 1, H, W)
    if guessed and view.known.any():
        return Known(photo, known, covered)
    if light is None:
        guess, covered = torch.zeros_like(photo), known
    else:
        guess, claimed = _light_picture(light, view, inputs)
        covered = torch.maximum(covered, claimed) if not view.known.any() else covered
    return Known(known_picture(photo, guess, known, covered), known, covered)


def free_view(canvas: tuple[int, int], working_size: int, multiple: int) -> View:
    """The whole canvas, nothing of it known; stretched a little to the multiples a model needs."""
    height, width = canvas
    factor = min(1.0, working_size / max(height, width)) / multiple
    size = (
        max(1, round(height * factor)) * multiple,
        max(1, round(width * factor)) * multiple,
    )
    nowhere = np.zeros(size, dtype=bool)
    return View(
        window=Window(0, 0, height, width),
        photo=np.zeros((*size, 3), np.uint8),
        known=nowhere,
        covered=nowhere,
        size=size,
    )


def _light_picture(
    light: LightDecoder, view: View, inputs: Inputs
) -> tuple[torch.Tensor, torch.Tensor]:
    """The light decoder's picture (1, 3, H, W) in [−1, 1], and where elements are, (1, 1, H, W)."""
    import torch

    from eie.models.devices import half_precision

    at_view = stretched_inputs(inputs, view.stretch, view.corner)
    tensors = {name: torch.from_numpy(value)[None] for name, value in at_view.items()}
    moved = {name: tensor.to(light.device) for name, tensor in tensors.items()}
    precision = half_precision(light.device)
    half = torch.autocast(light.device.type, precision, enabled=precision != torch.float32)
    height, width = view.known.shape
    with torch.inference_mode(), half:
        picture, covered = light.decode(**moved, size=(height, width))
    return picture.float().cpu().clamp(0, 1) * 2 - 1, covered.float().cpu()


def _reaching(box: NDArray[np.float32], frame: NDArray[np.float32], size: tuple[int, ...]) -> Mask:
    """(N,) bool, boxes in pixels, turned by frames, that reach into a picture of a size."""
    around = (np.abs(frame) @ box[:, 2:, None])[..., 0]  # (N, 2)
    edge = corners(np.concatenate([box[:, :2], around], axis=1).astype(np.float64))
    starts, ends = edge[:, :2] < (size[1], size[0]), edge[:, 2:] > 0
    return np.asarray(starts.all(axis=1) & ends.all(axis=1))
