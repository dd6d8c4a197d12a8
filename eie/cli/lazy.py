"""Groups of commands that are imported when they are asked for: `eie edit` starts without most."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Any

import typer

from eie.cli.plain import PlainGroup
from eie.cli.retired import RetiringCommand


def lazy_group(package: str, *names: str) -> type[PlainGroup]:
    """A group of the commands of these names, a module of a package each.

    A module has `command`, and `COMMAND_CLASS` if that is to be of a class of its own; or `app`, a
    group.
    """

    class LazyGroup(PlainGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(package, names)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
            return list(self.commands)

    return LazyGroup


class _Commands(UserDict[str, Any]):
    """Commands by name, each made when it is looked up."""

    def __init__(self, package: str, names: tuple[str, ...]) -> None:
        super().__init__(dict.fromkeys(names))
        self.package = package

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _made(name, import_module(f"{self.package}.{name}"))
        return self.data[name]


def _made(name: str, module: Any) -> Any:
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    if hasattr(module, "app"):
        one.add_typer(module.app, name=name)
    else:
        kind = getattr(module, "COMMAND_CLASS", RetiringCommand)
        one.command(name=name, cls=kind)(module.command)
    return typer.main.get_group(one).commands[name]
