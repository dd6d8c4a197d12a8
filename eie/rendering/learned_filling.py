"""What learned decoders of holes share: filling site by site, and settings of those that sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eie.pictures import Picture, split_alpha, to_channels
from eie.rendering.anchored import Progress, Scene
from eie.rendering.diffusion_sampling import check_sampling, part_of
from eie.rendering.light import as_layout
from eie.rendering.windows import Site, View, sites, view_of

Make = Callable[[Sequence[View], Progress], list[Picture]]
"""Views of a site, one for each variation ⇒ as many pictures (H, W, 3) uint8 of them, reporting
(steps done, all)."""


@dataclass(frozen=True)
class SamplingDecoder:
    """Makes windows of the canvas by denoising, at a working size.

    Attributes:
        model: a name, a model folder, or a hub id.
        steps: of denoising.
        guidance: weight of what the picture is told to be; None for what the model was made for.
        seed: of the noise; variation k, counted from 0, has seed + k.
        prompt: what the picture shows; None for what the element file says.
        negative_prompt: what it does not show.
        scheduler: a name out of :data:`eie.rendering.diffusion_sampling.SCHEDULERS`; None for the
            model's.
        working_size: long side in pixels at which windows of the canvas are denoised.
        context: side of a window as a multiple of what is to be made in it.
        device: "cpu", "cuda", "mps"; None for the best there is.

    Raises:
        UsageError: a senseless setting.
    """

    model: str | None = None
    steps: int = 50
    guidance: float | None = None
    seed: int = 0
    prompt: str | None = None
    negative_prompt: str = ""
    scheduler: str | None = None
    working_size: int = 512
    context: float = 2.0
    device: str | None = None

    def __post_init__(self) -> None:
        check_sampling(self.steps, self.scheduler)

    def fill(self, scene: Scene) -> Picture:
        """The scene's picture with its hole made; alpha is opaque there, or the guess's."""
        return self.fill_variations(scene, 1)[0]

    def fill_variations(
        self, scene: Scene, count: int, progress: Progress | None = None
    ) -> list[Picture]:
        """As :meth:`fill`, several times in one batch.

        Args:
            progress: called with (steps done, all steps).
        """
        raise NotImplementedError


def fill_sites(
    scenes: Sequence[Scene],
    make: Make,
    working_size: int,
    context: float,
    multiple: int = 1,
    progress: Progress | None = None,
    *,
    guessed: bool = False,
    least: int | None = None,
) -> list[Picture]:
    """The scenes' pictures with their hole made site by site.

    Args:
        scenes: one for each variation, alike but for the guess, if there is one.
        make: gives a picture of each scene's view.
        working_size, context: as of :class:`SamplingDecoder`.
        multiple: pixels of which a view's sides are multiples.
        guessed: the scenes' pictures show a guess in the hole, which `make` changes. Only the
            changes go through the working size then, and the guess's fine detail is kept.
        least: side of a window in pixels; None for the working size.
    """
    pictures = [scene.picture.copy() for scene in scenes]
    work = sites(scenes[0].hole, min(least or working_size, working_size), context)
    for index, site in enumerate(work):
        views = [view_of(scene, site.window, working_size, multiple) for scene in scenes]
        made = make(views, part_of(progress, index, len(work)))
        for scene, picture, view, pixels in zip(scenes, pictures, views, made, strict=True):
            if guessed:
                put_colour_back(picture, site, changed(scene, view, pixels))
            else:
                put_back(picture, site, view.back(pixels))
    return pictures


def changed(scene: Scene, view: View, pixels: Picture) -> Picture:
    """A window of the scene, (h, w, 3), changed as `pixels` (H, W, 3) change the view's photo."""
    change = view.back(pixels.astype(np.int16) - view.photo)  # (h, w, 3)
    colour, _ = split_alpha(scene.picture[view.window.slices])
    return (to_channels(colour, 3) + change).clip(0, 255).astype(np.uint8)


def put_colour_back(picture: Picture, site: Site, pixels: Picture) -> None:
    """As :func:`put_back`, leaving alpha as it is."""
    colour, _ = split_alpha(picture[site.window.slices])
    colour[site.own] = to_channels(pixels, picture.shape[2])[site.own]


def put_back(picture: Picture, site: Site, pixels: Picture) -> None:
    """Put what was made for a site, (h, w, 3) RGB of its window, into the picture, in place."""
    own = site.own
    picture[site.window.slices][own] = as_layout(pixels, picture.shape[2])[own]
