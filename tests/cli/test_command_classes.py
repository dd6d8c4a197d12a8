"""Options that commands no longer have."""

from __future__ import annotations

import pytest

from eie.cli.command_classes import RETIRED, without_retired
from eie.errors import UsageError

OLD = {"--seam": "--dilation serves", "--rim": "nothing serves"}


def test_retired_options_and_their_values_are_passed_over(capsys):
    words = ["--seam", "0", "p.h5", "--rim=-3", "-o", "o.png", "--", "--seam"]
    assert without_retired(words, OLD) == ["p.h5", "-o", "o.png", "--", "--seam"]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "--seam is no longer used: --dilation serves",
        "--rim is no longer used: nothing serves",
    ]


def test_a_retired_option_still_wants_its_value():
    with pytest.raises(UsageError, match="--seam"):
        without_retired(["p.h5", "--seam"], OLD)


def test_old_command_lines_give_the_same_picture_and_help_is_silent(run, file, tmp_path):
    words = ("render", file, "--decoder", "classical", "-o")
    plain = run(*words, tmp_path / "a.png", "--seed", "0")
    old = run(*words, tmp_path / "b.png", "--seam", "0", "--rim", "0", "--descent=0", "--seed", "0")
    assert plain.code == old.code == 0
    assert old.err.count("is no longer used: ") == 3 and old.out == b""
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for command, options in RETIRED.items():
        page = run(*(["train"] if command == "decoder" else []), command, "--help").text
        assert not any(f"{option} " in page for option in options)
