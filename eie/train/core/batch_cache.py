"""Batches that are drawn once and come again: for data that take longer than the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Batch = TypeVar("Batch")
"""A dataclass of tensors."""


def repeated(
    kind: type[Batch], draw: Callable[[int], Batch], folder: Path | None, count: int | None
) -> Callable[[int], Batch]:
    """What draws the batch of a step, by files in a folder where batches come again.

    Args:
        kind: of the batches.
        draw: makes a batch by its number; −1 is that of sample pictures.
        folder: of the files; None for new batches all along.
        count: of different batches, which come over and over; None for new ones all along.
    """
    if folder is None or not count:
        return draw
    return CachedBatches(kind, draw, folder, count)


@dataclass(frozen=True)
class CachedBatches(Generic[Batch]):
    """The first `count` batches, repeated in their order, each drawn where there is no file yet.

    Attributes as the arguments of :func:`repeated`.
    """

    kind: type[Batch]
    draw: Callable[[int], Batch]
    folder: Path
    count: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step; step −1 is that of sample pictures."""
        from safetensors.torch import load_file, save

        from eie.files.atomic import write_atomically

        number = step % self.count if step >= 0 else step
        path = self.folder / f"{number}.safetensors"
        if path.exists():
            return self.kind(**load_file(path))
        batch = self.draw(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(save(vars(batch)))
        return batch
