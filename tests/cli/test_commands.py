"""What each command does beyond the library function it calls."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eie
from eie.cli.reference import page

ROOT = Path(__file__).parents[2]


def test_version_and_bare_command(run):
    assert run("--version").text == f"eie {eie.__version__}\n"
    bare = run()
    assert bare.code == 0
    assert bare.out == run("--help").out
    for command in ("decompose", "edit", "render", "show", "info", "validate"):
        assert f"\n  {command} " in bare.text


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "eie", "--version"], capture_output=True, check=True, text=True
    )
    assert done.stdout == f"eie {eie.__version__}\n"


def test_command_page_is_current():
    assert (ROOT / "COMMANDS.md").read_text("utf-8") == page(), "run `make help-pages`"


def test_light_commands_import_nothing_heavy(file):
    """Every stage but decompose and render answers without torch and the picture libraries."""
    program = """
import sys
from eie.cli.reference import page
from eie.cli import main
for line in (["--help"], ["edit", FILE, "--move", "object@320,200", "-4,0"],
             ["edit", FILE, "--undo"], ["info", FILE], ["validate", FILE]):
    try:
        main(line)
    except SystemExit as stop:
        assert not stop.code, line
    heavy = {"torch", "scipy", "skimage", "cv2", "diffusers", "segment_anything"} & set(sys.modules)
    assert not heavy, (line, heavy)
""".replace("FILE", repr(str(file)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_words_are_taken_without_what_converts_numbers(file, tmp_path):
    program = """
import sys
from eie.cli import main
for line in (["edit", FILE, "--move", "3", "-4,0", "-o", OUT], ["info", OUT],
             ["decompose", PHOTO, "--segmenter", "slic", "-o", OUT],
             ["render", FILE, "-o", OUT + ".png"]):
    try:
        main(line)
    except SystemExit as stop:
        assert not stop.code, line
    unused = {"pydantic", "eie.batch.run", "eie.batch.recipe"} & set(sys.modules)
    assert not unused, (line, unused)
try:
    main(["decompose", PHOTO, "--segmenter", "slic", "--elements", "7", "-o", OUT])
except SystemExit as stop:
    assert not stop.code
assert "pydantic" in sys.modules
""".replace("FILE", repr(str(file)))
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(photo)
    program = program.replace("OUT", repr(str(tmp_path / "out.h5")))
    program = program.replace("PHOTO", repr(str(photo)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_import_of_the_package_is_light():
    program = (
        "import sys, eie; "
        "heavy = {'torch', 'numpy', 'h5py', 'scipy', 'skimage', 'cv2', 'PIL', 'typer'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_stages_are_functions_whatever_was_imported_before():
    program = (
        "import eie.editing.selection, eie.preview.overlay, eie.decomposition.point_grid, eie; "
        "print(*(callable(getattr(eie, name)) for name in eie.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert set(done.stdout.split()) == {"True"}, done.stderr


def test_help_of_the_package_reads_well():
    import pydoc

    page = pydoc.plain(pydoc.render_doc(eie))
    for name in eie.__all__:
        assert name in page
    assert "photo ⇒ ElementSet" in page


def test_decompose_without_pixels(run, photo, tmp_path):
    arguments = ("--segmenter", "slic", "--elements", "30", "-o", tmp_path / "a.h5")
    result = run("decompose", photo, "--no-pixels", *arguments)
    elements = eie.load(tmp_path / "a.h5")
    assert elements.sources[0].pixels is None
    assert result.err == f"{photo}: {len(elements)} elements\n"
    assert run("render", tmp_path / "a.h5").code == 2


@pytest.mark.parametrize(
    ("name", "format"),
    [("out.png", "PNG"), ("out.JPG", "JPEG"), ("out.webp", "WEBP"), ("out.tif", "TIFF")],
)
def test_render_writes_the_format_of_the_extension(run, file, tmp_path, name, format):
    result = run("render", file, "-o", tmp_path / name)
    assert result.code == 0, result.err
    assert result.err == "0 of 273280 pixels changed (0.0%)\n"
    with Image.open(tmp_path / name) as picture:
        assert picture.format == format
        assert picture.size == (640, 427)


def test_render_format_beats_the_extension(run, file, tmp_path):
    run("render", file, "--format", "jpeg", "--quality", "40", "-o", tmp_path / "out.png")
    run("render", file, "--format", "jpeg", "--quality", "90", "-o", tmp_path / "out2.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.format == "JPEG"
    assert (tmp_path / "out.png").stat().st_size < (tmp_path / "out2.png").stat().st_size


def test_render_metadata(run, file):
    kept = Image.open(io.BytesIO(run("render", file).out))
    assert kept.info["Software"] == f"eie {eie.__version__}"
    plain = Image.open(io.BytesIO(run("render", file, "--no-metadata").out))
    assert "Software" not in plain.info
    assert np.array_equal(np.asarray(kept), np.asarray(plain))


def test_render_is_the_library_function(run, file):
    run("edit", file, "--move", "@320,200", "-60,3")
    picture = Image.open(io.BytesIO(run("render", file, "--decoder", "classical").out))
    expected = eie.render(eie.load(file), decoder="classical")
    assert np.array_equal(np.asarray(picture), expected.photo.pixels)


def test_show(run, file, tmp_path):
    run("edit", file, "--group", "top", "1-5", "--delete", "7")
    sizes = {}
    for options in (
        (),
        ("--no-ids",),
        ("--groups",),
        ("--before-after",),
        ("--only", "3"),
        ("--no-ruler",),
        ("--scale", "1.5"),
    ):
        result = run("show", file, *options, "-o", tmp_path / "overlay.png")
        assert (result.code, result.err) == (0, "")
        sizes[options] = (tmp_path / "overlay.png").read_bytes()
    assert len(set(sizes.values())) == len(sizes)


def test_show_cuts_out(run, file, tmp_path):
    alpha = {}
    for edge in ("soft", "hard"):
        given = () if edge == "soft" else ("--edge", edge)
        result = run("show", file, "--cutout", "@300,200", *given, "-o", tmp_path / "cut.png")
        assert (result.code, result.err) == (0, "")
        with Image.open(tmp_path / "cut.png") as picture:
            assert picture.mode == "RGBA"
            alpha[edge] = np.asarray(picture)[..., 3]
    elements = eie.load(file)
    source = elements.sources[0]
    assert np.array_equal(alpha["hard"] > 0, source.label_map == source.label_map[200, 300])
    assert set(np.unique(alpha["hard"])) == {0, 255}
    assert len(np.unique(alpha["soft"])) > 20
    assert (alpha["soft"] == 255)[alpha["hard"] == 255].mean() > 0.5
    refused = run("show", file, "--edge", "hard")
    assert refused.code == 2 and "leave out --edge" in refused.err
    assert run("show", file, "--cutout", "@300,200", terminal=True).code == 0
    for options, words in (
        (("--no-ids",), "leave out --ids"),
        (("--before-after",), "leave out --before-after"),
        (("-o", tmp_path / "cut.jpg"), "JPEG holds no transparency"),
    ):
        refused = run("show", file, "--cutout", "@300,200", "-o", tmp_path / "x.png", *options)
        assert refused.code == 2
        assert words in refused.err


def test_show_previews_on_a_terminal(run, file):
    result = run("show", file, terminal=True)
    assert result.code == 0
    assert "▀" in result.text


def test_info(run, file):
    run("edit", file, "--group", "top", "1-5", "--move", "3", "-4,0", "--delete", "7")
    page = run("info", file).text
    for words in (
        "640 × 427 px",
        "RGB",
        "segmenter slic",
        "top",
        "move 3 -4,0",
        "1 deleted",
    ):
        assert words in page
    facts = json.loads(run("info", file, "--json").out)
    assert facts["canvas"] == {"height": 427, "width": 640}
    assert facts["history"][1] == {"operation": "move", "selection": "3", "shift": "-4,0"}


def test_info_lists_elements(run, file):
    run("edit", file, "--move", "3", "-4,0", "--delete", "7", "--scale", "9", "2")
    rows = json.loads(run("info", file, "--elements", "--json").out)
    elements = eie.load(file)
    assert [row["id"] for row in rows] == elements.table.id.tolist()
    assert [row["box"] for row in rows] == elements.table.box.tolist()
    lines = run("info", file, "--elements").text.splitlines()
    states = {int(line.split()[0]): line.split()[-1] for line in lines[1:]}
    assert (states[3], states[7], states[9]) == ("moved", "deleted", "resized")


def test_info_selects(run, file):
    assert run("info", file, "--select", "3,5-7").text == "3,5,6,7\n"
    assert json.loads(run("info", file, "--select", "@320,200", "--json").out)


def test_many_are_validated_in_their_order(run, tmp_path, element_bytes, monkeypatch):
    (tmp_path / "more").mkdir()
    for name in ("a.h5", "c.h5", "more/d.h5"):
        (tmp_path / name).write_bytes(element_bytes)
    (tmp_path / "b.h5").write_bytes(element_bytes[:-100])
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    result = run("validate", ".")
    lines = [line for line in result.text.splitlines() if not line.startswith(" ")]
    assert (result.code, lines) == (3, ["a.h5: valid", "b.h5: not valid", "c.h5: valid"])
    deep = run("validate", ".", "-r", "--workers", "2")
    assert deep.text == f"{result.text}more/d.h5: valid\n"
    store = f"file://{tmp_path.as_posix()}"
    assert run("validate", f"{store}/more/*.h5").text == f"{tmp_path / 'more' / 'd.h5'}: valid\n"
    assert run("validate", f"local://{tmp_path.as_posix()}/a.h5", "c.h5").code == 0
    assert (run("validate", "more", "nothing").code, run("validate", "*.hdf5").code) == (3, 3)
    both = run("validate", "a.h5", "-", stdin=element_bytes)
    assert both.text == "a.h5: valid\nstandard input: valid\n"


def test_validate(run, file, tmp_path, element_bytes):
    assert run("validate", file).text == f"{file}: valid\n"
    assert run("validate", stdin=element_bytes).text == "standard input: valid\n"
    bad = tmp_path / "bad.h5"
    bad.write_bytes(element_bytes[:-1000])
    result = run("validate", file, bad)
    assert result.code == 3
    assert f"{file}: valid\n{bad}: not valid\n  error: " in result.text
    assert result.err == ""
    assert run("validate", tmp_path / "missing.h5").code == 3
