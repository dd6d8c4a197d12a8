"""Groups of commands that are imported when they are asked for: `eie edit` starts without them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from eie.cli.retired import RetiringCommand


def lazy_group(package: str, *names: str) -> type[TyperGroup]:
    """A group of the commands of these names, `command` in a module of a package each."""

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
            return list(names)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
            if cmd_name not in names:
                return None
            one = typer.Typer(add_completion=False, rich_markup_mode=None)
            module = import_module(f"{package}.{cmd_name}")
            one.command(name=cmd_name, cls=RetiringCommand)(module.command)
            return typer.main.get_command(one)

    return LazyGroup
