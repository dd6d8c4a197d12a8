"""Batches that are drawn once and then come again: for data that take longer than the step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Batch = TypeVar("Batch")
"""A dataclass of tensors."""


def repeated(
    kind: type[Batch], draw: Callable[[int], Batch], folder: Path | None, count: int | None
) -> Callable[[int], Batch]:
    """What draws the batch of a step: the first `count` over and over, or new ones all along where
    there is no folder or count. Arguments as of :class:`PreparedBatches`."""
    return PreparedBatches(kind, draw, folder, count) if folder and count else draw


class PreparedBatches(Generic[Batch]):
    """The first batches of a run, kept in a folder and repeated in their order.

    Args:
        kind: of the batches.
        draw: makes the batch of a step; step −1 is that of sample pictures.
        folder: of the files, one a batch; made when the first is written.
        count: of different batches.
    """

    def __init__(
        self, kind: type[Batch], draw: Callable[[int], Batch], folder: Path, count: int
    ) -> None:
        self.kind, self.draw, self.folder, self.count = kind, draw, folder, count

    def __call__(self, step: int) -> Batch:
        """The batch of a step, from the file of the one it repeats if there is one."""
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
