"""Filling a hole site by site, by whatever makes pictures of a view."""

from __future__ import annotations

from collections.abc import Callable

from eie.render.anchored import Progress, Scene
from eie.render.light import as_layout
from eie.render.pictures import Picture
from eie.render.sampling import part_of
from eie.render.windows import Site, View, sites, view_of

Make = Callable[[View, Progress], list[Picture]]
"""A view ⇒ pictures (H, W, 3) uint8 of it, one for each variation, reporting (steps done, all)."""


def fill_sites(
    scene: Scene,
    make: Make,
    count: int,
    *,
    working_size: int,
    context: float,
    multiple: int,
    progress: Progress | None,
) -> list[Picture]:
    """The scene's picture with its hole made, `count` times.

    Args:
        make: gives `count` pictures of a view.
        working_size, context: as :func:`eie.render.windows.sites`.
        multiple: pixels of which a view's sides are multiples.
        progress: called with (steps done, all steps).
    """
    pictures = [scene.picture.copy() for _ in range(count)]
    work = sites(scene.hole, working_size, context)
    for index, site in enumerate(work):
        view = view_of(scene, site.window, working_size, multiple)
        made = make(view, part_of(progress, index, len(work)))
        for picture, pixels in zip(pictures, made, strict=True):
            put_back(picture, site, view.back(pixels))
    return pictures


def put_back(picture: Picture, site: Site, pixels: Picture) -> None:
    """Put what was made for a site, (h, w, 3) RGB of its window, into the picture, in place."""
    own = site.own
    picture[site.window.slices][own] = as_layout(pixels, picture.shape[2])[own]
