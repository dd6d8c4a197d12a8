"""Batches that are drawn once and come again: for data that take longer than the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from eie.errors import UsageError

Batch = TypeVar("Batch")
"""A dataclass of tensors."""

LAG = 64
"""New batches that are drawn before one comes again."""


def repeated(
    kind: type[Batch],
    draw: Callable[[int], Batch],
    folder: Path | None,
    count: int | None,
    uses: int = 1,
) -> Callable[[int], Batch]:
    """What draws the batch of a step, by files in a folder where batches come again.

    Args:
        kind: of the batches.
        draw: makes a batch by its number; −1 is that of sample pictures.
        folder: of the files; None for new batches all along.
        count: of different batches, which come over and over; None for new ones all along.
        uses: how often each comes; not with `count`.

    Raises:
        UsageError: `count` and `uses` together.
    """
    check_repeats(count, uses)
    if folder is None or not (count or uses > 1):
        return draw
    files = BatchFiles(kind, draw, folder)
    return PreparedBatches(files, count) if count else ReusedBatches(files, uses)


def check_repeats(count: int | None, uses: int) -> None:
    """Refuse both ways of repeating batches together; arguments as of :func:`repeated`.

    Raises:
        UsageError: as there.
    """
    if count and uses > 1:
        raise UsageError(
            f"{count} batches over and over, and each but {uses} times", hint="give either"
        )


@dataclass(frozen=True)
class BatchFiles(Generic[Batch]):
    """Batches by number, drawn where there is no file yet; attributes as of :func:`repeated`."""

    kind: type[Batch]
    draw: Callable[[int], Batch]
    folder: Path

    def __call__(self, number: int) -> Batch:
        from safetensors.torch import load_file, save

        from eie.files.atomic import write_atomically

        path = self._path(number)
        if path.exists():
            return self.kind(**load_file(path))
        batch = self.draw(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(save(vars(batch)))
        return batch

    def drop(self, number: int) -> None:
        """Delete the file of a batch, if there is one."""
        self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.safetensors"


@dataclass(frozen=True)
class PreparedBatches(Generic[Batch]):
    """The first `count` batches, repeated in their order."""

    files: BatchFiles[Batch]
    count: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step; step −1 is that of sample pictures."""
        return self.files(step % self.count if step >= 0 else step)


@dataclass(frozen=True)
class ReusedBatches(Generic[Batch]):
    """New batches all along, of which each comes `uses` times.

    Every `uses`-th step sees a new one, the others one that is :data:`LAG` or a multiple of it
    older; a file goes with its last use. In the beginning, when there are no older ones, the new
    one comes again at once.
    """

    files: BatchFiles[Batch]
    uses: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step, a pure function of it; step −1 is that of sample pictures."""
        if step < 0:
            return self.files(step)
        newest, turn = divmod(step, self.uses)
        number = newest - turn * LAG
        batch = self.files(number if number >= 0 else newest)
        if turn == self.uses - 1 and number >= 0:
            self.files.drop(number)
        return batch
