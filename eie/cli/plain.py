"""Commands that take words as they are typed.

typer converts every option by pydantic, also those that nobody typed, and to import that takes a
twelfth of the time of a decomposition. Text needs no conversion; numbers still get theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose options of text, and those that were not typed, are not converted."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_spared(parameter) for parameter in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """The same of a group's own options."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [_spared(parameter) for parameter in super().get_params(ctx)]


def _spared(parameter: Any) -> Any:
    """A parameter that asks for typer's conversion only where there is something to convert."""
    typers = getattr(parameter, "get_runtime_param", None)
    if typers is not None and not isinstance(typers, _Conversion):
        parameter.get_runtime_param = _Conversion(typers, parameter.type_descriptor.annotation)
    return parameter


class _Conversion:
    """In the place of typer's: called, it gives itself."""

    def __init__(self, typers: Callable[[], Any], annotation: Any) -> None:
        self._typers = typers
        self._annotation = annotation

    def __call__(self) -> _Conversion:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = param.nargs != 1 or getattr(param, "multiple", False)
        if value is None:
            return () if several else None
        if self._annotation is str and isinstance(value, str) and not several:
            return value
        if self._annotation == list[str] and isinstance(value, list | tuple) and several:
            return list(value)
        return self._typers().coerce(value, param=param, ctx=ctx)
