"""Write docs/commands.md from the commands' own help: `make help-pages`."""

from __future__ import annotations

from pathlib import Path

import typer.main

from eie.cli import app

WIDTH = 100
PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Commands

This page is generated from `eie --help` and `eie COMMAND --help`; a test compares them.
"""


def page() -> str:
    """The help of every command, as Markdown."""
    group = typer.main.get_command(app)
    settings = {"terminal_width": WIDTH, "resilient_parsing": True}
    top = group.make_context("eie", [], **settings)
    sections = [HEAD, _section("eie", top.get_help())]
    for name in group.list_commands(top):
        context = group.get_command(top, name).make_context(name, [], parent=top, **settings)
        sections.append(_section(f"eie {name}", context.get_help()))
    return "\n".join(sections)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.rstrip().splitlines())
    return f"## {title}\n\n```\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
