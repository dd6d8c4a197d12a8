"""What keeps the house readable, and that its pages name what is there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "formats/reading.md", "findings/README.md")

SHORT = ("cli/train", "cli/evaluate", "train", "evaluate", "open")
"""Folders of eie whose files and functions are kept short."""


def sources():
    return [path for folder in SHORT for path in sorted((ROOT / "eie" / folder).rglob("*.py"))]


def code_in(page: str) -> str:
    """What is set as code, of a page but the changes of older days."""
    text = (ROOT / page).read_text("utf-8")
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 80, node.name


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
