from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from eie.errors import BadInputError, UsageError
from eie.evaluate.cases.compositions import (
    CompositionSettings,
    composed,
    plan_compositions,
    read_cutout,
)
from eie.evaluate.cases.edit_case import KINDS
from eie.pictures import averaged

SMALL = CompositionSettings(size=160)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.png"
    Image.fromarray(np.ascontiguousarray(data.astronaut()[:240, :320])).save(path)
    return path


@pytest.fixture
def cutout(tmp_path: Path) -> Path:
    """A red disc with a soft border, and hidden white around it."""
    y, x = np.mgrid[-40:40, -50:50]
    alpha = np.clip((32 - np.hypot(x, y)) * 64, 0, 255)
    pixels = np.dstack([np.full_like(alpha, 255), alpha * 0, alpha * 0, alpha])
    pixels[alpha == 0, :3] = 255
    path = tmp_path / "disc.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def case_of(kind, scene, cutout, settings=SMALL, seed=0):
    [planned] = plan_compositions([scene], [cutout], kinds=[kind], seed=seed)
    return composed(planned, settings)


def test_every_object_meets_every_kind_and_scenes_take_turns():
    scenes = [Path(f"s{i}.png") for i in range(3)]
    cutouts = [Path(f"o{i}.png") for i in range(5)]
    planned = plan_compositions(scenes, cutouts)
    assert {(p.cutout, p.kind) for p in planned} == {(o, k) for o in cutouts for k in KINDS}
    assert len({p.name for p in planned}) == 20
    counts = [sum(p.scene == s for p in planned) for s in scenes]
    assert max(counts) - min(counts) <= 1


def test_a_limit_spreads_over_objects_and_kinds():
    planned = plan_compositions([Path("s.png")], [Path(f"o{i}.png") for i in range(8)], limit=4)
    assert [p.cutout.stem for p in planned] == ["o0", "o2", "o4", "o6"]
    assert [p.kind for p in planned] == list(KINDS)


def test_the_same_seed_gives_the_same_case_and_another_one_another(scene, cutout):
    first, again = (case_of("move", scene, cutout) for _ in range(2))
    np.testing.assert_array_equal(first.before, again.before)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert case_of("move", scene, cutout, seed=1).home != first.home


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_differ_in_the_regions_only(scene, cutout, kind, seed):
    case = case_of(kind, scene, cutout, seed=seed)
    changed = (case.before != case.truth).any(axis=2)
    assert not changed[case.untouched].any()
    assert changed[case.gone | case.present].mean() > 0.3
    red = np.array([255, 0, 0])
    assert (case.before[case.cover == 255] == red).all()
    if kind == "remove":
        assert not case.present.any()
        assert case.target is None
    else:
        assert (case.truth[case.object] == red).all(axis=1).mean() > 0.6
    if kind == "copy":
        assert not case.revealed.any()


def test_a_removal_gives_the_scene_back(scene, cutout):
    case = case_of("remove", scene, cutout)
    with Image.open(scene) as image:
        np.testing.assert_array_equal(case.truth, averaged(np.array(image), 160))
    assert not (case.before == case.truth).all()


def test_a_moved_object_keeps_its_pixels(scene, cutout):
    case = case_of("move", scene, cutout)
    solid = case.cover[case.home.slices] == 255
    np.testing.assert_array_equal(
        case.truth[case.target.slices][solid], case.before[case.home.slices][solid]
    )
    assert (case.home.width, case.home.height) == (case.target.width, case.target.height)


def test_a_resize_stays_about_its_middle(scene, cutout):
    sizes = set()
    for seed in range(4):
        case = case_of("resize", scene, cutout, seed=seed)
        middle = [
            np.array([a.left + a.width / 2, a.top + a.height / 2]) for a in (case.home, case.target)
        ]
        assert np.abs(middle[0] - middle[1]).max() <= 0.5
        sizes.add(case.target.width > case.home.width)
        assert case.target.width != case.home.width
    assert sizes == {True, False}


def test_hidden_colours_do_not_bleed_in(scene, cutout):
    """The white that lies under full transparency is nowhere on the rim."""
    case = case_of("remove", scene, cutout)
    rim = (case.cover > 40) & (case.cover < 255)
    blend = case.cover[rim, None] / 255
    expected = case.truth[rim] * (1 - blend) + np.array([255, 0, 0]) * blend
    assert np.abs(case.before[rim] - expected).max() <= 3


def test_a_click_hits_the_middle_of_the_object(scene, cutout):
    case = case_of("remove", scene, cutout)
    middle = case.home.left + case.home.width / 2, case.home.top + case.home.height / 2
    assert np.abs(np.array(case.click) - middle).max() <= 2


def test_a_shadow_darkens_the_scene_and_goes_with_the_object(scene, cutout):
    plain = case_of("move", scene, cutout)
    shady = case_of("move", scene, cutout, CompositionSettings(size=160, shadow=True))
    assert shady.gone.sum() > plain.gone.sum()
    outside = shady.gone & ~plain.gone & ~shady.present
    assert shady.before[outside].mean() < shady.truth[outside].mean() - 5
    assert not (shady.before != shady.truth).any(axis=2)[shady.untouched].any()
    assert not (shady.revealed & shady.apart).any()


def test_a_cutout_needs_alpha_and_something_to_see(tmp_path, scene):
    with pytest.raises(BadInputError, match=r"scene\.png: has no alpha channel"):
        read_cutout(scene)
    clear = tmp_path / "clear.png"
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(clear)
    with pytest.raises(BadInputError, match="empty"):
        read_cutout(clear)


def test_a_scene_must_have_room(tmp_path, cutout):
    path = tmp_path / "strip.png"
    Image.fromarray(np.zeros((20, 200, 3), np.uint8)).save(path)
    with pytest.raises(BadInputError, match="too few"):
        case_of("move", path, cutout)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"kinds": ["melt"]}, "melt"), ({"kinds": ["move"] * 2}, "twice"), ({"limit": 0}, "limit")],
)
def test_plans_that_make_no_sense(options, word):
    with pytest.raises(UsageError, match=word):
        plan_compositions([Path("s.png")], [Path("o.png")], **options)
