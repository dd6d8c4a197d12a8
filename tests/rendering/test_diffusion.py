"""The decoders that sample, with small random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import load_file, save_file
from skimage import data

import eie
from eie.editing import Delete
from eie.encoding import encode
from eie.errors import MissingModelError, UsageError
from eie.evaluate.measures.similarity import psnr
from eie.pictures import Window
from eie.rendering import (
    ClassicalDecoder,
    DiffusionDecoder,
    InpaintDecoder,
    render,
    stage,
    variations,
)
from eie.rendering.diffusion import guesses, known_of
from eie.rendering.learned_filling import changed
from eie.rendering.windows import view_of
from tests.random_diffusion import (
    EMBEDDING,
    save_random_inpainting,
    save_random_stable_diffusion,
    save_random_tiny_model,
)

from .conftest import blocks, make_set, moved, noise, with_rows


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    return str(save_random_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def inpainting(tmp_path_factory) -> str:
    return str(save_random_inpainting(tmp_path_factory.mktemp("inpainting")))


def photo(channels: int = 3, height: int = 80, width: int = 112):
    return make_set(noise(height, width, channels), blocks(height, width, 4, 4))


def edited(channels: int = 3):
    """Element 5 deleted, 10 moved over its neighbour."""
    return with_rows(moved(photo(channels), 10, 20, 0), 5, visible=False)


def fast(model: str, **options):
    return DiffusionDecoder(**{"model": model, "steps": 2, "working_size": 64} | options)


def test_only_what_the_edit_reveals_is_made(tiny) -> None:
    elements = edited()
    one, two = variations(elements, 2, decoder=fast(tiny))
    hole = stage(elements).hole
    differ = (one.photo.pixels != two.photo.pixels).any(axis=2)
    assert differ.any() and not differ[~hole].any()
    plain = render(elements, decoder="classical").photo.pixels
    assert_array_equal(one.photo.pixels[~hole], plain[~hole])
    assert (one.photo.pixels != plain).any()


def test_same_seed_same_bytes(tiny) -> None:
    first, again = (render(edited(), decoder=fast(tiny, seed=3)).photo.pixels for _ in range(2))
    assert_array_equal(first, again)
    assert (first != render(edited(), decoder=fast(tiny, seed=4)).photo.pixels).any()
    second_of_two = variations(edited(), 2, decoder=fast(tiny, seed=2))[1].photo.pixels
    assert np.abs(second_of_two.astype(int) - first).max() <= 1  # a batch may round otherwise


def test_every_variation_has_a_guess_of_its_own(tmp_path) -> None:
    """Of a model that corrects and, at temperature 0, hardly adds noise."""
    model = save_random_tiny_model(tmp_path / "model", guess_deviation=0.05)
    photo = np.ascontiguousarray(data.astronaut()[112:240, 20:148])
    elements = with_rows(make_set(photo, blocks(128, 128, 3, 3)), [4], visible=False)
    decoder = fast(str(model), temperature=0.0, seed=0)
    made = [r.photo.pixels for r in variations(elements, 2, decoder=decoder)]
    plain = ClassicalDecoder(seed=0).fill_variations(stage(elements), 2)
    hole = stage(elements).hole
    differ = np.abs(plain[0].astype(int) - plain[1])[hole]
    assert differ.mean() > 5
    change = [one.astype(int) - other for one, other in zip(made, plain, strict=True)]
    assert max(np.abs(one)[hole].mean() for one in change) < differ.mean()  # each from its own
    alone = render(elements, decoder=replace(decoder, seed=1)).photo.pixels
    assert np.abs(alone.astype(int) - made[1]).max() <= 3  # a batch may round otherwise


def test_where_there_are_fewer_fills_they_come_again(monkeypatch) -> None:
    scene = stage(edited())

    def two(_, scene, count):
        return [np.full_like(scene.picture, value) for value in (10, 20)][:count]

    monkeypatch.setattr(ClassicalDecoder, "fill_variations", two)
    made = guesses(scene, 3, seed=0)
    assert [one.picture[scene.hole].max() for one in made] == [10, 20, 10]
    for one in made:
        assert_array_equal(one.picture[~scene.hole], scene.picture[~scene.hole])
    assert len(guesses(scene, 1, seed=0)) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_that_adds_nothing_gives_back_the_classical_fill(tmp_path, channels) -> None:
    model = save_random_tiny_model(tmp_path / "model", guess_deviation=0.05)
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    save_file({n: w * (not n.startswith("conv_out")) for n, w in tensors.items()}, weights)
    decoder = fast(str(model), temperature=0.0, seed=4)
    made = render(edited(channels), decoder=decoder).photo.pixels.astype(int)
    plain = render(edited(channels), decoder=ClassicalDecoder(seed=4)).photo.pixels
    assert np.abs(made - plain).max() <= 1


def test_provenance_names_seed_weights_and_variation(tiny) -> None:
    made = variations(edited(), 2, decoder=fast(tiny, seed=3, scheduler="euler"))
    provenance = made[1].provenance
    settings = json.loads(provenance["eie:settings"])
    assert settings["seed"] == 3 and settings["scheduler"] == "euler"
    hashed = {name.split("/")[0] for name in settings["weights"]}
    assert hashed == {"unet", "element_attention", "vae", "light_decoder"}
    assert provenance["eie:variation"] == "2 of 2"
    assert "eie:variation" not in render(edited(), decoder=fast(tiny)).provenance


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_layout(tiny, channels: int) -> None:
    pixels = render(edited(channels), decoder=fast(tiny)).photo.pixels
    assert pixels.shape == (80, 112, channels)


def test_free_rendering_knows_no_pixels(tiny) -> None:
    elements = encode(photo(), model=tiny)
    blind = replace(elements, sources=(replace(elements.sources[0], pixels=None),))
    pixels = render(blind, decoder=fast(tiny), free=True).photo.pixels
    assert pixels.shape == (80, 112, 3)
    assert_array_equal(pixels, render(elements, decoder=fast(tiny), free=True).photo.pixels)
    one, two = variations(blind, 2, decoder=fast(tiny), free=True)
    assert (one.photo.pixels != two.photo.pixels).any()


def test_turned_elements_are_told_of(tiny) -> None:
    turned = with_rows(edited(), [10, 3], angle=[30.0, -100.0], shear=[0.0, 0.5])
    elements = encode(turned, model=tiny)
    one = render(elements, decoder=fast(tiny)).photo.pixels
    hole = stage(elements).hole
    plain = render(elements, decoder="classical").photo.pixels
    assert hole.any()
    assert_array_equal(one[~hole], plain[~hole])
    free, two = (render(e, decoder=fast(tiny), free=True).photo.pixels for e in (
        elements, with_rows(elements, 10, angle=-30.0)
    ))  # fmt: skip
    assert (free != two).any()
    assert_array_equal(free, render(elements, decoder=fast(tiny), free=True).photo.pixels)


def test_scheduler_steps_and_guidance_matter(tiny) -> None:
    plain = render(edited(), decoder=fast(tiny)).photo.pixels
    for options in ({"scheduler": "euler"}, {"steps": 3}, {"guidance": 1.0}):
        varied = render(edited(), decoder=fast(tiny, **options)).photo.pixels
        assert (varied != plain).any()


def test_progress_counts_the_steps_of_all_sites(tiny) -> None:
    """Two holes too far apart for one window are two runs."""
    elements = with_rows(photo(height=80, width=400), [0, 3], visible=False)
    seen = []
    decoder = fast(tiny, working_size=128)
    render(elements, decoder=decoder, progress=lambda *counts: seen.append(counts))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_what_the_model_is_told(tiny) -> None:
    """The removed element's pixels are nowhere in the picture that the model sees."""
    pixels = np.full((64, 64, 3), 100, np.uint8)
    label_map = blocks(64, 64, 4, 4)
    pixels[label_map == 5] = 255
    elements = with_rows(make_set(pixels, label_map), 5, visible=False)
    scene = stage(elements)
    view = view_of(scene, scene_window(scene), 64, 16)
    picture, known, covered = known_of(view, {}, None, sees=False)
    assert_array_equal(known[0, 0].numpy() > 0, ~scene.hole)
    assert torch.equal(covered, known)
    assert (picture.add(1).mul(127.5).round() == 100).all()
    assert_array_equal(view.covered, label_map != 5)


def test_a_grown_view_keeps_the_hole_out_of_known_pixels() -> None:
    elements = with_rows(photo(height=128, width=128), 5, visible=False)
    scene = stage(elements)
    view = view_of(scene, scene_window(scene), 50, 16)
    assert view.known.shape == view.photo.shape[:2] == (64, 64) and view.size == (50, 50)
    y, x = np.argwhere(scene.hole).T
    inside = (y * 50) // 128, (x * 50) // 128
    assert not view.known[inside].any()
    assert view.known[50:].all() and view.known[:, 50:].all()


def test_a_guess_keeps_its_detail_beyond_the_working_size() -> None:
    """Only the change is enlarged: noise finer than the working size stays as it is."""
    scene = stage(photo(height=96, width=128))
    scene = replace(scene, picture=scene.picture // 2)
    view = view_of(scene, Window(0, 0, 96, 128), 64, 8)
    assert view.photo.shape == (48, 64, 3)
    assert_array_equal(changed(scene, view, view.photo), scene.picture)
    brighter = changed(scene, view, view.photo + np.uint8(20))
    assert_array_equal(brighter, scene.picture + 20)


def scene_window(scene):
    from eie.pictures import Window

    return Window.of(scene.source)


def test_stable_diffusion_before_training(tmp_path) -> None:
    """An untrained element model renders, reads the prompt, and needs no light decoder."""
    from eie.models.from_stable_diffusion import init_model
    from tests.random_diffusion import save_random_content_model

    save_random_stable_diffusion(tmp_path / "sd")
    save_random_content_model(tmp_path / "content")
    init_model(tmp_path / "sd", tmp_path / "made", encoder=tmp_path / "content")
    model = str(tmp_path / "made")
    plain, cat = (
        render(edited(), decoder=fast(model, prompt=p)).photo.pixels for p in (None, "a cat")
    )
    hole = stage(edited()).hole
    assert (plain != cat).any() and not (plain != cat)[~hole].any()
    from_file = render(replace(edited(), prompt="a cat"), decoder=fast(model)).photo.pixels
    assert_array_equal(from_file, cat)
    free = render(edited(), decoder=fast(model), free=True).photo.pixels
    assert free.shape == (80, 112, 3)


def test_inpainting_by_a_stock_pipeline(inpainting) -> None:
    decoder = InpaintDecoder(model=inpainting, steps=2, working_size=64, prompt="a cat")
    one, two = variations(edited(), 2, decoder=decoder)
    hole = stage(edited()).hole
    differ = (one.photo.pixels != two.photo.pixels).any(axis=2)
    assert differ.any() and not differ[~hole].any()
    again = variations(edited(), 2, decoder=decoder)[0]
    assert_array_equal(one.photo.pixels, again.photo.pixels)
    other = replace(decoder, prompt="a dog", scheduler="euler")
    assert (render(edited(), decoder=other).photo.pixels != one.photo.pixels).any()
    assert json.loads(one.provenance["eie:settings"])["weights"]


def test_refusals(tiny, inpainting, tmp_path) -> None:
    with pytest.raises(UsageError, match="no scheduler 'magic' \\(there is: ddim"):
        DiffusionDecoder(scheduler="magic")
    with pytest.raises(UsageError, match="at least 1"):
        DiffusionDecoder(steps=0)
    with pytest.raises(UsageError, match="reads no text"):
        render(edited(), decoder=fast(tiny, prompt="a cat"))
    with pytest.raises(UsageError, match="needs a model"):
        render(edited(), decoder="inpaint")
    with pytest.raises(UsageError, match=r"always makes the same.*makes others: diffusion;"):
        variations(edited(), 2, decoder="light", free=True)
    with pytest.raises(UsageError, match="from embeddings alone"):
        render(edited(), decoder="inpaint", model=inpainting, free=True)
    with pytest.raises(UsageError, match="does not take these options: steps"):
        render(edited(), decoder="light", steps=3)
    with pytest.raises(MissingModelError, match="no diffusion decoder in it"):
        render(edited(), decoder="diffusion", model=str(tmp_path))
    with pytest.raises(MissingModelError, match="there is no such model folder"):
        render(edited(), decoder="diffusion", model=str(tmp_path / "missing"))
    with pytest.raises(MissingModelError, match="no inpainting pipeline could be loaded"):
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / "model_index.json").write_text("{}")
        render(edited(), decoder="inpaint", model=str(broken))


@pytest.mark.parametrize("part", ["unet", "element_attention", "vae"])
def test_a_model_that_lacks_weights_is_refused(tiny, tmp_path, part: str) -> None:
    """What diffusers only warns of, if at all: what is missing would be random numbers."""
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    [weights] = (copy / part).glob("*.safetensors")
    tensors = load_file(weights)
    lost = sorted(name for name in tensors if name.endswith("weight"))[0]
    save_file({name: tensors[name] for name in tensors if name != lost}, weights)
    with pytest.raises(MissingModelError, match=f"{part} in .*its weights lack {lost}"):
        render(edited(), decoder=fast(str(copy)))


def test_embeddings_of_another_encoder_are_refused(tiny) -> None:
    elements = encode(edited(), model=tiny)
    source = elements.sources[0]
    assert source.embeddings is not None and source.embeddings.values.shape[1] == EMBEDDING
    foreign = replace(source, embeddings=replace(source.embeddings, encoder_hash="0" * 64))
    with pytest.raises(UsageError, match="eie encode --model"):
        render(replace(elements, sources=(foreign,)), decoder=fast(tiny))


def test_model_folders_are_portable(tiny, tmp_path) -> None:
    """A copied folder gives the same bytes: nothing of its place is in it."""
    import shutil

    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    expected = render(edited(), decoder=fast(tiny)).photo.pixels
    assert_array_equal(render(edited(), decoder=fast(str(copy))).photo.pixels, expected)


def test_embedded_weights_fill_holes_and_vary() -> None:
    """At the model's own temperature it stays by the classical fill; hotter, variations differ."""
    elements = encode(eie.decompose(data.chelsea()))
    edited = eie.edit(elements, [Delete("box:150,40,230,110")])
    classical = render(edited, decoder="classical").photo.pixels.astype(int)
    cool, again = (render(edited, decoder="diffusion", steps=4).photo.pixels for _ in range(2))
    assert_array_equal(cool, again)
    hole = stage(edited).hole
    assert 0 < np.abs(cool - classical)[hole].mean() < 6
    hot = [
        r.photo.pixels for r in variations(edited, 2, decoder="diffusion", steps=4, temperature=1)
    ]
    differ = (hot[0] != hot[1]).any(axis=2)
    assert differ[hole].mean() > 0.5 and not differ[~hole].any()


def test_embedded_weights_render_freely() -> None:
    photo = data.coffee()
    elements = encode(eie.decompose(photo))
    made = render(elements, decoder="diffusion", free=True, steps=4).photo.pixels
    assert psnr(made, photo) > 23
