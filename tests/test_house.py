"""What keeps the house readable, and that its pages name what is there."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "formats/reading.md", "findings/README.md")

TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE, FUNCTION = 400, 80
"""Most lines of a file and of a function."""

ALIKE, PAIRS = 6, 4
"""How many lines two places share to be alike, and the most such pairs: declarations look alike."""

SOURCES = sorted(
    path
    for folder in ("eie", "tools", "benchmarks", "formats", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


def code_in(page: str) -> str:
    """What is set as code, of a page but the changes of older days."""
    text = (ROOT / page).read_text("utf-8")
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION, node.name


def test_few_places_are_alike():
    places = defaultdict(list)
    for path in SOURCES:
        lines = statements(path.read_text("utf-8"))
        for at in range(len(lines) - ALIKE + 1):
            text = tuple(line for _, line in lines[at : at + ALIKE])
            places[text].append((str(path.relative_to(ROOT)), at, lines[at][0]))
    pairs = {
        ((one, at), (other, there)): f"{one}:{line} {other}:{line_there}"
        for alike in places.values()
        for (one, at, line), (other, there, line_there) in combinations(alike, 2)
    }
    found = [
        where
        for ((one, at), (other, there)), where in pairs.items()
        if ((one, at - 1), (other, there - 1)) not in pairs  # where longer ones begin
    ]
    assert len(found) <= PAIRS, found


def statements(text: str) -> list[tuple[int, str]]:
    """Number and text of the lines that do something: no import, signature, docstring, comment."""
    passed: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            passed.update(range(node.lineno, node.body[0].lineno))
        elif isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            passed.update(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [
        (number, line) for number, line in lines if line and line[0] != "#" and number not in passed
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_python_names_on_pages_can_be_imported(page):
    names = set(re.findall(r"\beie(?:\.[A-Za-z_]\w*)+", code_in(page)))
    for line in re.findall(r"^(?:>>> )?from (eie[\w.]*) import ([\w, ]+)", code_in(page), re.M):
        names |= {f"{line[0]}.{name.strip()}" for name in line[1].split(",")}
    for name in sorted(names):
        assert found(name), f"{page} names {name}"
    assert names or page in ("formats/reading.md", "findings/README.md")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", "findings/README.md"])
def test_files_on_pages_are_there(page):
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    paths = re.findall(r"`((?:eie|tests|formats|findings|examples)/[\w./-]+)`", text)
    missing = [path for path in links if not ((ROOT / page).parent / path).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_every_finding_has_a_row():
    page = (ROOT / "findings" / "README.md").read_text("utf-8")
    scripts = sorted(path.name for path in (ROOT / "findings").glob("*.sh"))
    assert scripts == sorted(set(re.findall(r"\]\(([\w.-]+\.sh)\)", page)))


def found(name: str) -> bool:
    """Whether a dotted name is a module, or what is in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            if not hasattr(value, attribute):
                return False
            value = getattr(value, attribute)
        return True
    return False
