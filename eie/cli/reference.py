"""COMMANDS.md, from the commands' own help: `python -m eie.cli.reference > COMMANDS.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from eie.cli import app

WIDTH = 100
HEAD = """# Commands

This page is generated from `eie --help` and `eie COMMAND --help`; a test compares them.
"""


def page() -> str:
    """The help of every command, as Markdown."""
    group = typer.main.get_command(app)
    return "\n".join([HEAD, *_sections(group, "eie", None)])


def _sections(command: Any, name: str, parent: Any) -> Iterator[str]:
    """The help of a command, then that of the commands it groups."""
    settings = {"terminal_width": WIDTH, "resilient_parsing": True}
    context = command.make_context(name, [], parent=parent, **settings)
    yield _section(context.command_path, context.get_help())
    if hasattr(command, "list_commands"):
        for member in command.list_commands(context):
            yield from _sections(command.get_command(context, member), member, context)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    return f"## {title}\n\n```\n{lines}\n```\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode())
