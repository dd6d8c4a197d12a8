from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import eie
from eie.errors import UsageError
from eie.rendering import ClassicalDecoder, render

from .conftest import blocks, make_set, moved, noise, with_rows


def edited():
    return moved(make_set(noise(64, 64, 3), blocks(64, 64, 4, 4)), 5, 20, 0)


def test_profile_and_metadata_of_source_0_come_along():
    elements = edited()
    source = replace(elements.sources[0], icc=b"profile", exif=b"Exif")
    photo = render(replace(elements, sources=(source,))).photo
    assert (photo.icc, photo.exif) == (b"profile", b"Exif")


def test_changed_counts_pixels_that_differ():
    elements = edited()
    rendering = render(elements)
    assert rendering.changed_pixels == rendering.changed.sum() > 0


def test_the_source_is_never_written_to():
    elements = edited()
    before = np.asarray(elements.sources[0].pixels).copy()
    unedited = make_set(elements.sources[0].pixels, elements.sources[0].label_map)
    render(unedited).photo.pixels[:] = 0
    render(elements)
    assert_array_equal(elements.sources[0].pixels, before)


def test_provenance_says_what_made_it():
    provenance = render(edited(), decoder=ClassicalDecoder(margin=30)).provenance
    assert provenance["Software"] == f"eie {eie.__version__}"
    assert provenance["eie:decoder"] == "classical"
    assert json.loads(provenance["eie:settings"])["margin"] == 30
    assert provenance["eie:dilation"] == "2"
    assert render(edited(), dilation=0).provenance["eie:dilation"] == "0"


def test_a_dilation_is_refused_where_it_means_nothing():
    with pytest.raises(UsageError, match="--free"):
        render(edited(), free=True, dilation=0)


def test_the_default_and_the_name_mean_the_same():
    assert_array_equal(
        render(edited()).photo.pixels, render(edited(), decoder="classical").photo.pixels
    )


def test_unknown_decoders_are_refused_with_the_list():
    with pytest.raises(
        UsageError,
        match=r"no decoder 'telea' \(there is: classical, light, diffusion, inpaint\)",
    ):
        render(edited(), decoder="telea")


def test_free_rendering_needs_a_learned_decoder():
    with pytest.raises(UsageError, match="from embeddings alone"):
        render(edited(), decoder="classical", free=True)


def test_a_decoder_of_ones_own_plugs_in_and_is_asked_only_when_needed():
    class White:
        name = "white"
        settings = {"seed": 3}  # noqa: RUF012

        def __init__(self):
            self.asked = 0

        def fill(self, scene):
            self.asked += 1
            return np.full_like(scene.picture, 255)

    decoder = White()
    elements = make_set(noise(64, 64, 3), blocks(64, 64, 2, 2))
    render(elements, decoder=decoder)
    assert decoder.asked == 0
    rendering = render(with_rows(elements, 0, visible=False), decoder=decoder)
    assert decoder.asked == 1
    assert (rendering.photo.pixels[:32, :32] == 255).all()
    assert rendering.provenance["eie:settings"] == '{"seed": 3}'


def test_rendering_imports_no_torch():
    code = "import sys, eie.render, eie.preview.overlay; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_rendering_saves_itself_with_its_provenance(tmp_path):
    from PIL import Image

    rendering = render(edited())
    rendering.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert_array_equal(np.asarray(image), rendering.photo.pixels)
        assert image.text["eie:decoder"] == "classical"
    rendering.save(tmp_path / "bare.jpg", quality=50, metadata=False)
