"""The built page: of the sources beside it, small, complete, and asking nobody else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from eie.open.app import STATIC

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "eie" / "open" / "page"
SOURCES = (  # as in vite.config.ts
    "index.html",
    "package-lock.json",
    "package.json",
    "public",
    "src",
    "tsconfig.json",
    "vite.config.ts",
)
BUILT = {"build.json", "icon.svg", "index.html", "licences.txt", "page.css", "page.js"}


def source_files() -> list[str]:
    """What the built files depend on, by path, in the order of the manifest."""
    found = [PAGE / name for name in SOURCES]
    files = [file for path in found for file in ([path] if path.is_file() else path.rglob("*"))]
    return sorted(file.relative_to(PAGE).as_posix() for file in files if file.is_file())


def test_the_built_page_is_of_these_sources():
    digest = hashlib.sha256()
    for name in source_files():
        digest.update(name.encode() + b"\0" + (PAGE / name).read_bytes() + b"\0")
    manifest = json.loads((STATIC / "build.json").read_text("utf-8"))
    assert manifest["sources"] == digest.hexdigest(), "run `make page` and commit eie/open/static"


def test_every_file_is_there_and_all_together_are_small():
    assert {path.name for path in STATIC.iterdir()} == BUILT
    weight = sum(len(gzip.compress(path.read_bytes())) for path in STATIC.iterdir())
    assert weight < 100_000


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere():
    html = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", html)
    assert all(address.startswith("./") for address in re.findall(r'(?:src|href)="([^"]*)"', html))
    css = (STATIC / "page.css").read_text("utf-8")
    assert "@import" not in css and "url(" not in css
    script = (STATIC / "page.js").read_text("utf-8")
    names = {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/1999/xhtml",
    }
    assert set(re.findall(r"https?://[\w./-]+", script)) <= names
    assert not re.search(r"\beval\(|\bnew Function\b", script)


def test_licences_of_all_bundled_packages_permit_it():
    text = (STATIC / "licences.txt").read_text("utf-8")
    heads = re.findall(r"^(\S+) [\d.]+ \(([^)]*)\)$", text, re.M)
    bundled = json.loads((PAGE / "package.json").read_text("utf-8"))["dependencies"]
    assert set(bundled) <= {name for name, _ in heads}
    assert {licence for _, licence in heads} <= {"MIT", "ISC", "Apache-2.0", "BSD-3-Clause"}


def test_the_lock_names_no_host_but_the_hashes_of_all_packages():
    lock = json.loads((PAGE / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    # `npm ci` refuses a lock that leaves one out, though `npm install` may have written it.
    wanted = {
        name
        for entry in packages.values()
        for kind in ("dependencies", "optionalDependencies")
        for name in entry.get(kind, ())
    }
    assert wanted - {name.rpartition("node_modules/")[2] for name in packages} == set()


@pytest.fixture
def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone, so that nothing is tracked")
    listed = subprocess.run(
        ["git", "ls-files", "eie/open"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_what_the_page_is_made_of_is_tracked(tracked):
    here = {f"eie/open/page/{name}" for name in source_files()}
    here |= {f"eie/open/static/{name}" for name in BUILT}
    assert here - set(tracked) == set()
    assert not [name for name in tracked if "node_modules" in name]
