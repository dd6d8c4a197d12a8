"""How pictures of a training are varied: all of a part alike, and nothing hidden comes to light."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.train.augment import augmented, drawn_zoom, recoloured, resized
from eie.train.settings import AugmentSettings

STILL = AugmentSettings(recoloured=0.0, zoomed=0.0, turned=0.0)
ALWAYS = AugmentSettings(recoloured=1.0, zoomed=1.0, turned=1.0)


@pytest.fixture
def part() -> tuple[torch.Tensor, torch.Tensor]:
    """What is known (1, 32, 32), and a photo with two fills (3, 3, 32, 32)."""
    draw = torch.Generator().manual_seed(0)
    known = torch.ones(1, 32, 32)
    known[:, 8:20, 5:17] = 0
    photo = torch.rand(3, 32, 32, generator=draw)
    fills = torch.rand(2, 3, 32, 32, generator=draw)
    return known, torch.cat([photo[None], torch.where(known > 0, photo, fills)])


def test_without_augmentation_parts_are_mirrored_or_left(part) -> None:
    known, pictures = part
    seen = set()
    for seed in range(8):
        torch.manual_seed(seed)
        where, shown = augmented(known, pictures, STILL)
        same = torch.equal(shown, pictures) and torch.equal(where, known)
        mirrored = torch.equal(shown, pictures.flip(-1)) and torch.equal(where, known.flip(-1))
        assert same != mirrored
        seen.add(same)
    assert seen == {True, False}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_fill_still_fits_what_is_known(seed) -> None:
    torch.manual_seed(seed)
    known = (torch.rand(1, 32, 32) > 0.3).float()
    photo = torch.rand(3, 32, 32)
    pictures = torch.stack([photo, torch.where(known > 0, photo, torch.rand(3, 32, 32))])
    where, shown = augmented(known, pictures, ALWAYS)
    assert where.sum() == known.sum() and shown.shape == pictures.shape
    assert shown.min() >= 0 and shown.max() <= 1
    outside = (where > 0).expand(3, -1, -1)
    assert torch.allclose(shown[0][outside], shown[1][outside], atol=1e-6)


def test_the_same_seed_gives_the_same_part(part) -> None:
    known, pictures = part
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(augmented(known, pictures, ALWAYS)[1])
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_pictures_are_recoloured_alike(part) -> None:
    _, pictures = part
    pictures = torch.stack([pictures[0], pictures[0].flip(-1)])
    torch.manual_seed(0)
    shown = recoloured(pictures, ALWAYS)
    assert torch.allclose(shown[1], shown[0].flip(-1), atol=1e-6)
    assert (shown - pictures).abs().mean() > 0.01


@pytest.mark.parametrize("side", [24, 32, 41])
def test_a_resized_part_shows_nothing_hidden(part, side) -> None:
    known, pictures = part
    where, shown = resized(known, pictures, side)
    hidden = resized(known, torch.where(known > 0, pictures, 0.0), side)[1]
    assert where.shape == (1, side, side) and set(where.unique().tolist()) == {0.0, 1.0}
    outside = (where > 0).expand(3, -1, -1)
    assert all(
        torch.allclose(a[outside], b[outside], atol=1e-2)
        for a, b in zip(shown, hidden, strict=True)
    )


def test_zooms_are_drawn_from_their_range() -> None:
    ranged = replace(ALWAYS, zoom=(0.5, 2.0))
    zooms = [drawn_zoom(ranged) for _ in range(50)]
    assert 0.5 <= min(zooms) < 0.8 and 1.6 < max(zooms) <= 2.0
    assert {drawn_zoom(STILL) for _ in range(10)} == {1.0}
