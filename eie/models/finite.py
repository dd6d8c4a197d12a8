"""Numbers that leave a network are finite, or the work stops: a NaN would end as a black hole."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from eie.errors import MissingModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

Values = TypeVar("Values", "Tensor", np.ndarray[Any, Any])

INCOMPLETE = "its file is damaged or of another model"

Module = TypeVar("Module", bound="nn.Module")

HINT = "its weights are damaged, or overflow in half precision: try --device cpu, or other weights"


def finite(values: Values, what: str) -> Values:
    """The values, if all of them are finite.

    Args:
        values: an array or a tensor of any shape.
        what: where they come from, for the message.

    Raises:
        MissingModelError: one is infinite or not a number.
    """
    if isinstance(values, np.ndarray):
        sound = values.dtype.kind != "f" or _all_finite(values)
    else:
        sound = not values.is_floating_point() or bool(values.isfinite().all())
    if not sound:
        raise MissingModelError("what came out is not all finite numbers", where=what, hint=HINT)
    return values


def _all_finite(values: np.ndarray[Any, Any]) -> bool:
    """Whether a float array is; where the sum is, which takes no further memory, all are."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def check_weights(module: nn.Module, where: str) -> None:
    """Refuse a network whose weights are not all finite.

    Raises:
        MissingModelError: some are not, or were not in its file.
    """
    for name, parameter in module.named_parameters():
        if parameter.is_meta:
            raise MissingModelError(f"its weights lack {name}", where=where, hint=INCOMPLETE)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point():
            continue
        check_tensor(bool(tensor.isfinite().all()), name, where)


def check_tensor(sound: bool, name: str, where: str) -> None:
    """Refuse weights one of whose tensors is not all finite numbers.

    Raises:
        MissingModelError: it is not `sound`.
    """
    if not sound:
        raise MissingModelError(
            f"its weights are not all finite numbers: {name}",
            where=where,
            hint="they are damaged, or the training that made them came apart",
        )


def check_complete(module: nn.Module, stored: Collection[str], where: str) -> None:
    """Refuse a network some of whose weights its file did not hold: they would be random numbers.

    Args:
        stored: names of the tensors in its file. Some may be others, as of an older version.

    Raises:
        MissingModelError: there are not enough of them.
    """
    needed = [name for name, _ in module.named_parameters()]
    missing = [name for name in needed if name not in stored]
    strange = set(stored) - set(module.state_dict())
    if len(missing) > len(strange):
        raise MissingModelError(f"its weights lack {missing[0]}", where=where, hint=INCOMPLETE)


def watched(module: Module, what: str) -> Module:
    """A network that stops the work when what it gives is not finite, and tells where.

    Args:
        what: its name in messages.
    """
    module.register_forward_hook(_Look(what))
    return module


@dataclass(frozen=True)
class _Look:
    """A forward hook that goes wherever its network goes, also to other processes."""

    what: str

    def __call__(self, _: nn.Module, __: Any, output: Any) -> None:
        for value in _tensors(output):
            finite(value, self.what)


def _tensors(output: Any) -> list[Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, tuple | list):
        return [tensor for part in output for tensor in _tensors(part)]
    return _tensors(list(output.values())) if isinstance(output, dict) else []
