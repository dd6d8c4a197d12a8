"""Which pixels around a removed object are made anew, by the embedded weights."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from skimage import data

from eie.render import seam as module
from eie.render.anchored import SEAM as WIDEST
from eie.render.seam import TRUSTED, keep_clean, spoilt

SEAM = 20


def disc(rim: int = 0, blur: float = 0.0) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A blue disc on coffee's table, whose picture reaches `rim` pixels beyond its mask."""
    ground = data.coffee()[240:400, 420:580].astype(np.float32)
    y, x = np.mgrid[:160, :160]
    distance = np.hypot(y - 80, x - 80)
    alpha = (distance <= 30 + rim).astype(np.float32)
    if blur:
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur)
    colour = np.array([70, 110, 200], np.float32)
    pixels = ground * (1 - alpha[..., None]) + colour * alpha[..., None]
    return pixels.round().astype(np.uint8), distance <= 30


def ring(inner: float, outer: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:160, :160]
    distance = np.hypot(y - 80, x - 80)
    return (distance > inner) & (distance <= outer)


def test_clean_surroundings_are_kept() -> None:
    pixels, gone = disc()
    plane = spoilt(pixels, gone, SEAM)
    assert (plane[gone] == 255).all()
    assert (plane[ring(31.5, 36)] > 0).mean() < 0.1


@pytest.mark.parametrize("rim", [2, 3, 4])
def test_a_rim_of_the_object_is_made_anew(rim: int) -> None:
    pixels, gone = disc(rim)
    plane = spoilt(pixels, gone, SEAM)
    assert (plane[ring(30, 30 + rim)] >= 128).mean() > 0.9


def test_a_generous_mask_is_trusted_more_but_not_blindly() -> None:
    pixels, gone = disc(blur=2.0)
    doubted, trusted = spoilt(pixels, gone, 4), spoilt(pixels, gone, 4, TRUSTED)
    assert (trusted <= doubted).all() and (trusted < doubted).any()
    rimmed, gone = disc(rim=2)
    plane = spoilt(rimmed, gone, 2, TRUSTED)
    assert (plane[ring(30, 31.5)] >= 128).mean() > 0.8


def test_blur_is_made_anew() -> None:
    pixels, gone = disc(blur=1.5)
    assert (spoilt(pixels, gone, SEAM)[ring(30, 31.5)] >= 128).mean() > 0.8


@pytest.mark.parametrize("seam", [0, 5, SEAM])
def test_nothing_beyond_the_seam_is_touched(seam) -> None:
    pixels, gone = disc(rim=30)
    plane = spoilt(pixels, gone, seam)
    assert not plane[~gone & ~ring(30, 30 + seam + 0.5)].any()


def test_what_hangs_together_with_the_object_is_followed() -> None:
    """A handle that was not picked, wider seams taking more of it."""
    pixels, gone = disc()
    pixels[76:84, 80:140] = [70, 110, 200]
    handle = np.zeros_like(gone)
    handle[76:84, 111:135] = True
    taken = [(spoilt(pixels, gone, seam)[handle] >= 128).sum() for seam in (8, WIDEST)]
    assert taken[0] < taken[1]
    assert taken[1] > 0.5 * handle.sum()


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_channels(channels: int) -> None:
    pixels, gone = disc(rim=3)
    grey = pixels.mean(axis=2, keepdims=True).astype(np.uint8)
    alpha = np.full_like(grey, 255)
    planes = {1: [grey], 2: [grey, alpha], 4: [pixels, alpha]}[channels]
    plane = spoilt(np.concatenate(planes, axis=2), gone, SEAM)
    assert plane.dtype == np.uint8 and (plane[gone] == 255).all()
    assert (plane[ring(30, 33)] >= 128).mean() > 0.7


def test_everything_gone_or_nothing() -> None:
    pixels, _ = disc()
    whole = np.ones((160, 160), bool)
    assert (spoilt(pixels, whole, SEAM) == 255).all()
    assert not spoilt(pixels, ~whole, SEAM).any()


def test_tiles_show_no_borders(monkeypatch) -> None:
    pixels, gone = disc(rim=2)
    whole = spoilt(pixels, gone, SEAM)
    monkeypatch.setattr(module, "_TILE", 64)
    tiled = spoilt(pixels, gone, SEAM)
    assert_array_equal(tiled[gone], whole[gone])
    assert (np.abs(tiled.astype(int) - whole) > 32).mean() < 0.002


def test_tiles_show_no_borders_within(monkeypatch) -> None:
    pixels, gone = disc(rim=-3)
    planes = []
    for tile in (160, 64):
        monkeypatch.setattr(module, "_TILE", tile)
        planes.append(all_gone(gone))
        keep_clean(planes[-1], pixels, gone, 3)
    assert (planes[0] < 128).sum() > 100
    assert ((planes[0] < 128) != (planes[1] < 128)).mean() < 0.002


def all_gone(gone: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(gone, np.uint8(255), np.uint8(0))


@pytest.mark.parametrize("rim", [2, 3, 4])
def test_what_a_mask_takes_along_is_kept(rim: int) -> None:
    """The disc ends `rim` pixels within its mask."""
    pixels, gone = disc(rim=-rim, blur=0.6)
    plane = all_gone(gone)
    keep_clean(plane, pixels, gone, rim)
    assert (plane[ring(30 - rim + 1, 30)] < 128).mean() > 0.7
    assert (plane[ring(0, 30 - rim - 1)] == 255).all()
    assert not plane[~gone].any()


def test_in_calm_surroundings_nothing_is_kept() -> None:
    pixels, gone = disc(rim=-3)
    calm = cv2.GaussianBlur(pixels, (0, 0), 12)
    calm[ring(-1, 27)] = pixels[ring(-1, 27)]
    plane = all_gone(gone)
    keep_clean(plane, calm, gone, 3)
    assert_array_equal(plane, all_gone(gone))


def test_no_more_than_the_rim_is_kept() -> None:
    pixels, gone = disc(rim=-8)
    plane = all_gone(gone)
    keep_clean(plane, pixels, gone, 3)
    assert (plane[ring(0, 26)] == 255).all()


def test_an_object_that_fills_its_mask_goes_wholly() -> None:
    pixels, gone = disc()
    plane = all_gone(gone)
    keep_clean(plane, pixels, gone, 4)
    assert (plane[ring(0, 29)] == 255).mean() > 0.99
    assert (plane[gone] >= 128).mean() > 0.97


def test_beside_what_is_made_anew_nothing_is_kept() -> None:
    pixels, gone = disc(rim=-3)
    plane = np.full(gone.shape, 255, np.uint8)
    plane[:5] = 0
    keep_clean(plane, pixels, gone, 4)
    assert (plane[5:] == 255).all()


def test_no_rim_where_everything_is_gone_or_nothing_or_it_has_no_width() -> None:
    pixels, gone = disc(rim=-3)
    whole = np.ones_like(gone)
    for mask, rim in ((whole, 3), (~whole, 3), (gone, 0)):
        plane = all_gone(mask)
        keep_clean(plane, pixels, mask, rim)
        assert_array_equal(plane, all_gone(mask))
