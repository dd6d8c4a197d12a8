"""Batches that come again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from eie.errors import UsageError
from eie.train.prepared import LAG, repeated


@dataclass(frozen=True, eq=False)
class Numbered:
    value: Tensor


class Drawn:
    """Draws batches and notes their numbers."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, number: int) -> Numbered:
        self.numbers.append(number)
        return Numbered(torch.tensor([number]))


def seen(batch_of, steps) -> list[int]:
    return [int(batch_of(step).value) for step in steps]


def test_new_batches_all_along_need_no_files(tmp_path) -> None:
    draw = Drawn()
    assert seen(repeated(Numbered, draw, tmp_path, None), range(5)) == [0, 1, 2, 3, 4]
    assert not list(tmp_path.iterdir())


def test_a_number_of_batches_come_over_and_over(tmp_path) -> None:
    draw = Drawn()
    batch_of = repeated(Numbered, draw, tmp_path, 3)
    assert seen(batch_of, [-1, *range(7), -1]) == [-1, 0, 1, 2, 0, 1, 2, 0, -1]
    assert draw.numbers == [-1, 0, 1, 2]


@pytest.mark.parametrize("uses", [2, 3])
def test_each_new_batch_comes_so_often_and_is_drawn_once(tmp_path, uses) -> None:
    draw, new = Drawn(), 6 * LAG
    order = seen(repeated(Numbered, draw, tmp_path, None, uses), range(uses * new))
    assert draw.numbers == order[::uses] == list(range(new))
    oldest = (uses - 1) * LAG  # how long after it is new a batch comes last
    counts = Counter(order)
    # In the beginning there are no older ones, and the last ones are still to come again.
    assert {counts[number] for number in range(oldest, new - oldest)} == {uses}
    kept = sorted(int(path.stem) for path in tmp_path.iterdir())
    assert kept == list(range(new - oldest, new))


def test_a_step_has_the_same_batch_when_a_run_goes_on(tmp_path) -> None:
    steps = range(3 * LAG)
    whole = seen(repeated(Numbered, Drawn(), tmp_path / "whole", None, 2), steps)
    half = seen(repeated(Numbered, Drawn(), tmp_path / "parts", None, 2), steps[: 2 * LAG + 7])
    again = repeated(Numbered, Drawn(), tmp_path / "parts", None, 2)
    rest = seen(again, steps[2 * LAG - 20 :])
    assert half[: 2 * LAG - 20] + rest == whole


def test_the_sample_pictures_keep_their_batch(tmp_path) -> None:
    draw = Drawn()
    batch_of = repeated(Numbered, draw, tmp_path, None, 2)
    assert seen(batch_of, [-1, *range(4 * LAG), -1])[-1] == -1
    assert draw.numbers.count(-1) == 1


def test_two_ways_of_repeating_are_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="5 batches over and over, and each but 2 times"):
        repeated(Numbered, Drawn(), tmp_path, 5, 2)
