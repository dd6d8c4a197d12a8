"""`eie run`: many photos through all stages, stopped and resumed, with one worker or two."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNT = 6


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small photos with a mask each, and a recipe that deletes what is masked."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "photos" / "deep").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(0)
    for n in range(COUNT):
        coarse = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((96, 64), Image.Resampling.BICUBIC)
        picture.save(folder / "photos" / ("deep" if n == 0 else "") / f"p{n}.png")
        mask = np.zeros((64, 96), np.uint8)
        mask[20:40, 10 * n : 10 * n + 25] = 255
        Image.fromarray(mask).save(folder / "masks" / f"p{n}.png")
    recipe = {
        "format": "eie-recipe",
        "version": 1,
        "decompose": {"segmenter": "slic", "elements": 24},
        "edit": [{"operation": "delete", "selection": "mask:masks/{stem}.png"}],
        "elements": True,
    }
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


@pytest.fixture(scope="module")
def undisturbed(photos: Path) -> Path:
    """What one worker makes of all."""
    done = eie(photos, "photos", "--recursive", "-o", "undisturbed")
    assert done.returncode == 0, done.stderr
    assert f"{COUNT} done of {COUNT} photos" in done.stderr
    assert done.stdout == ""
    return photos / "undisturbed"


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "eie", "run", "recipe.json", *map(str, arguments)]


def eie(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=120
    )


def content(folder: Path) -> dict[str, bytes]:
    """All files but manifests, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }


def records(folder: Path) -> list[dict[str, object]]:
    found = [path.read_text().splitlines() for path in folder.glob("manifest*.jsonl")]
    return [json.loads(line) for lines in found for line in lines]


def test_masks_are_taken_by_stem_and_paths_are_kept(photos: Path, undisturbed: Path) -> None:
    names = [*(f"p{n}" for n in range(1, COUNT)), "deep/p0"]
    assert set(content(undisturbed)) == {f"{n}{kind}" for n in names for kind in (".png", ".h5")}
    for name in names:
        before = np.asarray(Image.open(photos / "photos" / f"{name}.png"))
        after = np.asarray(Image.open(undisturbed / f"{name}.png"))
        mask = np.asarray(Image.open(photos / "masks" / f"{Path(name).name}.png")) > 0
        changed = (before != after).any(axis=2)
        assert changed[mask].mean() > 0.5
        assert changed[~mask].mean() < 0.3
    assert [record["item"] for record in records(undisturbed)] == [f"{n}.png" for n in names]


def test_the_commands_one_by_one_give_the_same(photos: Path, undisturbed: Path) -> None:
    run = [sys.executable, "-m", "eie"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for line in (
        "decompose photos/p1.png --segmenter slic --elements 24 -o one.h5",
        "edit one.h5 --delete mask:masks/p1.png",
        "render one.h5 -o one.png",
    ):
        subprocess.run([*run, *line.split()], cwd=photos, check=True, env=environment)
    assert (photos / "one.png").read_bytes() == (undisturbed / "p1.png").read_bytes()
    assert (photos / "one.h5").read_bytes() == (undisturbed / "p1.h5").read_bytes()


def test_two_workers_and_shards_give_the_same_bytes(photos: Path, undisturbed: Path) -> None:
    for shard in ("1/2", "2/2"):
        arguments = ("photos", "--recursive", "-o", "shards", "--workers", "2", "--shard", shard)
        assert eie(photos, *arguments).returncode == 0
    assert content(photos / "shards") == content(undisturbed)
    assert len(records(photos / "shards")) == COUNT
    again = eie(photos, "photos", "--recursive", "-o", "shards")
    assert f"{COUNT} skipped of {COUNT} photos" in again.stderr


def test_a_store_gives_the_same_bytes_and_is_gone_on_in(photos: Path, undisturbed: Path) -> None:
    store = f"local://{photos.as_posix()}"  # by fsspec; file:// is the machine's own
    many = [sys.executable, "-m", "eie", "run", f"{store}/recipe.json", f"{store}/photos"]
    line = [*many, "--recursive", "--workers", "2", "-o", f"{store}/stored"]
    subprocess.run([*line, "--shard", "1/2"], cwd="/", check=True)
    done = subprocess.run(line, cwd="/", capture_output=True, text=True)
    half = COUNT // 2
    assert f"{half} done, {half} skipped of {COUNT} photos" in done.stderr
    made = content(photos / "stored")
    assert set(made) == set(content(undisturbed))
    for name in (name for name in made if name.endswith(".png")):  # edits record the masks' names
        assert made[name] == content(undisturbed)[name]
    manifest = photos / "stored" / "manifest.jsonl"
    assert manifest.read_bytes().count(b"\n") == half
    places = [f"file://{photos.as_posix()}/{name}" for name in ("photos", "undisturbed")]
    again = eie(photos, places[0], "--recursive", "-o", places[1])
    assert f"{COUNT} skipped of {COUNT} photos" in again.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups that are killed")
def test_a_run_that_was_killed_goes_on(photos: Path, undisturbed: Path) -> None:
    line = command("photos", "--recursive", "-o", "killed", "--workers", "2")
    process = subprocess.Popen(line, cwd=photos, start_new_session=True, stderr=subprocess.DEVNULL)
    manifest = photos / "killed" / "manifest.jsonl"
    while not (manifest.is_file() and manifest.read_bytes().count(b"\n")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = sum(record["state"] == "done" for record in records(photos / "killed"))
    assert 0 < before < COUNT
    with manifest.open("ab") as handle:
        handle.write(b'{"input": "half a li')
    whole = [name for name in content(photos / "killed") if not name.endswith(".tmp")]
    inodes = {name: (photos / "killed" / name).stat().st_ino for name in whole}
    done = eie(photos, "photos", "--recursive", "-o", "killed", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert f"{before} skipped" in done.stderr
    assert content(photos / "killed") == content(undisturbed)
    assert len(records(photos / "killed")) == COUNT
    kept = [n for n, node in inodes.items() if (photos / "killed" / n).stat().st_ino == node]
    assert len(kept) >= 2 * before  # neither picture nor element file was written once more


def test_what_cannot_be_done_is_named_and_the_others_are_there(
    photos: Path, undisturbed: Path
) -> None:
    (photos / "damaged.png").write_bytes((photos / "photos" / "p2.png").read_bytes()[:200])
    unmasked = photos / "unmasked.png"
    unmasked.write_bytes((photos / "photos" / "p2.png").read_bytes())
    done = eie(
        photos,
        "photos/p1.png",
        "damaged.png",
        "unmasked.png",
        "gone.png",
        "photos/p2.png",
        "-o",
        "bad",
    )
    assert done.returncode == 3
    assert "damaged.png: " in done.stderr
    assert "masks/unmasked.png" in done.stderr
    assert "gone.png: cannot be read: No such file" in done.stderr
    assert "2 done, 3 failed of 5 photos" in done.stderr
    assert "Traceback" not in done.stderr
    made = content(photos / "bad")
    assert set(made) == {"p1.png", "p1.h5", "p2.png", "p2.h5"}
    assert all(content(undisturbed)[name] == made[name] for name in made)
    states = {record["input"]: record["state"] for record in records(photos / "bad")}
    assert states["damaged.png"] == states["gone.png"] == "failed"
    assert states["photos/p2.png"] == "done"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_is_named_and_the_others_are_there(photos: Path, undisturbed: Path) -> None:
    (photos / "full").mkdir()
    (photos / "full" / "p2.png").symlink_to("/dev/full")
    arguments = ("photos/p1.png", "photos/p2.png", "photos/p3.png", "-o", "full")
    done = eie(photos, *arguments)
    assert done.returncode == 5
    assert "full/p2.png: cannot be written: No space left on device" in done.stderr
    assert "2 done, 1 failed of 3 photos" in done.stderr
    made = {name for name in content(photos / "full") if not name.startswith("p2")}
    assert made == {"p1.png", "p1.h5", "p3.png", "p3.h5"}
    (photos / "full" / "p2.png").unlink()
    again = eie(photos, *arguments)
    assert "1 done, 2 skipped of 3 photos" in again.stderr
    assert content(photos / "full")["p2.png"] == content(undisturbed)["p2.png"]


def test_what_has_changed_is_done_anew(photos: Path, undisturbed: Path) -> None:
    arguments = ("photos/p3.png", "photos/p4.png", "photos/p5.png", "-o", "changed")
    assert eie(photos, *arguments).returncode == 0
    (photos / "changed" / "p4.png").write_bytes(b"x")
    mask = photos / "masks" / "p3.png"
    before = mask.read_bytes()
    mask.write_bytes((photos / "masks" / "p5.png").read_bytes())
    try:
        done = eie(photos, *arguments)
    finally:
        mask.write_bytes(before)
    assert "2 done, 1 skipped of 3 photos" in done.stderr
    made = content(photos / "changed")
    assert made["p4.png"] == content(undisturbed)["p4.png"]
    assert made["p3.png"] != content(undisturbed)["p3.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("recipe.json", "photos/p1.png", "photos", "-o", "photos"), 2, "written over an input"),
        (("recipe.json", "photos/p1.png", "masks/p1.png", "-o", "x"), 2, "would both become"),
        (("recipe.json", "masks/*.gif", "-o", "x"), 3, "the pattern finds no file"),
        (("recipe.json", "photos", "-o", "x", "--shard", "3/2"), 2, "there is no shard 3/2"),
        (("recipe.json", "photos", "-o", "recipe.json"), 2, "is a file, not a folder"),
        (("recipe.json", "photos", "-o", "local:///dev/null/x"), 5, "x/manifest.jsonl: cannot be"),
        (("recipe.json", "photos", "-o", "nowhere://x"), 2, "no such store: Protocol not known"),
        (("gone.json", "photos", "-o", "x"), 3, "gone.json: cannot be read"),
        (("photos/p1.png", "photos", "-o", "x"), 3, "this is not JSON"),
    ],
)
def test_what_makes_no_sense_is_told_before_the_work(
    photos: Path, run, monkeypatch, arguments: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(photos)
    done = run("run", *arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert not (photos / "x").exists()


def test_other_commands_on_many_give_what_they_give_one_by_one(
    photos: Path, undisturbed: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    slic = ("--segmenter", "slic", "--elements", "24")
    many = run("decompose", "photos", "--recursive", *slic, "-o", "elements", "--workers", "2")
    assert (many.code, many.out) == (0, b""), many.err
    one = run("decompose", "photos/p1.png", *slic)
    assert (photos / "elements" / "p1.h5").read_bytes() == one.out
    assert (photos / "elements" / "deep" / "p0.h5").is_file()
    script = json.loads((photos / "recipe.json").read_text())["edit"]
    edits = {"format": "eie-edits", "version": 1, "operations": script}
    (photos / "edits.json").write_text(json.dumps(edits))
    edited = run("edit", "elements", "--script", "edits.json", "-o", "edited")
    assert edited.code == 0, edited.err
    assert (photos / "edited" / "p1.h5").read_bytes() == content(undisturbed)["p1.h5"]
    encoded = run("encode", "elements/p1.h5", "elements/p2.h5", "-o", "encoded")
    assert encoded.code == 0, encoded.err
    alone = run("encode", "elements/p1.h5", "-o", "-")
    assert (photos / "encoded" / "p1.h5").read_bytes() == alone.out
    run("edit", "elements/p1.h5", "--delete", "3")
    drawn = run("render", "elements/*.h5", "--format", "webp", "-o", "pictures")
    assert drawn.code == 0, drawn.err
    assert len(content(photos / "pictures")) == COUNT - 1
    alone = run("render", "elements/p1.h5", "--format", "webp")
    assert (photos / "pictures" / "p1.webp").read_bytes() == alone.out
    again = run("render", "elements", "--format", "webp", "-o", "pictures")
    assert f"{COUNT - 1} skipped of {COUNT - 1} element files" in again.err


def test_many_get_variations_and_a_size(
    photos: Path, undisturbed: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    files = ("undisturbed/p1.h5", "undisturbed/p2.h5")
    wanted = ("--variations", "9", "--size", "48", "-o")
    many = run("render", *files, *wanted, "varied")
    assert many.code == 0, many.err
    one = run("render", files[0], *wanted, "alone.png")
    assert one.code == 0, one.err
    alone = sorted(photos.glob("alone-*.png"))
    assert [p.name for p in sorted((photos / "varied").glob("p1-*.png"))] == [
        path.name.replace("alone", "p1") for path in alone
    ]
    for path in alone:
        assert (photos / "varied" / path.name.replace("alone", "p1")).read_bytes() == (
            path.read_bytes()
        )
        assert Image.open(path).size == (48, 32)
    assert f"there are {len(alone)} fills" in many.err
    stale = photos / "varied" / "p1-8.png"
    stale.touch()
    again = run("render", *files, *wanted, "varied")
    assert "2 skipped of 2" in again.err
    recipe = json.loads((photos / "recipe.json").read_text())
    recipe["render"] = {"variations": 8, "size": 48, "format": "jpg"}
    (photos / "varied.json").write_text(json.dumps(recipe))
    drawn = run("run", "varied.json", "photos/p1.png", "-o", "drawn")
    assert drawn.code == 0, drawn.err
    made = set(content(photos / "drawn"))
    assert made == {"p1.h5", *(f"p1-{k}.jpg" for k in range(1, len(made)))}
    assert len(alone) < 8
    assert run("render", *files, "--variations", "8", "-o", "varied").code == 0
    assert not stale.exists()  # it is none of those that there are


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("decompose photos/p1.png photos/p2.png", "several photos need a folder"),
        ("decompose photos/p1.png photos/p2.png -o x.h5", "several photos need a folder"),
        ("decompose photos/p1.png - -o x", "standard input is one file"),
        ("decompose photos/p1.png --workers 2 -o x.h5", "--workers is for several inputs"),
        (
            "render photos/p1.png photos/p2.png --free --variations 2 -o x",
            "'light' always makes the same picture",
        ),
        ("edit photos/p1.png photos/p2.png --delete 3 -o x", "by --script alone"),
        ("edit photos --delete 3 -o x", "photos: is no file, but several"),
        ("render photos/p1.png photos/p2.png --steps 2 -o x", "does not take these options"),
        ("render photos/p1.png photos/p2.png --quality 2 -o x", "PNG is lossless"),
    ],
)
def test_what_many_inputs_do_not_go_with_is_told(
    photos: Path, run, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    monkeypatch.chdir(photos)
    done = run(*line.split())
    assert (done.code, message in done.err) == (2, True), done.err
    assert not (photos / "x").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_ends_plainly(photos: Path, undisturbed: Path) -> None:
    for copy in range(12):  # enough that some are left when the first are seen to be done
        shutil.copytree(photos / "photos", photos / "crowd" / str(copy))
    line = command("crowd", "--recursive", "-o", "stopped", "--workers", "2")
    process = subprocess.Popen(
        line,
        cwd=photos,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        # Where a shell started the tests in the background, it has them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    manifest = photos / "stopped" / "manifest.jsonl"
    while not (manifest.is_file() and manifest.read_bytes().count(b"\n")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped, the same command goes on" in told
    assert "Traceback" not in told
    assert eie(photos, "crowd", "--recursive", "-o", "stopped").returncode == 0
    for copy in range(12):
        assert content(photos / "stopped" / str(copy)) == content(undisturbed)


def test_workers_stay_free_of_torch(photos: Path) -> None:
    job = """
import sys
from pathlib import Path
from eie.batch import RunRecipe, parse_recipe, plan
from eie.batch.run import Task, _begin

edit = '[{"operation": "delete", "selection": "1"}]'
recipe = parse_recipe('{"format": "eie-recipe", "version": 1, "edit": %s}' % edit)
[item] = plan(RunRecipe(recipe), ["photos/p1.png"], Path("torch"))
_begin(RunRecipe(recipe), Path("torch"))(Task(item, None))
print("torch" in sys.modules, Path("torch/p1.png").is_file())
"""
    done = subprocess.run(
        [sys.executable, "-c", job], cwd=photos, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False True\n"
