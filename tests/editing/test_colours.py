"""Sources of other profiles among a photo's pixels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eie
from eie.editing import Paste, edit, read_script, script_of, undo
from eie.elements import ElementSet
from eie.files import Photo
from eie.files.colours import matrix_profile
from eie.notes import Note

P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
WIDE = matrix_profile(P3, (2.2,), "Wide")
COLOUR = (200, 80, 40)


def made(pixels: np.ndarray, icc: bytes | None) -> ElementSet:
    return eie.decompose(Photo(pixels, icc), segmenter="slic", elements=4)


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    eie.save(made(np.full((24, 24, 3), COLOUR, np.uint8), WIDE), tmp_path / "guest.h5")
    return tmp_path / "guest.h5"


@pytest.fixture
def host() -> ElementSet:
    return made(np.full((48, 48, 3), 90, np.uint8), None)


def test_pasted_colours_are_converted_with_a_note(host: ElementSet, guest: Path) -> None:
    with pytest.warns(Note, match=r"guest\.h5: its colours are converted from Wide to sRGB"):
        pasted = edit(host, [Paste(str(guest), "all", "24,24")])
    colour = np.asarray(pasted.sources[1].pixels)[5, 5].astype(int)
    # Linear (.586, .078, .017) by Display P3's primaries is (.700, .057, .001) by sRGB's.
    assert np.abs(colour - (218, 67, 3)).max() <= 1
    assert pasted.sources[1].icc is None
    assert undo(pasted).table.equals(host.table) and len(undo(pasted).sources) == 1
    with pytest.warns(Note):
        twice = edit(pasted, [Paste(str(guest), "0", "9,9")])
    assert len(twice.sources) == 2


def test_colours_come_back_as_they_were(host: ElementSet, guest: Path, tmp_path: Path) -> None:
    eie.save(host, tmp_path / "host.h5")
    with pytest.warns(Note, match="from sRGB to Wide"):
        pasted = edit(eie.load(guest), [Paste(str(tmp_path / "host.h5"), "all", "12,12")])
    assert pasted.sources[1].icc == WIDE
    assert np.abs(np.asarray(pasted.sources[1].pixels).astype(int) - 90).max() <= 6


def test_the_same_profile_is_left_alone(guest: Path, recwarn: pytest.WarningsRecorder) -> None:
    wide = made(np.full((48, 48, 3), 90, np.uint8), WIDE)
    pasted = edit(wide, [Paste(str(guest), "all", "24,24")])
    assert np.array_equal(np.asarray(pasted.sources[1].pixels)[5, 5], COLOUR)
    assert not [warning for warning in recwarn if warning.category is Note]


def test_a_grey_photo_gets_grey_guests_from_srgb(guest: Path) -> None:
    grey = made(np.full((48, 48, 1), 90, np.uint8), None)
    with pytest.warns(Note, match="to sRGB"):
        pasted = edit(grey, [Paste(str(guest), "all", "24,24")])
    assert pasted.sources[1].icc is None


@pytest.mark.parametrize(
    ("icc", "pixels", "message"), [(b"x" * 200, True, "damaged"), (WIDE, False, "no pixels")]
)
def test_what_cannot_be_converted_is_told(
    host: ElementSet, tmp_path: Path, icc: bytes, pixels: bool, message: str
) -> None:
    odd = made(np.full((24, 24, 3), COLOUR, np.uint8), icc)
    if not pixels:
        odd = replace(odd, sources=(replace(odd.sources[0], pixels=None),))
    eie.save(odd, tmp_path / "odd.h5")
    with pytest.warns(Note, match=message):
        edit(host, [Paste(str(tmp_path / "odd.h5"), "all", "24,24")])


def test_the_intent_is_recorded_and_may_be_left_out(host: ElementSet, guest: Path) -> None:
    with pytest.warns(Note, match="perceptual"):
        pasted = edit(host, [Paste(str(guest), "all", "24,24")], intent="perceptual")
    script = script_of(pasted)
    assert script["operations"][0]["intent"] == "perceptual"
    plain = Paste(str(guest), "all", "24,24")
    assert "intent" not in plain.as_json()
    for operation in (plain, Paste(str(guest), "all", "24,24", "perceptual")):
        entry = {"format": "eie-edits", "version": 1, "operations": [operation.as_json()]}
        assert read_script(json.dumps(entry)) == [operation]
    with pytest.raises(eie.EieError, match="relative or perceptual"):
        Paste(str(guest), "all", "24,24", "vivid")
