"""Patches as a graph: the order of merging against the definition, and what touches."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eie.patch_graph import connected, likeness, merging, nearness, thinned, touching_patches


@st.composite
def graphs(draw: st.DrawFn) -> tuple[NDArray, NDArray, NDArray]:
    """Likeness, areas and touching of a few patches; no two pairs are alike alike."""
    count = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    alike, touch = rng.random((2, count, count))
    alike, touch = np.triu(alike, 1), np.triu(touch < draw(st.floats(0, 1)), 1)
    return alike + alike.T + np.eye(count), rng.uniform(1, 9, count), touch | touch.T


def merged_by_definition(
    alike: NDArray, area: NDArray, touching: NDArray
) -> tuple[NDArray, NDArray]:
    """The same as `merging`, by sets of patches and no clever sums."""
    count = len(area)
    together, region = np.eye(count), np.diag(area)
    regions = [[patch] for patch in range(count)]
    least = 1.0
    while True:
        pairs = [
            (np.average(alike[np.ix_(a, b)], weights=np.outer(area[a], area[b])), a, b)
            for index, a in enumerate(regions)
            for b in regions[:index]
            if touching[np.ix_(a, b)].any()
        ]
        if not pairs:
            return together, region
        likest, a, b = max(pairs, key=lambda pair: pair[0])
        least = min(least, likest)
        for here, there in ((a, b), (b, a)):
            together[np.ix_(here, there)] = least
            region[np.ix_(here, there)] = area[a].sum() + area[b].sum()
        regions = [r for r in regions if r not in (a, b)] + [a + b]


@given(graphs())
def test_merging_follows_its_definition(graph: tuple[NDArray, NDArray, NDArray]) -> None:
    found, expected = merging(*graph), merged_by_definition(*graph)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9)


def test_likeness_is_relative_to_what_a_patch_is_to_itself() -> None:
    affinity = np.array([[0.5, 0.4], [0.2, 0.5]], dtype=np.float32)
    np.testing.assert_allclose(likeness(affinity), [[1, 0.6], [0.6, 1]], rtol=1e-6)


def test_patches_touch_across_a_side_and_not_across_a_corner() -> None:
    touching = touching_patches(np.array([[0, 1], [2, 3]]), 4)
    assert touching[0].tolist() == [False, True, True, False]
    assert (touching == touching.T).all()


def test_nearness_is_that_of_the_best_way() -> None:
    alike = np.array([[1, 0.5, 0.1, 0.9], [0.5, 1, 0.8, 0], [0.1, 0.8, 1, 0], [0.9, 0, 0, 1]])
    touching = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    near = nearness(alike, touching) ** 2
    np.testing.assert_allclose(near[0], [1, 0.98 * 0.5, 0.98**2 * 0.5 * 0.8, 0], atol=1e-9)
    np.testing.assert_allclose(near, near.T)


def test_large_maps_are_thinned_and_small_ones_are_not() -> None:
    large = np.arange(2000 * 2100, dtype=np.uint32).reshape(2000, 2100)
    small, step = thinned(large)
    assert step == 2 and (small == large[::2, ::2]).all()
    assert thinned(large[:20])[1] == 1


def reached_from(start: list[int], mask: NDArray, touching: NDArray) -> NDArray:
    """(P,) bool, patch by patch."""
    reached, waiting = set(start), list(start)
    while waiting:
        beside = np.flatnonzero(touching[waiting.pop()] & mask).tolist()
        waiting += [patch for patch in beside if patch not in reached]
        reached.update(beside)
    return np.isin(np.arange(len(mask)), list(reached))


@given(graphs(), st.integers(0, 99))
def test_many_masks_are_connected_as_each_is(graph, seed):
    random = np.random.default_rng(seed)
    _, area, touching = graph
    masks = random.random((7, len(area))) < 0.6
    start = random.integers(len(area), size=2)
    expected = [reached_from(start.tolist(), mask, touching) for mask in masks]
    np.testing.assert_array_equal(connected(masks, start, touching), expected)
    for mask, one in zip(masks, expected, strict=True):
        np.testing.assert_array_equal(connected(mask, start, touching), one)
