from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from skimage import data

import eie
from eie.editing import Delete, edit
from eie.elements import Canvas, ElementSet, Source
from eie.errors import UsageError
from eie.files.photo import Photo
from eie.files.photo_writing import write_photo
from eie.geometry import corners
from eie.pictures import bounds
from eie.rendering import Rendering
from eie.rendering import render as render_by
from eie.rendering.anchored import DILATION, EDGES, Edge, compose, dilation_of, stage
from eie.rendering.layers import layers_of

from .conftest import CHANNELS, blocks, copied, cutout, make_set, moved, noise, scaled, with_rows


def render(
    elements: ElementSet, dilation: int | None = None, edge: Edge | None = None
) -> Rendering:
    return render_by(elements, decoder="classical", dilation=dilation, edge=edge)


def may_change(elements: ElementSet, dilation: int, edge: Edge = "hard") -> np.ndarray:
    """(H, W) bool: old and new places of all touched elements, and the stated band around them,
    which is scaled with what has soft edges."""
    height, width = elements.canvas
    allowed = np.zeros((height, width), dtype=bool)
    home = elements.sources[0]
    gone = np.setdiff1d(np.arange(home.patches), elements.table.patch[elements.untouched])
    boxes = [home.home_box[gone]]
    for layer in layers_of(elements):
        (xx, xy), (yx, yy) = np.abs(layer.transform.matrix)
        spread = (np.array([xx + xy, yx + yy]) - 1).clip(0)  # of the dilation
        soft = 2 * dilation * spread if edge == "soft" else 0
        boxes.append(elements.table.upright_box[layer.rows] + np.append([0, 0], np.ones(2) * soft))
    for x0, y0, x1, y1 in corners(np.concatenate(boxes)):
        left, right = np.clip([np.floor(x0) - dilation, np.ceil(x1) + dilation], 0, width).astype(
            int
        )
        top, bottom = np.clip([np.floor(y0) - dilation, np.ceil(y1) + dilation], 0, height).astype(
            int
        )
        allowed[top:bottom, left:right] = True
    return allowed


def same_pixels(
    elements: ElementSet,
    where: np.ndarray,
    dilation: int | None = None,
    edge: Edge | None = None,
) -> None:
    source = np.asarray(elements.sources[0].pixels)
    rendering = render(elements, dilation, edge)
    assert rendering.photo.pixels.dtype == np.uint8
    assert rendering.photo.pixels.shape == source.shape
    assert_array_equal(rendering.photo.pixels[where], source[where])
    assert_array_equal(rendering.changed, (rendering.photo.pixels != source).any(axis=2))


SHAPES = st.sampled_from([(40, 100, 2, 5), (64, 64, 4, 4), (17, 90, 1, 6), (50, 50, 1, 1)])
SHIFTS = st.one_of(st.integers(-120, 120), st.floats(-60, 60))
FACTORS = st.floats(0.05, 4)
ANGLES = st.one_of(st.sampled_from([90.0, -90.0, 180.0, 1e-7]), st.floats(-179, 180))


@st.composite
def edited_sets(draw) -> ElementSet:
    height, width, rows, columns = draw(SHAPES)
    pixels = noise(height, width, draw(st.sampled_from(CHANNELS)), draw(st.integers(0, 99)))
    elements = make_set(pixels, blocks(height, width, rows, columns))
    for _ in range(draw(st.integers(0, 5))):
        row = draw(st.integers(0, len(elements) - 1))
        kind = draw(
            st.sampled_from(["move", "scale", "delete", "copy", "flip", "turn", "z", "patch"])
        )
        if kind == "move":
            elements = moved(elements, row, draw(SHIFTS), draw(SHIFTS))
        elif kind == "scale":
            elements = scaled(elements, row, draw(FACTORS), draw(FACTORS))
        elif kind == "delete":
            elements = with_rows(elements, row, visible=False)
        elif kind == "copy":
            elements = copied(elements, row, draw(SHIFTS), draw(SHIFTS))
        elif kind == "flip":
            elements = with_rows(elements, row, flip=draw(st.tuples(st.booleans(), st.booleans())))
        elif kind == "turn":
            lean = draw(st.sampled_from([0.0, 0.0, -0.5, 1.5]))
            elements = with_rows(elements, row, angle=draw(ANGLES), shear=lean)
        elif kind == "z":
            elements = with_rows(elements, row, z=draw(st.integers(-2, 2)))
        else:
            patch = draw(st.integers(0, elements.sources[0].patches - 1))
            elements = with_rows(elements, row, patch=patch)
    return elements


@pytest.mark.parametrize("edge", EDGES)
@settings(max_examples=60, deadline=None)
@given(edited_sets())
def test_only_places_of_touched_elements_and_the_stated_band_change(edge, elements):
    same_pixels(elements, ~may_change(elements, dilation_of(elements), edge), edge=edge)


@settings(max_examples=15, deadline=None)
@given(edited_sets())
def test_undone_sets_give_the_source_and_twice_is_the_same(elements):
    home = make_set(elements.sources[0].pixels, elements.sources[0].label_map)
    same_pixels(home, np.ones(home.canvas, dtype=bool))
    assert render(home).changed_pixels == 0
    assert_array_equal(render(elements).photo.pixels, render(elements).photo.pixels)


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_moved_element_leaves_a_hole_and_the_ground_fills_it(channels):
    pixels = np.full((60, 90, channels), 120, dtype=np.uint8)
    pixels[20:40, 30:45, 0] = 250
    if channels in (2, 4):
        pixels[..., -1] = 255
    label_map = np.zeros((60, 90), dtype=int)
    label_map[20:40, 30:45] = 1
    elements = moved(make_set(pixels, label_map), 1, 30, 10)
    rendered = render(elements).photo.pixels
    assert abs(rendered[20:40, 30:45, 0].astype(int) - 120).max() <= 1
    assert_array_equal(rendered[34:46, 64:71], pixels[24:36, 34:41])


@pytest.mark.parametrize(("colour", "ground"), [(255, 0), (0, 255), (255, 128)])
def test_a_moved_disc_leaves_no_ghost_and_takes_no_fringe_along(disc, colour, ground):
    elements = disc(colour, ground)
    rendered = render(moved(elements, 1, 40, 0)).photo.pixels[..., 0].astype(int)
    y, x = np.mgrid[:128, :128] + 0.5
    old = (np.hypot(y - 64, x - 64) < 30) & (np.hypot(y - 64, x - 104) > 24)
    assert abs(rendered[old] - ground).max() <= 2  # no outline where it was
    ring = np.hypot(y - 64, x - 104)
    assert abs(rendered[ring < 16] - colour).max() == 0
    # from inside out it goes from its own colour to the ground's, never beyond either
    assert rendered.min() >= min(colour, ground) and rendered.max() <= max(colour, ground)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_a_disc_pasted_on_its_own_colour_shows_no_dark_ring(disc, factor):
    """The rim of a white disc holds black of its old ground, which must stay behind."""
    white_on_black = disc(255, 0)
    white = make_set(np.full((128, 128, 1), 255, np.uint8), np.zeros((128, 128), int))
    source = white_on_black.sources[0]
    elements = replace(white, sources=(*white.sources, source))
    box = source.home_box[1] * np.array([1, 1, factor, factor]) + np.array([5.0, 3, 0, 0])
    elements = with_rows(copied(elements, 0, 0, 0), 1, source=1, patch=1, box=box)
    assert render(elements).photo.pixels.min() >= 250


def test_hole_is_what_is_gone_and_not_covered():
    elements = make_set(noise(60, 90, 3), blocks(60, 90, 1, 3))
    assert not stage(copied(elements, 0, 30, 0)).hole.any()
    assert not stage(with_rows(elements, 1, z=5)).hole.any()
    deleted = stage(with_rows(elements, 1, visible=False))
    assert deleted.dilation == dilation_of(deleted.elements) == 2
    assert deleted.hole[:, 28:62].all() and deleted.hole.sum() == 60 * 34
    covered = stage(moved(elements, 1, 4, 0), edge="hard")
    assert_array_equal(covered.gone, deleted.gone)  # what lies under a layer is gone as well
    assert not covered.hole[:, 40:60].any()
    assert covered.hole[:, 30:34].all()


def test_a_layer_over_the_hole_is_painted_over_the_fill():
    pixels = noise(60, 90, 3)
    scene = stage(moved(make_set(pixels, blocks(60, 90, 1, 3)), 1, 10, 0))
    picture = compose(scene, np.full_like(pixels, 7))
    assert_array_equal(picture[:, 44:66], pixels[:, 34:56])
    assert (picture[:, 34:36] == 7).all()
    assert (picture[:, 40] != 7).mean() > 0.9  # the layer's soft edge, mixed with the fill


def test_one_element_can_shrink_and_everything_can_go():
    pixels = noise(50, 70, 4)
    pixels[..., 3] = 255
    one = make_set(pixels, np.zeros((50, 70), dtype=int))
    assert render(scaled(one, 0, 0.5, 0.5)).changed_pixels > 0
    gone = render(with_rows(one, 0, visible=False)).photo.pixels
    assert_array_equal(gone, np.broadcast_to(gone[0, 0], gone.shape))
    for size in [(1, 1), (1, 9), (2, 1)]:
        tiny = make_set(noise(*size, 3), np.zeros(size, dtype=int))
        assert render(with_rows(tiny, 0, visible=False)).photo.pixels.shape == (*size, 3)
        assert render(moved(tiny, 0, 1, 0)).photo.pixels.shape == (*size, 3)


def test_what_was_transparent_stays_so():
    elements = cutout()
    pixels = elements.sources[0].pixels
    rendered = render(moved(elements, 1, 25, 0)).photo.pixels
    assert not rendered[30:50, 28:52, 3].any()
    assert_array_equal(rendered[34:46, 59:71], pixels[34:46, 34:46])


def test_pixels_are_needed_of_shown_sources_only():
    photo = make_set(noise(40, 40, 3), blocks(40, 40, 2, 2))
    bare = Source.from_label_map(blocks(20, 20, 1, 1))
    elements = replace(photo, sources=(*photo.sources, bare))
    assert render(elements).changed_pixels == 0
    pasted = with_rows(copied(elements, 0, 0, 0), 4, source=1, box=(20, 20, 20, 20))
    with pytest.raises(UsageError, match="source 1 has no pixels"):
        render(pasted)
    with pytest.raises(UsageError, match="--no-pixels"):
        render(make_set(None, blocks(40, 40, 2, 2)))


def test_bounds():
    mask = np.zeros((9, 9), dtype=bool)
    assert bounds(mask) is None
    mask[2, 3] = mask[5, 4] = True
    assert bounds(mask) == (2, 3, 6, 5)


LARGE = """
import numpy as np
from benchmarks import peak_bytes
from eie.elements import Canvas, ElementSet, Source
from dataclasses import replace
from eie.rendering import render
height, width, cells = 4000, 6000, 16
pixels = np.zeros((height, width, 3), dtype=np.uint8)
pixels[..., 0] = np.arange(width) // 24
labels = (np.arange(height) * cells // height)[:, None] * cells + np.arange(width) * cells // width
elements = ElementSet.from_source(Source.from_label_map(labels.astype(np.uint16), pixels=pixels))
rows = np.array({rows})
box = elements.table.box[rows] * {factor} + np.array([{shift}, {shift}, 0, 0])
elements = replace(elements, table=elements.table.set(rows, box=box))
assert render(elements).changed_pixels
print(peak_bytes() >> 20)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "factor", "shift", "limit"),
    [
        ([85, 86], 1.0, 40, 900),  # a small move: a few copies of the 69 MB picture
        (list(range(256)), 1.0, 500, 1500),
        (list(range(256)), 0.3, 0, 1500),
    ],
)
def test_24_megapixels_stay_small(rows, factor, shift, limit):
    """Peak memory in MiB of the whole process, about 250 of them for making the photo."""
    script = LARGE.format(rows=rows, factor=factor, shift=shift)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert int(done.stdout) < limit + 600


def test_a_dilation_of_zero_changes_nothing_beside_the_element():
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[30:90, 30:90] = 200  # reaches beyond the element
    own = np.zeros((120, 120), int)
    own[40:80, 40:80] = 1
    deleted = with_rows(make_set(pixels, own), 1, visible=False)
    assert_array_equal(stage(deleted, dilation=0).gone, own == 1)
    same_pixels(deleted, own == 0, dilation=0)
    wide = render(deleted, dilation=16).photo.pixels
    assert_array_equal(wide[(own == 0) & (pixels[..., 0] == 0)], 0)
    assert wide.max() == 0  # all of it is gone


@pytest.mark.parametrize("dilation", [-1, DILATION + 1])
def test_a_dilation_out_of_range_is_refused(dilation):
    with pytest.raises(UsageError, match="dilation"):
        stage(make_set(noise(20, 20, 3), blocks(20, 20, 2, 2)), dilation=dilation)


def test_what_nobody_selected_stays(tmp_path):
    """Half of a thing is enlarged, its other half stays as it is, whatever both look like."""
    photo, away = with_disc()
    halves = (away < 60).astype(int)
    halves[:, 170:][away[:, 170:] < 60] = 2
    enlarged = scaled(make_set(photo, halves), 1, 1.1, 1.1)
    rendered = render(enlarged).photo.pixels
    band = dilation_of(enlarged)
    other = np.zeros_like(away, dtype=bool)
    other[:, 170 + 7 + band :] = True  # the enlarged half reaches 6 pixels over it
    assert_array_equal(rendered[other], photo[other])


def with_disc() -> tuple[np.ndarray, np.ndarray]:
    """A photo with a green disc of radius 60, and (340, 340) how far pixels are from its middle."""
    photo = np.ascontiguousarray(data.astronaut()[:340, :340])
    rows, columns = np.mgrid[:340, :340]
    away = np.hypot(rows - 170, columns - 170)
    photo[away < 60] = (20, 250, 30)
    return photo, away


def outlined(pixels: np.ndarray, white: np.ndarray, folder: Path) -> ElementSet:
    """What a mask takes is deleted from a photo."""
    elements = eie.decompose(pixels, segmenter="slic", elements=64)
    write_photo(Photo(white[..., None].astype(np.uint8) * 255), folder / "m.png")
    return edit(elements, [Delete(f"mask:'{folder}/m.png'")])


def test_the_band_grows_with_the_canvas_and_stays_narrow(tmp_path):
    photo, away = with_disc()
    exact = outlined(photo, away < 60, tmp_path)
    assert (stage(exact, dilation=0).gone == (away < 60)).mean() > 0.9999
    assert stage(exact).dilation == dilation_of(exact) == 3
    assert stage(exact, dilation=9).dilation == 9
    for side, pixels in ((20, 2), (440, 4), (1000, 9), (6000, 16)):
        assert dilation_of(replace(exact, canvas=Canvas(side, side))) == pixels


def test_a_removed_disc_leaves_no_contour_and_no_cast_of_its_colour(tmp_path):
    photo, away = with_disc()
    plain = np.ascontiguousarray(np.full_like(photo, 150) + noise(340, 340, 3) // 32)
    plain[away < 60] = (20, 250, 30)
    rendered = render(outlined(plain, away < 60, tmp_path)).photo.pixels.astype(int)
    assert abs(rendered - 153).max() <= 12
    cast = rendered[away < 64].mean(axis=0) - plain[away > 70].mean(axis=0)
    assert abs(cast).max() < 0.7
