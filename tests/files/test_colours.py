"""Profiles told in other ways, and pixels from one profile to another."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from eie.errors import BadInputError
from eie.files.colours import (
    SRGB,
    conversion,
    matrix_profile,
    profile_name,
    profile_problem,
    visible_colours,
)
from tests.odd_pictures import scene

P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
WIDE = matrix_profile(P3, (2.2,), "Wide")
SRGB_ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lab(colour: np.ndarray, profile: bytes | None) -> np.ndarray:
    space = ImageCms.createProfile("sRGB")
    if profile is not None:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    way = ImageCms.buildTransform(
        space, ImageCms.createProfile("LAB"), "RGB", "LAB", renderingIntent=1
    )
    picture = Image.fromarray(np.asarray(colour, np.uint8).reshape(1, 1, 3))
    value = np.asarray(ImageCms.applyTransform(picture, way))[0, 0]
    return np.array([value[0] / 2.55, *value[1:].view(np.int8)], float)


@pytest.mark.parametrize("colour", [(200, 80, 40), (90, 90, 90), (90, 120, 80)])
def test_a_converted_colour_looks_the_same(colour: tuple[int, int, int]) -> None:
    convert = conversion(WIDE, None)
    assert convert is not None
    made = convert(np.array([[colour]], np.uint8))
    assert np.linalg.norm(lab(made, None) - lab(np.array(colour), WIDE)) < 3


def test_alpha_stays_and_bands_join() -> None:
    convert = conversion(WIDE, None)
    assert convert is not None
    alpha = np.random.default_rng(0).integers(0, 256, (50, 40, 1), dtype=np.uint8)
    made = convert(np.dstack([scene(40, 50), alpha]))
    assert np.array_equal(made[..., 3:], alpha)
    assert np.array_equal(made[..., :3], convert(scene(40, 50)))


@pytest.mark.parametrize(
    ("source", "target"),
    [(None, None), (WIDE, WIDE), (SRGB_ICC, None), (None, SRGB_ICC),
     (matrix_profile(SRGB, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), "s"), None)],
    ids=["none", "same", "sRGB", "to sRGB", "sRGB's curve"],  # a profile tells when it was made
)  # fmt: skip
def test_profiles_of_the_same_colours_are_left_alone(
    source: bytes | None, target: bytes | None
) -> None:
    assert conversion(source, target) is None


def test_intents_differ_where_a_colour_is_beyond() -> None:
    with pytest.raises(KeyError):
        conversion(WIDE, None, "other")  # type: ignore[arg-type]
    for intent in ("relative", "perceptual"):
        convert = conversion(WIDE, None, intent)  # type: ignore[arg-type]
        assert convert is not None and convert(scene(9, 9)).shape == (9, 9, 3)


def test_damaged_profiles_are_named() -> None:
    with pytest.raises(BadInputError, match="damaged"):
        conversion(b"x" * 200, None)
    assert profile_name(WIDE) == "Wide" and profile_name(None) == "sRGB"
    assert profile_name(b"x" * 200) == "a damaged profile"
    assert profile_problem(WIDE, 3) is None and profile_problem(WIDE, 1) is None
    assert "damaged" in (profile_problem(b"x" * 200, 3) or "")


def test_impossible_primaries_are_refused() -> None:
    for places in ((0.0,) * 8, (0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3), (float("nan"),) * 8):
        with pytest.raises((ValueError, np.linalg.LinAlgError)):
            matrix_profile(places, (2.2,), "none")


def test_what_is_visible_does_not_tell_what_is_hidden() -> None:
    alpha = np.where(np.arange(40) < 25, 255, 0) * np.ones((30, 1))
    alpha[5:9, 3:8] = 7
    colours = scene(40, 30)
    random = np.random.default_rng(0).integers(0, 256, colours.shape, dtype=np.uint8)
    seen = []
    for hidden in (np.zeros_like(colours), random):
        under = np.where(alpha[..., None] > 0, colours, hidden)
        pixels = np.dstack([under, alpha]).astype(np.uint8)
        shown = visible_colours(pixels)
        visible = pixels[..., 3] > 0
        assert np.array_equal(shown[visible], pixels[visible])
        assert np.array_equal(shown[..., 3], pixels[..., 3])
        seen.append(shown)
    assert np.array_equal(*seen)
    # Beside the edge lies the edge's own colour.
    assert np.array_equal(seen[0][20, 25:40, :3], np.repeat(colours[20, 24:25], 15, axis=0))


def test_nothing_hidden_is_the_same_picture() -> None:
    opaque = np.dstack([scene(9, 9), np.full((9, 9), 255, np.uint8)])
    assert visible_colours(opaque) is opaque
    assert visible_colours(scene(9, 9)).shape == (9, 9, 3)
    assert not visible_colours(np.full((4, 4, 4), 9, np.uint8) * np.uint8([1, 1, 1, 0])).any()
