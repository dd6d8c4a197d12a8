"""All that the bundled models do works where torch and what stands on it are not installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "diffusers", "segment_anything")

WITHOUT = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from eie.cli import main
main()
"""


def run(*arguments: str | Path, expected: int = 0) -> str:
    """Standard error of a command in such an environment."""
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == expected, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def elements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slim")
    with Image.open(ROOT / "examples" / "rocket.jpg") as photo:
        photo.resize((240, 160)).save(folder / "photo.png")
    run("decompose", folder / "photo.png", "-o", folder / "e.h5", "--elements", "60")
    return folder / "e.h5"


def test_the_chain_runs(elements: Path, tmp_path: Path) -> None:
    copy = tmp_path / "e.h5"
    copy.write_bytes(elements.read_bytes())
    run("encode", copy)
    assert "moved" in run("edit", copy, "--move", "object@120,80", "30,0")
    assert "turned" in run("edit", copy, "--rotate", "object@150,80", "15")
    run("render", copy, "-o", tmp_path / "anchored.png")
    run("render", copy, "--free", "--decoder", "light", "-o", tmp_path / "free.png")
    run("show", copy, "-o", tmp_path / "shown.png")
    run("validate", copy)
    for name in ("anchored", "free"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.size == (240, 160)


def test_superpixels_need_no_torch(elements: Path, tmp_path: Path) -> None:
    photo = elements.with_name("photo.png")
    run("decompose", photo, "--segmenter", "slic", "-o", tmp_path / "s.h5")


@pytest.mark.parametrize(
    "arguments", [("--decoder", "diffusion"), ("--decoder", "light", "--device", "cuda")]
)
def test_what_needs_torch_says_so(
    elements: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    told = run("render", elements, "--free", *arguments, "-o", tmp_path / "o.png", expected=4)
    assert "torch" in told and "pip install torch" in told
    assert not (tmp_path / "o.png").exists()


def test_the_slim_list_is_the_dependencies_without_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    heavy = tuple(name.replace("_", "-") for name in HEAVY)
    wanted = [d for d in project["dependencies"] if not d.startswith(heavy)]
    lines = (ROOT / "requirements-slim.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == wanted
