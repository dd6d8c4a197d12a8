"""Batches that come again."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eie.train.core.decomposed_photos import repeated


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


def test_a_run_that_goes_on_draws_nothing_again(tmp_path) -> None:
    first, again = Drawn(), Drawn()
    half = seen(repeated(Numbered, first, tmp_path, 3), range(2))
    rest = seen(repeated(Numbered, again, tmp_path, 3), range(2, 7))
    assert half + rest == [0, 1, 2, 0, 1, 2, 0]
    assert (first.numbers, again.numbers) == ([0, 1], [2])
