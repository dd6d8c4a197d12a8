from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eie.rendering.graph_cut import UNKNOWN, best_labelling, costs_of, energy, minimum_cut
from eie.rendering.working_size import Offset, WorkingSize

from .conftest import noise


def value(change, first, second, weight, x) -> float:
    """What a cut minimises, in the whole numbers that it rounds to."""
    whole = np.rint(np.asarray(weight) * 4) / 4
    return float((np.rint(change * 4) / 4 * x).sum() + (whole * (~x[first] & x[second])).sum())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_a_minimum_cut_is_the_best_of_all_choices(seed, count):
    rng = np.random.default_rng(seed)
    change = rng.normal(0, 5, count)
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b and rng.random() < 0.5]
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    weight = rng.random(len(first)) * 5
    found = value(change, first, second, weight, minimum_cut(change, first, second, weight))
    choices = [np.array(x, dtype=bool) for x in product((0, 1), repeat=count)]
    assert found == pytest.approx(min(value(change, first, second, weight, x) for x in choices))


def striped(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A picture of stripes of a period of eight pixels, and a hole in it."""
    columns = np.arange(side) // 4 % 2
    colour = np.broadcast_to(columns[None, :, None] * 150.0 + 50, (side, side, 3))
    hole = np.zeros((side, side), dtype=bool)
    hole[10:20, 9:21] = True
    return np.ascontiguousarray(colour, dtype=np.float32), hole


def test_the_offset_that_continues_stripes_is_chosen():
    colour, hole = striped()
    spoiled = np.where(hole[..., None], 0, colour).astype(np.float32)
    work = WorkingSize.of(spoiled, ~hole, hole)
    offsets = [Offset(0, 11), Offset(12, 4), Offset(12, 0), Offset(-12, 2)]
    labelling = best_labelling(work, offsets, costs_of(work, offsets))
    assert {labelling.offsets[index] for index in labelling.label} == {Offset(12, 0)}


def test_the_mirror_image_is_taken_only_where_it_is_better():
    colour, hole = striped()
    work = WorkingSize.of(colour, ~hole, hole)
    straight, mirrored = Offset(12, 0), Offset(12, 31, True)  # both show the same stripes
    for offsets in ([mirrored, straight], [straight, mirrored]):
        labelling = best_labelling(work, offsets, costs_of(work, offsets))
        assert {labelling.offsets[index] for index in labelling.label} == {straight}


@pytest.mark.parametrize("seed", range(4))
def test_expansions_never_raise_the_energy_and_copy_what_is_known(seed):
    rng = np.random.default_rng(seed)
    hole = np.zeros((24, 30), dtype=bool)
    hole[8:15, 9:20] = True
    work = WorkingSize.of(noise(24, 30, 3, seed).astype(np.float32), ~hole, hole)
    offsets = [Offset(*rng.integers(-12, 12, 2).tolist(), bool(rng.integers(2))) for _ in range(9)]
    costs = costs_of(work, offsets)
    start = costs.data.argmin(axis=0)
    labelling = best_labelling(work, offsets, costs)
    assert energy(work, costs, labelling.label) <= energy(work, costs, start)
    unknown = costs.data[labelling.label, np.arange(len(work))] >= UNKNOWN
    assert (costs.data[:, unknown] >= UNKNOWN).all()
