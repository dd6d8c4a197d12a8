"""What ImageNet features a hole's truth has on average, and how a fill is brought closer to them.

A refiner answers with the one picture that it can make. How far that is from the photo, in features
φ_s of unit length, is least on average where they are the photo's expected ones, E φ_s, and these
are known better than any picture that has them: by what the refinements of several guesses agree
on, by how much they do, and by what the refiner has made of the surroundings. A small network gives

    e_s = mean over k of φ_s(refinement of guess k) + h_s(all φ_s(refinement of guess k), level)

at every place of the strides s = 2 to 16, h_s being two layers of 1×1 convolutions that see a level
of the refiner, too; at stride 32 e_s is the mean alone. The refined fill then descends to them,

    least over the hole's pixels of Σ_s ‖φ_s(fill) − e_s‖²,

as images are found by their features (Mahendran & Vedaldi, "Understanding Deep Image
Representations by Inverting Them", CVPR 2015), but only by a few steps and from near by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.errors import MissingModelError
from eie.models.feature_distance import (
    CHANNELS,
    STRIDES,
    FeatureDistance,
    features_of,
    stage_distances,
    stage_on_pixels,
)
from eie.models.fill_refiner import BLOCK, FillRefiner, LoadedRefiner, padded
from eie.models.plain import load_plain

FOLDER = "expectation"
"""Of a model folder."""

Progress = Callable[[int, int], None]
"""Takes the steps done and all steps."""

Span = tuple[int, int]
"""From a row or column until another."""

MARGIN = 64
"""Pixels around what is not known that the descent sees."""

HISTORY = 10
"""Steps that L-BFGS knows the curvature from."""


class FeatureExpectation(nn.Module):
    """The network; untrained it gives the mean of the refinements' features.

    Args:
        widths: channels of the refiner's levels.
        hidden: channels between the two layers, at the strides 2, 4, 8 and 16.
        fills: guesses.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (64, 160, 224, 256),
        hidden: tuple[int, int, int, int] = (128, 128, 128, 64),
        fills: int = 3,
    ) -> None:
        super().__init__()
        self.widths, self.fills = tuple(widths), fills
        # Strides 2 and 4 see the refiner's finest level, 8 and 16 that of their own resolution.
        levels = (widths[0], *widths[:3])
        self.heads = nn.ModuleList(
            _head(fills * channels + level, between, channels)
            for channels, level, between in zip(CHANNELS[:-1], levels, hidden, strict=True)
        )

    def forward(
        self, features: Sequence[Sequence[Tensor]], levels: Sequence[Tensor]
    ) -> list[Tensor]:
        """The expected features.

        Args:
            features: of every refinement, the best guess's first, those of all strides, as
                :meth:`FeatureDistance.features` gives them.
            levels: of the refiner at the best guess, as :meth:`FillRefiner.levels` gives them.

        Returns:
            (B, C_s, h_s, w_s) per stride s, like one refinement's features but shorter the less is
            known of them.
        """
        finer = F.interpolate(levels[0], scale_factor=2)  # (B, w₀, H/2, W/2)
        expected = []
        for index, stage in enumerate(zip(*features, strict=True)):
            mean = torch.stack(stage).mean(dim=0)  # (B, C_s, h_s, w_s)
            if index < len(self.heads):
                level = finer if index == 0 else levels[index - 1]
                # Features are given for one more place at the right and at the bottom.
                level = F.pad(level, (0, 1, 0, 1), mode="replicate")
                seen = torch.cat([_even(plane) for plane in (*stage, level)], dim=1)
                mean = mean + self.heads[index](seen)
            expected.append(mean)
        return expected


def answers(
    refiner: FillRefiner, network: FeatureDistance, fills: Sequence[Tensor], known: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Every guess refined in view of the others.

    Args:
        network: of the features.
        fills: (B, 3, H, W) in [0, 1] each, as many as the refiner sees, the best first.
        known: (B, 1, H, W) in [0, 1].

    Returns:
        The refinements (B, 3, H, W) in [0, 1], what is known left as it is, and the refiner's
        levels at the first.
    """
    features = [features_of(network, fill) for fill in fills]
    pictures: list[Tensor] = []
    first: list[Tensor] = []
    for index, fill in enumerate(fills):
        rest = [other for other in range(len(fills)) if other != index]
        others = [fills[other] for other in rest]
        compared = [features[other] for other in rest]
        levels = refiner.levels(fill, known, features[index], others, compared)
        made = refiner.answer(levels[0], fill, others).clamp(0, 1)
        pictures.append(known * fill + (1 - known) * made)
        first = first or levels
    return pictures, first


def descended(
    network: FeatureDistance,
    picture: Tensor,
    known: Tensor,
    expected: Sequence[Tensor],
    steps: int,
    progress: Progress | None = None,
) -> Tensor:
    """A picture whose unknown pixels descend to expected features, by L-BFGS.

    Args:
        network: of the features.
        picture: (B, 3, H, W) in [0, 1].
        known: (B, 1, H, W), 1 or 0.
        expected: (B, C_s, h_s, w_s) per stride s.
        progress: called with (steps done, all steps).

    Returns:
        (B, 3, H, W) in [0, 1], unchanged where known.
    """
    unknown = 1 - known  # (B, 1, H, W)
    weights = [weight_of_places(stage, unknown) for stage in expected]
    # Row-major, as L-BFGS needs its gradient.
    change = torch.zeros(picture.shape, device=picture.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [change],
        max_iter=steps,
        tolerance_grad=0,
        tolerance_change=0,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )

    def loss() -> float:
        """Its gradient goes to `change`."""
        optimizer.zero_grad()
        with torch.enable_grad():
            made = (picture + unknown * change).clamp(0, 1)
            distances = stage_distances(network.features(made), expected)
            parts = [
                (weight * distance).sum()
                for weight, distance in zip(weights, distances, strict=True)
            ]
            total = torch.stack(parts).sum()
        total.backward()
        if change.grad is not None:
            change.grad = change.grad.contiguous()
        if progress is not None:
            taken = optimizer.state[change].get("n_iter", 0)
            progress(min(taken, steps), steps)
        return float(total.detach())

    if steps:
        optimizer.step(loss)
    return (picture + unknown * change.detach()).clamp(0, 1)


def weight_of_places(stage: Tensor, unknown: Tensor) -> Tensor:
    """How much each place of a stage counts in the mean over unknown pixels.

    To weigh places takes less than to bring their distances to the pixels in each step.

    Args:
        stage: (B, C, h_s, w_s) of features.
        unknown: (B, 1, H, W) in [0, 1].

    Returns:
        (B, 1, h_s, w_s).
    """
    with torch.enable_grad():
        places = torch.zeros_like(stage[:, :1], requires_grad=True)
        pixels = stage_on_pixels(places, unknown.shape[-2:])  # (B, 1, H, W)
        mean = (pixels * unknown).sum() / unknown.sum().clamp_min(1)
    (weight,) = torch.autograd.grad(mean, places)
    return weight


class LoadedExpectation:
    """Expected features, the refiner that they are of, and its features, ready on a device."""

    def __init__(self, model: FeatureExpectation, refiner: LoadedRefiner) -> None:
        self.model, self.refiner = model, refiner

    def __call__(
        self,
        picture: Tensor,
        known: Tensor,
        others: Sequence[Tensor] = (),
        steps: int = 0,
        progress: Progress | None = None,
    ) -> Tensor:
        """Refine what is not known of a picture, then descend to the features expected of it.

        Args:
            picture, known, others: as of :class:`LoadedRefiner`; with fewer guesses than the
                network was trained with it only refines.
            steps, progress: of :func:`descended`.

        Returns:
            As :class:`LoadedRefiner`.
        """
        refined = self.refiner(picture, known, others)
        if not steps or len(others) + 1 < self.model.fills or bool((known > 0).all()):
            return refined
        place = next(self.model.parameters()).device
        guesses = (picture, *others)[: self.model.fills]
        fills = [padded((fill + 1) / 2).to(place) for fill in guesses]
        where = padded(known).to(place)
        start = padded((refined + 1) / 2).to(place)
        rows, columns = spans_about(where == 0)
        part = (..., slice(*rows), slice(*columns))
        start[part] = self._descended(start, fills, where, (rows, columns), steps, progress)
        height, width = picture.shape[-2:]
        return torch.where(known > 0, picture, start[..., :height, :width].to(picture) * 2 - 1)

    @torch.no_grad()
    def _descended(
        self,
        start: Tensor,
        fills: Sequence[Tensor],
        known: Tensor,
        around: tuple[Span, Span],
        steps: int,
        progress: Progress | None,
    ) -> Tensor:
        """The rows and columns `around` of what the whole picture, (B, 3, H, W), descends to."""
        network = self.refiner.features
        made, levels = answers(self.refiner.model, network, fills, known)

        def part(plane: Tensor, stride: int = 1) -> Tensor:
            """(B, C, H/s, W/s) in these rows and columns."""
            rows, columns = (slice(low // stride, high // stride) for low, high in around)
            return plane[..., rows, columns]

        features = [network.features(part(answer)) for answer in made]
        seen = [part(level, BLOCK * 2**index) for index, level in enumerate(levels)]
        expected = self.model(features, seen)
        return descended(network, part(start), part(known), expected, steps, progress)


def load_expectation(model: Path, refiner: LoadedRefiner) -> LoadedExpectation | None:
    """The expected features of a model folder, on the refiner's device; None if it has none.

    Raises:
        MissingModelError: they cannot be read, or are those of a refiner of other sizes.
    """
    if not (model / FOLDER).is_dir():
        return None
    place = next(refiner.model.parameters()).device
    expectation = load_plain(
        FeatureExpectation, model / FOLDER, "expectation", "make one with eie train expectation"
    )
    sizes, wanted = ((part.widths, part.fills) for part in (expectation, refiner.model))
    if sizes != wanted:
        raise MissingModelError(
            f"made for a refiner of other sizes: {sizes}, not {wanted}",
            where=str(model / FOLDER),
            hint="make one with eie train expectation --refiner",
        )
    return LoadedExpectation(expectation.to(place), refiner)


def spans_about(where: Tensor) -> tuple[Span, Span]:
    """Rows and columns about where a mask is True, :data:`MARGIN` pixels around it or more.

    Args:
        where: (B, 1, H, W) bool, sides multiples of 32, somewhere True.

    Returns:
        Multiples of 32.
    """
    coarsest = STRIDES[-1]

    def span(line: Tensor) -> Span:
        places = line.nonzero()
        low, high = int(places.min()) - MARGIN, int(places.max()) + MARGIN + 1
        return max(low, 0) // coarsest * coarsest, min(-(-high // coarsest) * coarsest, len(line))

    marked = where.any(dim=1).any(dim=0)  # (H, W)
    return span(marked.any(dim=1)), span(marked.any(dim=0))


def _head(seen: int, hidden: int, channels: int) -> nn.Sequential:
    """Two layers that begin by giving zeros."""
    last = nn.Conv2d(hidden, channels, 1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    return nn.Sequential(nn.Conv2d(seen, hidden, 1), nn.SiLU(), last)


def _even(plane: Tensor) -> Tensor:
    """(B, C, h, w) of mean square 1 at every place."""
    return F.normalize(plane, dim=1) * plane.shape[1] ** 0.5
