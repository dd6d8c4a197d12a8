"""The `inpaint` decoder: any of diffusers' inpainting pipelines makes what an edit reveals.

It knows nothing of elements, only the picture around the hole and a prompt, and needs no training:
with Stable Diffusion's inpainting weights and a GPU it gives photographic fills.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.errors import MissingModelError, UsageError
from eie.pictures import Picture
from eie.rendering.anchored import Progress
from eie.rendering.diffusion import known_of
from eie.rendering.diffusion_sampling import (
    generators_of,
    reporting,
    use_scheduler,
)
from eie.rendering.learned_filling import SamplingDecoder, fill_sites
from eie.rendering.windows import View

if TYPE_CHECKING:
    from eie.rendering.anchored import Scene

MULTIPLE = 64
"""Pixels of which a view's sides are multiples; suits every U-Net of diffusers."""


@dataclass(frozen=True)
class InpaintDecoder(SamplingDecoder):
    """Inpaints the hole of an edited photo by a stock pipeline.

    Attributes:
        model: folder or hub id of a pipeline that `AutoPipelineForInpainting` takes.
        guidance: weight of the prompt; None for the pipeline's default.

    The others as :class:`eie.rendering.learned_filling.SamplingDecoder`.

    Raises:
        UsageError: no model, or a senseless setting.
    """

    def __post_init__(self) -> None:
        if self.model is None:
            raise UsageError(
                "the decoder 'inpaint' needs a model",
                hint="give --model a folder or hub id of an inpainting pipeline of diffusers",
            )
        super().__post_init__()

    @property
    def name(self) -> str:
        return "inpaint"

    @property
    def settings(self) -> Mapping[str, Any]:
        from eie.models.diffusion_checkpoints import inpainting_folder, weight_hashes

        folder = inpainting_folder(str(self.model))
        settings = asdict(self) | {"weights": weight_hashes(folder, ("unet", "vae", "transformer"))}
        del settings["device"]
        return settings

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`fill`, several times in one batch.

        Args:
            progress: called with (steps done, all steps).

        Raises:
            UsageError: the model's safety checker refuses the result.
            MissingModelError: the model is not there or no inpainting pipeline.
        """
        from eie.models.diffusion_checkpoints import load_inpainting

        pipeline = load_inpainting(str(self.model), self.device)
        use_scheduler(pipeline, self.scheduler)
        generators = generators_of(self.seed, count)
        prompt = self.prompt if self.prompt is not None else scene.elements.prompt

        def make(views: Sequence[View], report: Progress) -> list[Picture]:
            return self._make(pipeline, views[0], prompt, generators, report)

        return fill_sites(
            [scene] * count, make, self.working_size, self.context, MULTIPLE, progress
        )

    def _make(
        self, pipeline: Any, view: View, prompt: str, generators: list[Any], report: Progress
    ) -> list[Picture]:
        """Pictures (H, W, 3) uint8 of a view, one for each generator."""
        from PIL import Image

        picture = known_of(view, {}, None, sees=False).picture
        if picture is None:  # all of the view is hole
            continued = np.full_like(view.photo, 127)
        else:
            pixels = picture[0].add(1).mul(127.5).round().byte()  # (3, H, W)
            continued = pixels.permute(1, 2, 0).numpy()
        height, width = view.known.shape

        options = {
            "prompt": prompt,
            "negative_prompt": self.negative_prompt or None,
            "image": Image.fromarray(continued),
            "mask_image": Image.fromarray((~view.known).astype(np.uint8) * 255),
            "height": height,
            "width": width,
            "strength": 1.0,
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance,
            "num_images_per_prompt": len(generators),
            "generator": generators,
            "output_type": "np",
            "callback_on_step_end": reporting(report),
        }
        taken = inspect.signature(pipeline.__call__).parameters
        given = {n: v for n, v in options.items() if n in taken and v is not None}
        try:
            result = pipeline(**given)
        except (TypeError, ValueError) as error:
            raise MissingModelError(
                f"{type(pipeline).__name__} does not take a plain picture, mask and prompt: "
                f"{error}",
                where=self.model,
            ) from error
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise UsageError(
                "the model's safety checker refused the picture",
                where=self.model,
                hint="try another --seed or --prompt",
            )
        return list(np.rint(np.asarray(result.images) * 255).astype(np.uint8))
