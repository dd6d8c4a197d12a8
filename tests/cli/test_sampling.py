"""`eie render` by decoders that sample, and `eie models`."""

from __future__ import annotations

import json
import shutil
import time
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from skimage import data

import eie
from eie.editing import Delete
from tests.random_diffusion import (
    CHANNELS,
    random_stable_diffusion_xl,
    random_unet,
    save_random_content_model,
    save_random_inpainting,
    save_random_stable_diffusion,
    save_random_tiny_model,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    return str(save_random_tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def hole(run, file, tmp_path):
    """An element file with a deleted element."""
    path = tmp_path / "edited.h5"
    assert run("edit", file, "--delete", "@320,200", "-o", path).code == 0
    return path


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_variations_are_files_by_number(run, hole, tiny, tmp_path) -> None:
    options = ("--decoder", "diffusion", "--model", tiny, "--steps", "2", "--seed", "5")
    result = run("render", hole, *options, "--variations", "2", "-o", tmp_path / "out.png")
    assert result.code == 0, result.err
    assert result.out == b"" and "out-2.png" in result.err
    assert not (tmp_path / "out.png").exists()
    first, second = pixels(tmp_path / "out-1.png"), pixels(tmp_path / "out-2.png")
    source = np.asarray(eie.load(hole).sources[0].pixels)
    changed = (first != source).any(axis=2)
    assert (first != second).any() and changed.mean() < 0.1
    with Image.open(tmp_path / "out-1.png") as image:
        assert json.loads(image.text["eie:settings"])["seed"] == 5
    again = run("render", hole, *options, "--variations", "2", "-o", tmp_path / "again.png")
    assert again.code == 0
    for index in (1, 2):
        made = (tmp_path / f"out-{index}.png").read_bytes()
        assert (tmp_path / f"again-{index}.png").read_bytes() == made


def test_the_default_decoder_makes_variations(run, tmp_path) -> None:
    """Of the embedded weights, at a hole wide enough for patches."""
    file, target = tmp_path / "photo.h5", tmp_path / "out.png"
    eie.save(eie.edit(eie.decompose(data.chelsea()), [Delete("box:150,40,230,110")]), file)
    made = run("render", file, "--variations", "2", "--seed", "4", "-o", target)
    assert made.code == 0, made.err
    first, second = pixels(tmp_path / "out-1.png"), pixels(tmp_path / "out-2.png")
    unchanged = (first == data.chelsea()).all(axis=2) & (second == data.chelsea()).all(axis=2)
    assert (first != second).any(axis=2)[~unchanged].mean() > 0.3
    alone = run("render", file, "--seed", "5")
    assert alone.code == 0
    assert_array_equal(pixels(BytesIO(alone.out)), second)


def test_one_picture_goes_to_standard_output(run, hole, tiny) -> None:
    options = ("--decoder", "diffusion", "--model", tiny, "--steps", "1")
    result = run("render", hole, *options, "--variations", "1", "--scheduler", "euler")
    assert result.code == 0, result.err
    assert result.out.startswith(b"\x89PNG")


def test_a_dilation_takes_pixels_around_the_hole(run, hole, tmp_path) -> None:
    source = np.asarray(eie.load(hole).sources[0].pixels)
    changed = {}
    for dilation in ("0", "4"):
        path = tmp_path / f"{dilation}.png"
        result = run("render", hole, "--decoder", "classical", "--dilation", dilation, "-o", path)
        assert result.code == 0, result.err
        changed[dilation] = (pixels(path) != source).any(axis=2)
        with Image.open(path) as image:
            assert image.text["eie:dilation"] == dilation
    assert 0 < changed["0"].sum() < changed["4"].sum()


def test_inpainting(run, hole, tmp_path) -> None:
    model = save_random_inpainting(tmp_path / "inpainting")
    target = tmp_path / "out.png"
    options = ("--decoder", "inpaint", "--model", model, "--steps", "1", "--prompt", "sky")
    result = run("render", hole, *options, "-o", target)
    assert result.code == 0, result.err
    assert pixels(target).shape == (427, 640, 3)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--variations", "2", "--decoder", "diffusion"), 2, "standard output"),
        (
            ("--variations", "2", "--free", "-o", "OUT"),
            2,
            "always makes the same picture",
        ),
        (
            ("--steps", "5", "--decoder", "classical", "-o", "OUT"),
            2,
            "of these --decoder takes them: diffusion, inpaint",
        ),
        (("--steps", "0", "-o", "OUT"), 2, "--steps"),
        (("--dilation", "65", "-o", "OUT"), 2, "--dilation"),
        (("--free", "--dilation", "1", "-o", "OUT"), 2, "a dilation has no meaning"),
        (("--decoder", "diffusion", "--scheduler", "x", "-o", "OUT"), 2, "no scheduler 'x'"),
        (("--decoder", "inpaint", "-o", "OUT"), 2, "needs a model"),
        (("--decoder", "diffusion", "--model", "./none", "-o", "OUT"), 4, "no such model folder"),
        (("--decoder", "inpaint", "--model", "/none/here", "-o", "OUT"), 4, "no such model folder"),
    ],
)
def test_refusals(run, hole, tmp_path, options, code, words) -> None:
    target = tmp_path / "out.png"
    result = run("render", hole, *(target if o == "OUT" else o for o in options))
    assert result.code == code, result.err
    assert words in result.err and len(result.err.splitlines()) == 1
    assert result.out == b"" and not target.exists()


def test_a_prompt_needs_a_model_that_reads(run, hole, tiny, tmp_path) -> None:
    options = ("--decoder", "diffusion", "--model", tiny, "--prompt", "a cat")
    result = run("render", hole, *options, "-o", tmp_path / "out.png")
    assert result.code == 2 and "reads no text" in result.err


def test_models_init_makes_a_folder_that_renders(run, hole, tmp_path) -> None:
    save_random_stable_diffusion(tmp_path / "sd")
    save_random_content_model(tmp_path / "content")
    make = ("models", "init", "sd15", "--from", tmp_path / "sd", "--encoder", tmp_path / "content")
    result = run(*make, "-o", tmp_path / "made")
    assert result.code == 0, result.err
    parts = {path.name for path in (tmp_path / "made").iterdir()}
    assert parts >= {"unet", "element_attention", "content_encoder", "light_decoder", "tokenizer"}
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (tmp_path / "made" / weights).read_bytes() == (tmp_path / "sd" / weights).read_bytes()
    target = tmp_path / "out.png"
    options = ("--decoder", "diffusion", "--model", tmp_path / "made", "--steps", "1")
    result = run("render", hole, *options, "--prompt", "a cat", "-o", target)
    assert result.code == 0, result.err
    again = run(*make, "-o", tmp_path / "made")
    assert again.code == 2 and "exists already" in again.err


def test_models_init_refuses_what_is_no_stable_diffusion(run, tmp_path) -> None:
    def init(source) -> tuple[int, str]:
        result = run("models", "init", "sd15", "--from", source, "-o", tmp_path / "made")
        assert len(result.err.splitlines()) == 1 and not (tmp_path / "made").exists()
        return result.code, result.err

    (tmp_path / "empty").mkdir()
    code, message = init(tmp_path / "empty")
    assert code == 4 and "no model_index.json" in message
    code, message = init(save_random_inpainting(tmp_path / "inpainting"))
    assert code == 4 and "takes 9 channels" in message and "--decoder inpaint" in message
    folder = save_random_stable_diffusion(tmp_path / "sd", unet=random_unet(CHANNELS))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(
        json.dumps(index | {"requires_aesthetics_score": True})
    )
    code, message = init(folder)
    assert code == 4 and "only refines" in message
    random_stable_diffusion_xl().save_pretrained(tmp_path / "xl")
    shutil.rmtree(tmp_path / "xl" / "tokenizer_2")
    code, message = init(tmp_path / "xl")
    assert code == 4 and "no tokenizer_2" in message
    (folder / "model_index.json").write_text("{")
    assert init(folder)[0] == 3


def test_an_unreachable_hub_is_said_at_once(run, tmp_path, monkeypatch) -> None:

    def unreachable(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    start = time.perf_counter()
    result = run("models", "init", "sd15", "--from", "nobody/nothing", "-o", tmp_path / "made")
    assert time.perf_counter() - start < 60
    assert result.code == 4, result.err
    assert "nobody/nothing" in result.err and "local model folder" in result.err
