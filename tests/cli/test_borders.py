"""Odd inputs and outputs: pipes, descriptors, names that are no text, pages without letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eie
from tests.odd_pictures import disc, encoded, exif, scene, text, tiff_of_pages

CUT = ("--segmenter", "slic", "--elements", "20")


def eie_command(*words: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "eie", *words]
    return subprocess.run(command, capture_output=True, timeout=300, check=False, **options)


def test_dev_stdout_is_standard_output(shell, tmp_path):
    Image.fromarray(scene(64, 48)).save(tmp_path / "p.png")
    made = shell("eie decompose p.png --segmenter slic -o /dev/stdout")
    assert made.code == 0 and made.out.startswith(b"\x89HDF")
    piped = shell("eie render q.h5 --decoder classical -o /dev/stdout 2>&1 >/dev/null | cat")
    assert "extension" not in piped.err + piped.text
    result = shell("eie decompose p.png --segmenter slic -o >(cat > q.h5); sleep .5")
    assert result.code == 0 and (tmp_path / "q.h5").read_bytes() == made.out


def test_photos_and_masks_come_through_pipes(shell, tmp_path):
    Image.fromarray(scene(64, 48)).save(tmp_path / "p.png")
    white = np.zeros((48, 64), np.uint8)
    white[10:30, 10:30] = 255
    Image.fromarray(white).save(tmp_path / "white.png")
    script = tmp_path / "s.json"
    script.write_text('{"format": "eie-edits", "version": 1, "operations": []}')
    lines = (
        "eie decompose /dev/stdin --segmenter slic -o p.h5 < <(cat p.png)",
        "mkfifo m.png; cat white.png > m.png & eie edit p.h5 --delete mask:m.png -o e.h5",
        "eie edit p.h5 --delete mask:<(cat white.png)+0 -o f.h5",
        "eie edit e.h5 --script <(cat s.json) && eie render <(cat e.h5) --decoder classical "
        "-o o.png",
    )
    for line in lines:
        result = shell(line)
        assert result.code == 0, result.err
    changed = np.asarray(Image.open(tmp_path / "o.png")) != scene(64, 48)
    assert changed[12:28, 12:28].any()


def test_outputs_are_refused_before_the_work(run, file, tmp_path, monkeypatch):
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work was begun")

    for place in ("decompose.read_photo", "input_output.read_elements", "render.read_elements"):
        monkeypatch.setattr(f"eie.cli.{place}", work)
    Image.fromarray(scene(64, 48)).save(tmp_path / "p.png")
    nowhere = tmp_path / "no" / "a.png"
    for words in (
        ("decompose", tmp_path / "p.png", "-o", nowhere),
        ("edit", file, "--delete", "1", "-o", nowhere),
        ("render", file, "-o", nowhere),
    ):
        result = run(*words)
        assert result.code == 2 and "No such file" in result.err
    assert "is a folder" in run("edit", file, "--delete", "1", "-o", f"{tmp_path}/x/").err
    monkeypatch.setattr("eie.train.autoencoder.stage.read_training_images", work)
    result = run("train", "autoencoder", tmp_path, "-o", tmp_path / "p.png")
    assert result.code == 2 and "not a folder" in result.err


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes UTF-8 names only")
def test_a_name_may_hold_bytes_that_are_no_text(tmp_path, element_bytes):
    name = os.fsencode(tmp_path) + b"/caf\xe9.h5"
    with open(name, "wb") as handle:  # noqa: PTH123 - a path of bytes
        handle.write(element_bytes)
    picture = os.fsencode(tmp_path) + b"/caf\xe9.png"
    for words in (
        ("info", name),
        ("info", name, "--json"),
        ("validate", name),
        ("edit", name, "--delete", "3"),
        ("render", name, "--decoder", "classical", "-o", picture),
        ("decompose", picture, *CUT, "-o", name),
    ):
        result = eie_command(*words, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert result.returncode == 0, result.stderr
    assert b"caf\xe9.h5" in eie_command("info", name).stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_help_is_printed_on_any_page(encoding):
    for command in ("train decoder", "render", "evaluate edits"):
        result = eie_command(
            *command.split(), "--help", env={**os.environ, "PYTHONIOENCODING": encoding}
        )
        assert result.returncode == 0, result.stderr
        assert b"--help" in result.stdout


def test_of_two_edits_at_once_none_is_lost(tmp_path, element_bytes):
    path = tmp_path / "w.h5"
    path.write_bytes(element_bytes)
    names = "abcd"
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: eie_command("edit", path, "--group", name, "0"), names))
    assert [result.returncode for result in done] == [0] * 4
    assert sorted(eie.load(path).groups) == list(names)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.h5"]


def test_notes_of_a_photo_are_told_once_it_is_done(run, tmp_path):
    tiff_of_pages(tmp_path / "p.tif", ((64, 48), 0), ((16, 12), 1))
    result = run("decompose", tmp_path / "p.tif", *CUT, "-o", tmp_path / "p.h5")
    assert result.code == 0 and "smaller copies" in result.err
    canvas = json.loads(run("info", tmp_path / "p.h5", "--json").text)["canvas"]
    assert canvas == {"width": 64, "height": 48}
    result = run("decompose", tmp_path / "p.tif", "--elements", "0", "-o", tmp_path / "q.h5")
    assert result.err.startswith("eie: ")


def test_a_note_about_a_mask_is_told_once(run, tmp_path):
    Image.fromarray(scene(64, 48)).save(tmp_path / "p.png")
    Image.fromarray(disc(64, 48, 30, 20, 9).astype(np.uint8)).save(tmp_path / "m.png")
    run("decompose", tmp_path / "p.png", *CUT, "-o", tmp_path / "p.h5")
    result = run("edit", tmp_path / "p.h5", "--delete", f"mask:{tmp_path}/m.png")
    assert result.code == 0 and result.err.count("nothing in it is white") == 1


def test_heic_is_edited_and_rendered(run, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(scene(64, 48))).save(tmp_path / "p.heic", quality=95)
    assert run("decompose", tmp_path / "p.heic", *CUT, "-o", tmp_path / "p.h5").code == 0
    run("edit", tmp_path / "p.h5", "--move", "0", "9,0")
    words = ("render", tmp_path / "p.h5", "--decoder", "classical", "-o", tmp_path / "o.jpg")
    assert run(*words).code == 0


def test_a_grey_photo_in_cmyk_and_bmp_masks_go_through(run, tmp_path):
    (tmp_path / "p.jpg").write_bytes(
        encoded(Image.fromarray(scene(64, 48)).convert("CMYK"), "JPEG")
    )
    white = np.zeros((48, 64), np.uint8)
    white[10:30, 10:30] = 255
    Image.fromarray(white).save(tmp_path / "m.bmp")
    assert run("decompose", tmp_path / "p.jpg", *CUT, "-o", tmp_path / "p.h5").code == 0
    assert run("edit", tmp_path / "p.h5", "--delete", f"mask:{tmp_path}/m.bmp").code == 0


@pytest.mark.parametrize(
    ("pixels", "target", "message"),
    [
        (np.dstack([scene(64, 48), np.eye(48, 64, dtype=np.uint8) * 255]), "o.jpg", "JPEG cannot"),
        (scene(16_400, 24), "o.webp", "WebP ends at 16,383"),
        (scene(64, 48), "o.png", "no quality"),
    ],
)
def test_what_a_format_cannot_hold_is_known_before_rendering(
    run, tmp_path, monkeypatch, pixels, target, message
):
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work was begun")

    Image.fromarray(pixels).save(tmp_path / "p.png")
    assert run("decompose", tmp_path / "p.png", *CUT, "-o", tmp_path / "p.h5").code == 0
    monkeypatch.setattr("eie.cli.render.variations", work)
    quality = ("--quality", 90) if target.endswith("png") else ()
    result = run("render", tmp_path / "p.h5", "-o", tmp_path / target, *quality)
    assert result.code == 2 and message in result.err


def test_an_opaque_alpha_channel_is_no_hindrance_for_a_jpeg(run, tmp_path):
    opaque = np.dstack([scene(64, 48), np.full((48, 64), 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "p.png")
    run("decompose", tmp_path / "p.png", *CUT, "-o", tmp_path / "p.h5")
    words = ("render", tmp_path / "p.h5", "--decoder", "classical", "-o", tmp_path / "o.jpg")
    assert run(*words).code == 0


def test_a_long_exif_block_does_not_cost_the_jpeg(run, tmp_path):
    block = exif(text(270, b"x" * 70_000), text(271, b"Maker"))
    Image.fromarray(scene(64, 48)).save(tmp_path / "p.png", exif=block)
    run("decompose", tmp_path / "p.png", *CUT, "-o", tmp_path / "p.h5")
    result = run("render", tmp_path / "p.h5", "--decoder", "classical", "-o", tmp_path / "o.jpg")
    assert result.code == 0 and "too long for a JPEG" in result.err
    assert Image.open(tmp_path / "o.jpg").getexif()[271] == "Maker"


def test_help_says_what_results_depend_on(run):
    assert "number of threads" in " ".join(run("render", "--help").text.split())


def test_the_lowest_opencv_keeps_what_is_deleted_to_itself():
    """4.9 leaks it into thin holes at the top left corner (its issue 25389)."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    [needed] = [line for line in project["dependencies"] if line.startswith("opencv")]
    assert tuple(map(int, needed.partition(">=")[2].split(".")[:2])) >= (4, 10)


def test_no_file_is_written_over_by_another_kind(run, file, tmp_path, element_bytes):
    picture = encoded(Image.fromarray(scene(64, 48)), "PNG")
    for name in ("p.png", "p", "p.h5"):
        (tmp_path / name).write_bytes(picture)
        result = run("decompose", tmp_path / name, "--segmenter", "slic", "-o", tmp_path / name)
        assert result.code == 2 and (tmp_path / name).read_bytes() == picture
    (tmp_path / "notes.txt").write_text("dear diary")
    for words in (
        ("render", file, "--format", "png", "-o", file),
        ("show", file, "--format", "png", "-o", file),
        ("render", file, "--format", "png", "-o", tmp_path / "notes.txt"),
        ("edit", file, "--delete", "1", "-o", tmp_path / "notes.txt"),
        ("edit", file, "--delete", "1", "-o", tmp_path / "a.json"),
        ("decompose", tmp_path / "p.png", "-o", tmp_path / "p.tif.zip"),
    ):
        result = run(*words)
        assert result.code == 2 and result.err.count("\n") == 1
    assert file.read_bytes() == element_bytes
    assert (tmp_path / "notes.txt").read_text() == "dear diary"
    (tmp_path / "empty.h5").touch()
    for name in ("empty.h5", "new.hdf5", "none"):
        assert run("edit", file, "--delete", "1", "-o", tmp_path / name).code == 0
