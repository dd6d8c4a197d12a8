"""What kinds of commands there are: those that take words as they are typed, and groups of them.

typer converts every option by pydantic, also those that nobody typed, and to import that takes a
twelfth of the time of a decomposition. Text needs no conversion; numbers still get theirs. Commands
of a group are imported when they are asked for: `eie edit` starts without most.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from eie.cli.input_output import note
from eie.errors import UsageError


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


RETIRED: Mapping[str, Mapping[str, str]] = {
    "decompose": {
        "--mask": "mask:FILE.png in eie edit takes just what is white, however elements are cut",
    },
    "render": {
        "--seam": "what still shows of what is taken away is filled by --dilation",
        "--rim": "what is taken away is filled as a whole, and around it by --dilation",
        "--descent": "fills are made of the photo's own pieces",
    },
    "decoder": {
        "--refiner": "first guesses are the light decoder's",
    },
}
"""Per command, by the name it is called by: options that took a value, and what serves now."""


class RetiringCommand(PlainCommand):
    """A command that passes over its retired options, each with a note; its help has none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, without_retired(args, RETIRED.get(self.name or "", {})))


def without_retired(arguments: Sequence[str], retired: Mapping[str, str]) -> list[str]:
    """A command line without the options that are retired, and without their values.

    Args:
        retired: option ⇒ what serves now.

    Raises:
        UsageError: one of them lacks its value.
    """
    kept: list[str] = []
    rest = list(arguments)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        option, equals, _ = word.partition("=")
        if option not in retired:
            kept.append(word)
            continue
        if not equals:
            if not rest:
                raise UsageError(f"{option} is no longer used, and lacks its value")
            del rest[0]
        note(f"{option} is no longer used: {retired[option]}")
    return kept + rest


def lazy_group(package: str, *names: str, module: str | None = None) -> type[PlainGroup]:
    """A group of the commands of these names: functions of a module, or else a module each.

    Such a module has `command`, and `COMMAND_CLASS` if that is to be of a class of its own; or
    `app`, a group.

    Args:
        package: where the modules are.
    """

    class LazyGroup(PlainGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(package, names, module)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
            return list(self.commands)

    return LazyGroup


class _Commands(UserDict[str, Any]):
    """Commands by name, each made when it is looked up."""

    def __init__(self, package: str, names: tuple[str, ...], module: str | None) -> None:
        super().__init__(dict.fromkeys(names))
        self.package = package
        self.module = module

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            module = import_module(f"{self.package}.{self.module or name}")
            self.data[name] = _made(name, module, name if self.module else "command")
        return self.data[name]


def _made(name: str, module: Any, function: str) -> Any:
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    if hasattr(module, "app"):
        one.add_typer(module.app, name=name)
    else:
        kind = getattr(module, "COMMAND_CLASS", RetiringCommand)
        one.command(name=name, cls=kind)(getattr(module, function))
    return typer.main.get_group(one).commands[name]
