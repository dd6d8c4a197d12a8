"""The `refined` decoder: the classical decoder's fill, brought closer to the photo by networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eie.errors import UsageError
from eie.render.choice import CONTEXTS, guesses
from eie.render.filling import fill_sites
from eie.render.pictures import Picture
from eie.render.sampling import part_of
from eie.render.windows import View

if TYPE_CHECKING:
    import torch

    from eie.render.anchored import Progress, Scene

    Network = Callable[[torch.Tensor, torch.Tensor, Sequence[torch.Tensor]], torch.Tensor]

PARTS = ("refiner", "expectation")
"""The parts of a model that it takes, as far as there are any."""

LEAST_WINDOW = 256
"""Side of a window in pixels, where the canvas allows: that of the crops of the training."""


@dataclass(frozen=True)
class RefinedDecoder:
    """Lets a convolutional network change what the classical decoder makes of a hole.

    What it makes then descends to the ImageNet features that another one expects of the photo
    (:mod:`eie.models.feature_expectation`), if the model has it and the hole several fills.

    Attributes:
        model: "tiny" (embedded), a model folder, or a hub id.
        working_size: long side in pixels at which larger windows of the canvas are refined.
        context: side of a window as a multiple of what is refined in it.
        contexts: of the classical decoder, whose best fill (:mod:`eie.render.choice`) is refined
            in view of the others.
        descent: its steps; 0 for none.
        seed: of the classical decoder; variation k, counted from 0, has seed + k.
        device: "cpu", "cuda", "mps"; None for the best there is.

    Raises:
        UsageError: a descent of fewer steps than none.
    """

    model: str | Path = "tiny"
    working_size: int = 512
    context: float = 2.0
    contexts: tuple[float, ...] = CONTEXTS
    descent: int = 20
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        if self.descent < 0:
            raise UsageError(
                f"a descent of {self.descent} steps", hint="choose 0 for none, or more"
            )

    @property
    def name(self) -> str:
        return "refined"

    @property
    def settings(self) -> Mapping[str, Any]:
        from eie.models.element_model import element_model_folder, weight_hashes

        folder = element_model_folder(self.model)
        settings = asdict(self) | {
            "model": str(self.model),
            "weights": weight_hashes(folder, PARTS),
        }
        del settings["device"]
        return settings

    def fill(self, scene: Scene) -> Picture:
        """The scene's picture with its hole filled; alpha is the classical decoder's.

        Raises:
            MissingModelError: the model is not there or has no refiner.
        """
        return self.fill_variations(scene, 1)[0]

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`fill`, several times, from a guess with a seed of its own each.

        Args:
            progress: called with (steps done, all steps).
        """
        from eie.models.devices import choose_device
        from eie.models.element_model import element_model_folder
        from eie.models.feature_expectation import load_expectation
        from eie.models.fill_refiner import load_refiner

        folder = element_model_folder(self.model)
        refiner = load_refiner(folder, choose_device(self.device))
        expectation = load_expectation(folder, refiner) if self.descent else None
        fills = guesses(scene, count, self.seed, self.contexts)

        def make(views: Sequence[View], report: Progress) -> list[Picture]:
            pictures = []
            for index, (view, (_, *others)) in enumerate(zip(views, fills, strict=True)):
                part = part_of(report, index, len(views))
                network: Network = refiner
                if expectation is not None:
                    network = partial(expectation, steps=self.descent, progress=part)
                pictures.append(refined(network, view, [view.like(other) for other in others]))
                part(1, 1)
            return pictures

        return fill_sites(
            [best for best, *_ in fills],
            make,
            self.working_size,
            self.context,
            progress=progress,
            guessed=True,
            least=LEAST_WINDOW,
        )


def refined(network: Network, view: View, others: Sequence[View] = ()) -> Picture:
    """(H, W, 3) uint8 of a view whose photo shows a guess where nothing is known.

    Args:
        network: a :class:`LoadedRefiner`, or what is called like one.
        others: the same view with other guesses.
    """
    photo, known = as_tensors(view)
    made = network(photo, known, [as_tensors(other)[0] for other in others])[0]  # (3, H, W)
    pixels = made.add(1).mul(127.5).round().byte().permute(1, 2, 0)  # (H, W, 3)
    return np.ascontiguousarray(pixels.numpy())


def as_tensors(view: View) -> tuple[torch.Tensor, torch.Tensor]:
    """A view's photo (1, 3, H, W) in [−1, 1], and what is known of it (1, 1, H, W), 1 or 0."""
    import torch

    photo = torch.from_numpy(view.photo).permute(2, 0, 1)[None].float() / 127.5 - 1
    return photo, torch.from_numpy(view.known)[None, None].float()
