"""Options that are gathered to settings, and that each option stands in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import eie.cli
from eie.cli.bundles import ArgumentOptions, SettingsOptions, bundled, changed, value_of

SOURCES = Path(eie.cli.__file__).parent


@dataclass(frozen=True)
class Inner:
    size: int = 3
    rate: float = 0.5
    names: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    rate: float = 2.0
    keep: bool = True


SIZE = Annotated[int | None, typer.Option(help="How large.")]
RATE = Annotated[float | None, typer.Option(help="How fast.")]
KEEP = Annotated[bool | None, typer.Option("--keep/--no-keep", help="Whether to.")]


def begin(twice: bool = False) -> Outer:
    return Outer(rate=4.0) if twice else Outer()


@pytest.fixture
def app():
    app = typer.Typer(rich_markup_mode=None)
    twice = Annotated[bool | None, typer.Option("--twice")]

    @app.command()
    @bundled(settings=SettingsOptions(begin, twice=twice, size=SIZE, rate=RATE, keep=KEEP))
    def command(name: str, settings: Outer) -> None:
        typer.echo(f"{name} {settings}")

    return app


def test_settings_are_found_and_changed_wherever_they_are():
    assert value_of(Outer(), "size") == 3
    assert value_of(Outer(), "rate") == 2.0, "what is nearer to the top comes first"
    assert changed(Outer(), size=5, rate=1.0) == Outer(Inner(size=5), rate=1.0)
    with pytest.raises(AttributeError, match="no setting 'speed'"):
        changed(Outer(), speed=1)


def test_what_was_typed_changes_what_the_settings_begin_with(app):
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["x", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert said() == f"x {Outer()}\n"
    assert said("--size", "7", "--no-keep") == f"x {Outer(Inner(size=7), keep=False)}\n"
    assert said("--twice") == f"x {Outer(rate=4.0)}\n"
    assert said("--twice", "--rate", "1") == f"x {Outer(rate=1.0)}\n"


def test_help_shows_the_settings_defaults(app):
    page = CliRunner().invoke(app, ["--help"]).output
    for default in ("(3)", "(2.0)", "(--keep)"):
        assert f"[default: {default}" in page


def test_only_arguments_that_were_typed_are_given_and_the_context_is_there():
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @bundled(
        options=ArgumentOptions(dict, size=SIZE, keep=KEEP), inner=ArgumentOptions(Inner, rate=RATE)
    )
    def command(context: typer.Context, options: dict, inner: Inner) -> None:
        typer.echo(f"{context.info_name} {options} {inner}")

    def said(*words: str) -> str:
        return CliRunner().invoke(app, words).output

    assert said() == f"command {{}} {Inner()}\n"
    assert said("--no-keep", "--rate", "1") == f"command {{'keep': False}} {Inner(rate=1.0)}\n"
    assert said("--size", "7") == f"command {{'size': 7}} {Inner()}\n"


def _members(command):
    """Name ⇒ command of those that a command groups."""
    names = command.list_commands(None) if hasattr(command, "list_commands") else ()
    return {name: command.get_command(None, name) for name in names}.items()


def options(command, path=()):
    """(path, option) of a command and of all that it groups."""
    for option in command.params:
        if option.param_type_name == "option":
            yield path, option
    for name, member in _members(command):
        yield from options(member, (*path, name))


def test_an_option_means_one_thing_in_a_group_of_commands():
    """The same name in two trainings, or in two evaluations, is the same option."""
    other = {"--output"}  # every command writes something else
    found = defaultdict(set)
    for path, option in options(typer.main.get_command(eie.cli.app)):
        if len(path) == 2 and not option.hidden:
            found[path[0], option.opts[0]].add(
                (option.help, option.metavar, option.min, option.max)
            )
    several = {key: kinds for key, kinds in found.items() if len(kinds) > 1}
    assert {name for _, name in several} <= other, several
    assert len(found) > 60


def test_an_option_is_defined_once():
    """No two definitions in the sources say the same."""
    calls = [
        node
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    texts = Counter(
        ast.unparse(keyword.value)
        for call in calls
        if ast.unparse(call.func) == "typer.Option"
        for keyword in call.keywords
        if keyword.arg == "help"
    )
    texts.update(ast.unparse(call.args[1]) for call in calls if ast.unparse(call.func) == "option")
    del texts["help"]  # of :func:`eie.cli.options.option` itself
    assert [text for text, count in texts.items() if count > 1] == []
    assert len(texts) > 100


def test_every_option_tells_what_it_is():
    every = options(typer.main.get_command(eie.cli.app))
    assert [(path, o.opts) for path, o in every if not o.hidden and not o.help] == []


def test_quick_commands_do_not_import_trainings_and_evaluations():
    program = (
        "import sys, eie.cli; from typer.main import get_command; get_command(eie.cli.app); "
        "print([m for m in sys.modules if m.startswith(('eie.train', 'eie.evaluate'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
