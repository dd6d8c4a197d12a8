"""The examples run as they stand and leave pictures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.sh") if path.name != "common.sh")


@pytest.fixture
def environment(tmp_path):
    """One whose `eie` is the command line under test."""
    command = tmp_path / "bin" / "eie"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eie "$@"\n')
    command.chmod(0o755)
    return os.environ | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script(script, tmp_path, environment):
    done = subprocess.run(
        [script, tmp_path], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    with Image.open(done.stdout.strip()) as picture:
        assert min(picture.size) > 300


def test_python_example(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "python_api.py", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "after undoing both: 0 pixels differ" in done.stdout
    assert (tmp_path / "copied.png").exists()


def test_the_cluster_is_one_by_rays_own_schema():
    import jsonschema
    import ray
    import yaml

    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    cluster = yaml.safe_load((EXAMPLES / "cluster.yaml").read_text("utf-8"))
    jsonschema.validate(cluster, json.loads(schema.read_text("utf-8")))
    assert cluster["head_node_type"] in cluster["available_node_types"]
    for command in cluster["setup_commands"]:
        for name in re.findall(r"/home/ray/eie/(\S+)", command):
            assert (ROOT / name).exists()


def test_removed_and_restored(tmp_path, environment):
    subprocess.run([EXAMPLES / "remove.sh", tmp_path], check=True, env=environment)
    with (
        Image.open(tmp_path / "restored.png") as restored,
        Image.open(EXAMPLES / "rocket.jpg") as photo,
        Image.open(tmp_path / "removed.png") as removed,
    ):
        assert restored.tobytes() == photo.tobytes()
        assert removed.tobytes() != photo.tobytes()


def test_every_photo_has_its_licence_noted():
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for photo in EXAMPLES.glob("*.jpg"):
        assert re.search(rf"^\| \[`{photo.name}`\].*\| (CC0|public domain)", page, re.MULTILINE)


def test_readme_names_files_that_exist():
    for page in (ROOT / "README.md", EXAMPLES / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"
