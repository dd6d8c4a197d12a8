"""Loaded models that are kept from one photo to the next.

A function that loads a model loads it anew each time, as one photo needs each model once. While
:func:`kept_models` is open, what is asked for again is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Model = TypeVar("Model")

_KEPT: ContextVar[dict[Any, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_models() -> Iterator[None]:
    """Keep every model that is loaded in the block until its end."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def keepable(load: Callable[Arguments, Model]) -> Callable[Arguments, Model]:
    """Let what a function loads be kept, by its arguments, which can be hashed."""

    @wraps(load)
    def loaded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Model:
        kept = _KEPT.get()
        if kept is None:
            return load(*args, **kwargs)
        key = (load, args, tuple(sorted(kwargs.items())))
        if key not in kept:
            kept[key] = load(*args, **kwargs)
        model: Model = kept[key]
        return model

    return loaded
