from __future__ import annotations

import json
import os
import re
import signal
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import eie
from eie.cli import main
from eie.cli.edit import USAGE, Step, split_steps
from eie.editing import forget_undone, select
from eie.errors import UsageError
from eie.files import atomic


def history(file) -> list[dict]:
    return [dict(edit.operation) for edit in eie.load(file).history]


def test_steps_keep_the_order_typed():
    line = "f.h5 --move 1 -4,0 --delete 2 -o g.h5 --move 3 5,-5 --undo --tolerance 0.3 --undo"
    steps, others = split_steps(line.split())
    assert steps == [
        Step("move", ("1", "-4,0")),
        Step("delete", ("2",)),
        Step("move", ("3", "5,-5")),
        Step("undo", ()),
        Step("undo", ()),
    ]
    assert others == ["f.h5", "-o", "g.h5", "--tolerance", "0.3"]


@given(
    st.lists(
        st.sampled_from(sorted(USAGE)).flatmap(
            lambda name: st.tuples(
                st.just(name),
                st.tuples(*(st.text("0123456789,-+@%.x", min_size=1) for _ in USAGE[name][0])),
            )
        )
    )
)
def test_any_steps_come_back_as_typed(typed):
    words = [word for name, arguments in typed for word in (f"--{name}", *arguments)]
    steps, others = split_steps(["f.h5", *words, "-o", "g.h5"])
    assert steps == [Step(name, arguments) for name, arguments in typed]
    assert others == ["f.h5", "-o", "g.h5"]


def test_equals_sign_and_double_dash():
    assert split_steps(["--delete=3", "--move=1", "4,4"])[0] == [
        Step("delete", ("3",)),
        Step("move", ("1", "4,4")),
    ]
    assert split_steps(["--", "--delete", "3"]) == ([], ["--", "--delete", "3"])


@pytest.mark.parametrize("words", [["--move", "12"], ["--delete"], ["--look=2"], ["--swap=1"]])
def test_too_few_arguments(words):
    with pytest.raises(UsageError, match=f"usage: {words[0].partition('=')[0]}"):
        split_steps(words)


def test_file_changes_in_place(run, file):
    result = run("edit", file, "--move", "1", "-4,0", "--delete", "2")
    assert (result.code, result.out) == (0, b"")
    assert [entry["operation"] for entry in history(file)] == ["move", "delete"]
    moved = eie.load(file)
    assert np.array_equal((moved.table.box - moved.home_box)[1], [-4, 0, 0, 0])


def test_other_output_leaves_the_input(run, file, tmp_path, element_bytes):
    run("edit", file, "--delete", "2", "-o", tmp_path / "other.h5")
    assert file.read_bytes() == element_bytes
    assert history(tmp_path / "other.h5") == [{"operation": "delete", "selection": "2"}]


def test_undo_and_reset(run, file, element_bytes):
    run("edit", file, "--delete", "2", "--move", "3", "1,1", "--undo", "--delete", "4")
    assert [entry["selection"] for entry in history(file)] == ["2", "4"]
    run("edit", file, "--reset")
    assert eie.load(file).untouched.all()
    run("edit", file, "--undo", "--undo", "--undo")
    loaded = eie.load(file)
    assert len(loaded.undone) == 3
    assert eie.dump(forget_undone(loaded)) == element_bytes


def test_script_of_one_file_plays_on_another(run, file, tmp_path, element_bytes):
    run(
        "edit",
        file,
        "--move",
        "@320,200",
        "-40,0",
        "--group",
        "top",
        "1-5",
        "--delete",
        "group:top",
    )
    script = tmp_path / "edits.json"
    script.write_bytes(run("info", file, "--script").out)
    replayed = run("edit", "--script", script, stdin=element_bytes)
    assert replayed.out == file.read_bytes()


def test_tolerance_reaches_the_operation(run, file):
    run("edit", file, "--tolerance", "0.2", "--move", "object@320,200", "5,0")
    assert history(file)[0]["selection"] == "object@320,200~0.2"
    result = run("edit", file, "--tolerance", "1.5", "--delete", "object@320,200")
    assert result.code == 2


@pytest.mark.parametrize(
    "steps",
    [
        ["--move", "999", "1,1"],
        ["--delete", "2", "--delete", "2-1"],
        ["--delete", "group:nobody"],
        ["--move", "1", "1;1"],
        ["--scale", "1", "nan"],
        ["--scale", "1", "0"],
        ["--flip", "1", "x"],
        ["--undo"],
        ["--move", "1", "1,1", "--no-such-option"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_changes_nothing(run, file, element_bytes, steps):
    result = run("edit", file, *steps)
    assert result.code == 2
    assert result.err.startswith("eie: ")
    assert len(result.err.splitlines()) == 1
    assert file.read_bytes() == element_bytes


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", 3), (b"no json", 3), (json.dumps({"format": "other"}).encode(), 3), (None, 3)],
    ids=["empty", "text", "foreign", "missing"],
)
def test_bad_script(run, file, tmp_path, element_bytes, content, code):
    script = tmp_path / "edits.json"
    if content is not None:
        script.write_bytes(content)
    result = run("edit", file, "--script", script)
    assert result.code == code
    assert str(script) in result.err
    assert len(result.err.splitlines()) == 1
    assert file.read_bytes() == element_bytes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks to be killed")
def test_killed_at_any_line_the_file_is_old_or_new(file, element_bytes):
    """A forked edit kills itself at its n-th step through the atomic writer, n = 1, 2, 3 …"""
    killed, contents = 0, set()
    while True:
        file.write_bytes(element_bytes)
        child = os.fork()
        if child == 0:
            _edit_and_die(file, at=killed + 1)
        _, status = os.waitpid(child, 0)
        contents.add(file.read_bytes())
        for debris in file.parent.glob(".eie-*"):
            debris.unlink()
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            break
        killed += 1
    assert killed > 20
    edited = file.read_bytes()
    assert contents == {element_bytes, edited}
    assert history(file) == [{"operation": "delete", "selection": "1"}]


def _edit_and_die(file, at: int) -> None:
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if frame.f_code.co_filename != atomic.__file__:
            return None
        lines += event == "line"
        if lines == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    try:
        sys.settrace(trace)
        main(["edit", str(file), "--delete", "1"])
    except SystemExit as stop:
        os._exit(int(stop.code or 0))
    finally:
        os._exit(99)


def test_a_mask_takes_just_what_is_white(run, photo, tmp_path):

    with Image.open(photo) as picture:
        width, height = picture.size
    white = np.zeros((height, width), np.uint8)
    white[101:300, 207:333] = 255
    mask = tmp_path / "mask.png"
    Image.fromarray(white).save(mask)
    made = run("decompose", photo, "--segmenter", "slic", "--elements", "64")
    encoded = run("encode", stdin=made.out)
    edited = run("edit", "--move", f"mask:{mask}", "20,10", stdin=encoded.out)
    assert edited.code == 0 and edited.err.startswith("moved ")
    elements = eie.load(edited.out)
    away = elements.table.patch[~elements.untouched]
    np.testing.assert_array_equal(np.isin(elements.sources[0].label_map, away), white > 0)
    for options in ([], ["--free"]):  # parts are encoded when they are needed
        assert run("render", *options, stdin=edited.out).code == 0
    assert run("edit", "--move", f"mask:{tmp_path / 'none.png'}", "1,1", stdin=made.out).code == 3


def test_stderr_tells_what_each_step_took(run, file, element_bytes):
    count = len(eie.load(file))
    result = run("edit", file, "--move", "3", "4,4", "--delete", "all - 3", "--undo")
    assert result.code == 0 and result.out == b""
    moved, *_, deleted = result.err.splitlines()
    assert re.fullmatch(r"moved 1 element, \d+×\d+ px around \d+,\d+; (\d+|under 1) % of .*", moved)
    assert deleted.startswith(f"deleted {count - 1} elements, ")
    assert deleted.endswith(" % of the picture")
    failed = run("edit", file, "--move", "3", "4,4", "--delete", "9999")
    assert failed.code == 2
    assert len(failed.err.splitlines()) == 1


def test_selections_mean_the_picture_as_the_command_began(run, file, tmp_path):
    white = np.zeros((427, 640), np.uint8)
    white[150:250, 280:360] = 255
    Image.fromarray(white).save(tmp_path / "cup.png")
    mask = f"mask:{tmp_path / 'cup.png'}"
    script = tmp_path / "both.json"
    entries = [
        {"operation": "move", "selection": "mask:cup.png", "shift": "+200,0"},
        {"operation": "scale", "selection": "mask:cup.png", "factor": "1.5"},
    ]
    script.write_text(json.dumps({"format": "eie-edits", "version": 1, "operations": entries}))
    typed, played, looked = (tmp_path / name for name in ("typed.h5", "played.h5", "looked.h5"))
    for words in (
        ("--move", mask, "+200,0", "--scale", mask, "1.5", "-o", typed),
        ("--script", script, "-o", played),
        ("--move", mask, "+200,0", "--look", "--delete", "@480,200", "-o", looked),
    ):
        assert run("edit", file, *words).code == 0
    assert len(history(looked)) == 2 and "look" not in history(looked)[1]
    elements = eie.load(typed)
    taken = np.isin(elements.table.id, select(elements, "group:last"))
    box = elements.table.box[taken]
    left, right = (box[:, 0] - box[:, 2] / 2).min(), (box[:, 0] + box[:, 2] / 2).max()
    assert (left, right) == (520 - 60, 520 + 60)
    assert eie.load(played).table.equals(elements.table)
    assert history(played) == [
        {"operation": "move", "selection": mask, "shift": "+200,0"},
        {"operation": "scale", "selection": mask, "factor": "1.5", "look": "before"},
    ]
    replayed = tmp_path / "replayed.json"
    replayed.write_bytes(run("info", typed, "--script").out)
    run("edit", typed, "--undo", "2", "--script", replayed)
    assert eie.load(typed).table.equals(elements.table)


def test_numbers_of_undo_and_redo(run, file):
    run("edit", file, "--delete", "2", "--move", "3", "1,1", "--delete", "4")
    whole = file.read_bytes()
    assert run("edit", file, "--undo", "2").code == 0
    assert [entry["selection"] for entry in history(file)] == ["2"]
    assert run("edit", file, "--redo=1").code == 0
    assert run("edit", file, "--redo").code == 0
    assert file.read_bytes() == whole
    for words, message in (
        (("--redo",), "cannot redo 1: no edits were undone"),
        (("--undo", "0"), "'0' is no number of edits"),
        (("--undo", "4"), "cannot undo 4: 3 edits"),
    ):
        result = run("edit", file, *words)
        assert result.code == 2 and message in result.err


def test_names_for_what_was_taken_and_made(run, file, tmp_path):
    words = ("--copy", "3,5", "9,0", "--as", "twin", "--flip", "group:twin", "h")
    result = run("edit", file, *words, "--verbose")
    elements = eie.load(file)
    made = tuple(elements.groups["twin"])
    assert len(made) == 2 and elements.table.flip[np.isin(elements.table.id, made)].any()
    assert f": {made[0]}-{made[1]}\n" in result.err
    copy = tmp_path / "again.json"
    copy.write_bytes(run("info", file, "--script").out)
    run("edit", file, "--reset", "--script", copy)
    assert len(eie.load(file).groups["twin"]) == 2
    pasted = run("edit", file, "--paste", f"{file}:group:twin", "90,90", "--as", "guests")
    assert pasted.code == 0
    groups = eie.load(file).groups
    assert groups["guests"] == groups["twin-2"] and len(groups["guests"]) == 2


def test_a_dry_run_writes_nothing(run, file, element_bytes):
    result = run("edit", file, "--delete", "1-3", "--dry-run")
    assert (result.code, result.out) == (0, b"")
    assert re.search(r"^would have deleted 3 elements, .*: 1-3$", result.err, re.MULTILINE)
    assert result.err.endswith("nothing is written\n")
    assert run("edit", "--dry-run", "--delete", "1", stdin=element_bytes).out == b""
    assert file.read_bytes() == element_bytes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--delte", "3"), "there is no --delte (did you mean --delete?)"),
        (("--tolerence", "3"), "did you mean --tolerance?"),
        (("--scale", "3", "1,5"), "write 1.5 for one factor, 1.0,5.0 for two"),
        (("--as", "a b!"), "cannot be a group's name"),
        (("--delete", "1", "more.h5"), "one file at a time: more.h5 is left over"),
    ],
)
def test_slips_are_told(run, file, element_bytes, words, message):
    result = run("edit", file, *words)
    assert result.code == 2 and message in result.err
    assert file.read_bytes() == element_bytes


def test_two_factors_are_two_numbers(run, file):
    assert run("edit", file, "--scale", "3", "1.0,2.0", "--scale", "4", "100%,50%").code == 0


def test_a_photo_is_to_be_decomposed_first(run, photo):
    for command in ("edit", "render", "info"):
        result = run(command, photo, *(("--delete", "1") if command == "edit" else ()))
        assert result.code == 3
        assert f"is a picture, not an element file (eie decompose {photo}" in result.err


def test_turns_are_typed_told_and_seen(run, file, tmp_path, element_bytes):
    result = run("edit", file, "--rotate", "3", "-30.5", "--rotate=4", "20°", "--as", "two")
    assert result.code == 0 and result.out == b""
    told = [line for line in result.err.splitlines() if not line.startswith("warning")]
    assert told[0].startswith("turned 1 element by -30.5°, ")
    assert told[1].startswith("turned 1 element by 20°, ")
    assert history(file)[0] == {"operation": "rotate", "selection": "3", "angle": "-30.5"}
    facts = json.loads(run("info", file, "--json").out)["elements"]
    assert facts["turned"] == 2 and facts["moved or resized"] == 0
    rows = json.loads(run("info", file, "--elements", "--json").out)
    assert [(row["angle"], row["shear"]) for row in rows[2:5]] == [(0, 0), (-30.5, 0), (20, 0)]
    assert "turned by -30.5°" in run("info", file, "--elements").out.decode()
    assert run("validate", file).code == 0
    dry = run("edit", file, "--dry-run", "--rotate", "group:two", "90")
    assert "would have turned 1 element by 90°" in dry.err
    assert "did you mean --rotate?" in run("edit", file, "--rotat", "3", "4").err
    bad = run("edit", file, "--rotate", "3", "30%")
    assert bad.code == 2 and "in degrees" in bad.err and len(bad.err.splitlines()) == 1
    assert run("edit", file, "--rotate", "3", "30.5", "--rotate", "4", "-20").code == 0
    assert run("edit", file, "--undo", "5").code == 0
    assert eie.dump(forget_undone(eie.load(file))) == element_bytes
