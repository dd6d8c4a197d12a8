"""Frames of boxes and affine transforms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eie import geometry
from eie.geometry import (
    TOGETHER,
    box_corners,
    boxes_around,
    common_box,
    corners,
    frames,
    normal_angle,
    rotation,
    shared,
    transform_between,
)

angles = st.one_of(st.sampled_from([0.0, 90.0, -90.0, 180.0, 30.0]), st.floats(-179.9, 180))
shears = st.sampled_from([0.0, 0.0, 0.5, -2.0])
sizes = st.floats(0.5, 500)
places = st.floats(-5000, 5000)


@st.composite
def placements(draw: st.DrawFn) -> tuple:
    """A home box, a box, flips, angle and shear."""
    home = [float(draw(st.integers(0, 4000))) / 2 for _ in (0, 1)]
    home += [float(draw(st.integers(1, 300))) for _ in (0, 1)]
    box = [draw(places), draw(places), draw(sizes), draw(sizes)]
    return home, box, draw(st.tuples(st.booleans(), st.booleans())), draw(angles), draw(shears)


def test_quarter_turns_are_exact_and_clockwise() -> None:
    assert rotation(90).tolist() == [[0, -1], [1, 0]]  # right becomes down
    assert rotation(-90).tolist() == rotation(270).tolist() == [[0, 1], [-1, 0]]
    assert rotation(180).tolist() == [[-1, 0], [0, -1]]
    assert rotation(-360).tolist() == [[1, 0], [0, 1]]
    assert np.allclose(rotation(30) @ rotation(-30), np.eye(2), atol=1e-15)


def test_angles_are_kept_in_one_turn() -> None:
    given_, expected = [0, 180, -180, 181, 360, -360, 540, -90, 1e6], [0, 180, 180, -179, 0, 0, 180]
    assert normal_angle(given_).tolist() == [*expected, -90, 1e6 % 360 - 360]
    assert not np.signbit(normal_angle([-360.0, -0.0])).any()


@given(placement=placements())
def test_a_transform_carries_the_box_to_its_corners(placement: tuple) -> None:
    home, box, flip, angle, shear = placement
    transform = transform_between(home, box, flip, angle, shear)
    x0, y0, x1, y1 = corners(home)
    xs, ys = np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1])
    landed = np.stack(transform.apply(xs, ys), axis=1)
    there = box_corners([box], [angle], [shear])[0]
    order = [3, 2, 1, 0] if flip[1] else [0, 1, 2, 3]
    order = [order[i] for i in ([1, 0, 3, 2] if flip[0] else range(4))]
    assert np.allclose(landed, there[order], atol=2e-5)
    edges = transform.bounds((x0, y0, x1, y1))
    assert np.allclose(edges, corners(boxes_around([box], [angle], [shear]))[0], atol=2e-5)
    assert np.allclose(common_box(boxes_around([box], [angle], [shear]))[:2], box[:2])


@given(placement=placements(), x=places, y=places)
def test_the_inverse_leads_back(placement: tuple, x: float, y: float) -> None:
    transform = transform_between(*placement)
    if transform.flat:
        return
    back = transform.inverse(*transform.apply(x, y))
    reach = max(1.0, *transform.lengths) / min(transform.lengths)
    assert np.allclose(back, (x, y), atol=1e-7 * reach)
    wide = np.array([[x, x + 1, x + 3]]), np.array([[y], [y - 2]])
    for direction in (transform.apply, transform.inverse):
        across, down = direction(*wide)
        every = [direction(a, b) for b in wide[1][:, 0] for a in wide[0][0]]
        grids = np.stack(np.broadcast_arrays(across, down), axis=2).reshape(-1, 2)
        assert np.allclose(grids, every)
        if transform.upright:
            assert across.shape == (1, 3) and down.shape == (2, 1)


@given(one=placements(), other=placements(), x=places, y=places)
def test_composed_transforms_do_one_after_the_other(
    one: tuple, other: tuple, x: float, y: float
) -> None:
    first, then = transform_between(*one), transform_between(*other)
    size = max(1.0, *then.lengths) * max(1.0, *first.lengths)
    assert np.allclose((then @ first).apply(x, y), then.apply(*first.apply(x, y)), atol=1e-7 * size)


@pytest.mark.parametrize(
    ("angle", "flip", "offset", "lattice"),
    [
        (0.0, (True, False), 0, True),
        (90.0, (False, False), 0, True),
        (-90.0, (False, True), 3, True),
        (180.0, (True, True), -2, True),
        (90.0, (False, False), 0.5, False),
        (45.0, (False, False), 0, False),
    ],
)
def test_which_transforms_keep_pixels_whole(angle, flip, offset, lattice) -> None:
    transform = transform_between([2, 3, 4, 4], [9 + offset, 2, 4, 4], flip, angle)
    assert transform.lattice == lattice
    assert transform_between([2, 3, 4, 4], [2, 3, 8, 4], (False, False)).lattice is False


def test_mirrored_both_ways_is_turned_by_half() -> None:
    home = [2.5, 3, 5, 4]
    same = transform_between(home, home, (True, True), 180.0)
    assert same == transform_between(home, home, (False, False))


@given(angle=angles, shear=shears, seed=st.integers(0, 99))
def test_elements_carried_as_one_share_a_transform(angle: float, shear: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    home = np.column_stack([random.uniform(0, 6000, (20, 2)), random.integers(1, 90, (20, 2))])
    home = np.round(2 * home) / 2
    frame = frames([angle], [shear])[0]
    scale = np.array([1.37, 1 / 3])
    box = np.hstack([(home[:, :2] * scale) @ frame.T + [17.3, -4], home[:, 2:] * scale])
    box = np.round(box * 2.0**32) / 2.0**32
    own = [
        transform_between(h, b, (False, False), angle, shear)
        for h, b in zip(home, box, strict=True)
    ]
    elsewhere = transform_between(home[0], box[0] + [30 * TOGETHER, 0, 0, 0], (0, 0), angle, shear)
    found = shared([*own, elsewhere], np.vstack([home, home[:1]]))
    if not own[0].upright:
        assert len(set(found[:-1])) == 1
    assert found[-1] == elsewhere != found[0]


@pytest.mark.parametrize("strip", [1, 7, 40, 10_000])
def test_boxes_of_patches_do_not_depend_on_how_much_is_seen_at_a_time(
    strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geometry, "STRIP", strip)
    label_map = np.random.default_rng(0).integers(0, 9, (31, 13))
    label_map[:, 5:] += 12
    boxes = geometry.patch_boxes(label_map, 24)
    for patch in range(24):
        rows, columns = np.nonzero(label_map == patch)
        if not len(rows):
            assert not boxes[patch].any()
            continue
        low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
        np.testing.assert_array_equal(
            boxes[patch], [*np.add(low, high) / 2, *np.subtract(high, low)]
        )
