"""What simulated clicks may mean, and how much of it is true.

a thing, points in the middle of it ⇒ the candidates that have the clicked patch, their facts
a thing, clicks on what is wrong    ⇒ the hypotheses about it, their facts
the truth                           ⇒ every candidate's and hypothesis' IoU
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eie.editing.candidate_ranking import candidate_facts, candidates_with, meant
from eie.editing.click_facts import Hypotheses, Network, PatchClick
from eie.editing.click_simulation import Click, Mask, depths, next_click
from eie.editing.corrections import changes_by, correction_facts, hypotheses
from eie.train.corrections.photos import ClickedPhoto
from eie.train.corrections.settings import CorrectionSettings

_MIDDLE = 0.7
"""Clicks are where a thing is at least this deep, as a share of its depth."""

_BOLDNESS = 0.7
"""What is corrected is drawn by the chances to this power: unlikely answers teach, too."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What clicks may mean: (C, F) facts of the candidates, and (C,) their IoU with the thing."""

    facts: Tensor
    overlap: Tensor


def first_clicks_on(
    photo: ClickedPhoto, settings: CorrectionSettings, random: np.random.Generator
) -> Iterator[Choice]:
    """What clicks in the middle of things of a photo may mean: of each thing the innermost point,
    and further ones."""
    for thing in _some(photo, settings, random):
        for x, y in _middle(thing, settings.points, random):
            click = _clicked(photo, Click(x, y, True))
            candidates = candidates_with(photo.facts, click.patch)
            told = candidate_facts(photo.facts, candidates, click)
            yield _choice(photo, told, candidates.inside, thing)


def corrections_on(
    photo: ClickedPhoto, rank: Network, settings: CorrectionSettings, random: np.random.Generator
) -> Iterator[Choice]:
    """What second clicks on things of a photo may mean, in the middle of what is wrong.

    What they correct is at the innermost point the safest answer, and elsewhere one drawn.

    Args:
        rank: what ranks the candidates of clicks.
    """
    facts = photo.facts
    for thing in _some(photo, settings, random):
        for number, (x, y) in enumerate(_middle(thing, photo.starts, random)):
            clicks = [_clicked(photo, Click(x, y, True))]
            believed = meant(facts, clicks[0], rank)
            before = _drawn(believed, random) if number else believed.safest(facts.share)
            selected: Mask = before[photo.label_map]
            if (selected == thing).all():
                continue
            clicks.append(_clicked(photo, next_click(thing, selected)))
            changes = changes_by(facts, before, clicks[-1], rank)
            made = hypotheses(facts, believed, before, clicks, changes)
            told = correction_facts(facts, made, believed, before, clicks, changes)
            yield _choice(photo, told, made.inside, thing)


def _some(
    photo: ClickedPhoto, settings: CorrectionSettings, random: np.random.Generator
) -> Iterator[Mask]:
    taken = min(settings.things, len(photo.things))
    for index in random.choice(len(photo.things), taken, replace=False):
        yield photo.things[index]


def _middle(thing: Mask, points: int, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    """x and y of the innermost pixel of a thing, and of others in its middle."""
    depth = depths(thing)  # (H, W)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    yield int(x), int(y)
    lines, columns = np.nonzero(depth >= _MIDDLE * depth.max())
    drawn = random.choice(len(lines), min(points - 1, len(lines)), replace=False)
    yield from zip(columns[drawn].tolist(), lines[drawn].tolist(), strict=True)


def _clicked(photo: ClickedPhoto, click: Click) -> PatchClick:
    patch = int(photo.label_map[click.y, click.x])
    return PatchClick(patch, (click.x, click.y), click.joins)


def _drawn(believed: Hypotheses, random: np.random.Generator) -> NDArray[np.bool_]:
    """(P,) bool, one of the hypotheses."""
    chance = believed.chance.astype(np.float64) ** _BOLDNESS
    drawn: NDArray[np.bool_] = believed.inside[random.choice(len(chance), p=chance / chance.sum())]
    return drawn


def _choice(
    photo: ClickedPhoto, told: NDArray[np.float32], inside: NDArray[np.bool_], thing: Mask
) -> Choice:
    """Facts (C, F) of sets of patches (C, P), and their IoU with a thing."""
    area = photo.facts.share * photo.label_map.size  # (P,)
    within = np.bincount(photo.label_map[thing], minlength=len(area))  # (P,) pixels
    both = inside @ within  # (C,)
    overlap = both / (inside @ area + thing.sum() - both)  # (C,)
    return Choice(torch.from_numpy(told), torch.from_numpy(overlap).float())
