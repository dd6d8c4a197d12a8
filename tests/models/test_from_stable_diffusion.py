"""Element models are made of folders that load, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eie.errors import MissingModelError
from eie.models.diffusion_checkpoints import load_element_model, load_inpainting
from eie.models.from_stable_diffusion import init_model
from eie.notes import Note
from tests.random_diffusion import save_random_stable_diffusion

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_random_stable_diffusion(tmp_path / "sd")
    return tmp_path / "sd"


def as_variant(folder: Path, parts: tuple[str, ...]) -> None:
    for part in parts:
        for path in (folder / part).glob("*.safetensors"):
            path.rename(path.with_suffix(".fp16.safetensors"))


@pytest.mark.parametrize("parts", [("unet",), ("unet", "vae", "text_encoder")])
def test_a_sole_variant_is_taken_with_a_note(base: Path, tmp_path: Path, parts: tuple) -> None:
    before = load_file(base / UNET)
    as_variant(base, parts)
    with pytest.warns(Note, match="its unet is there as fp16 only"):
        init_model(base, tmp_path / "made")
    after = load_file(tmp_path / "made" / UNET)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    load_element_model(tmp_path / "made", "cpu")


def test_a_network_without_any_weights_starts_at_random_and_is_told(
    base: Path, tmp_path: Path
) -> None:
    save_file({}, base / UNET)
    with pytest.warns(Note, match="weight file of its unet is empty: it starts at random"):
        init_model(base, tmp_path / "made")


def test_a_made_model_that_is_a_variant_only_is_rendered_with(base: Path, tmp_path: Path) -> None:
    init_model(base, tmp_path / "made")
    as_variant(tmp_path / "made", ("unet", "text_encoder"))
    load_element_model(tmp_path / "made", "cpu")


def damaged(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"conv_in.weight": torch.full_like(tensors["conv_in.weight"], float("nan"))}


def lacking(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in tensors.items() if not name.startswith("conv_out")}


def otherwise(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"conv_in.weight": torch.zeros(3, 3)}


@pytest.mark.parametrize("spoil", [damaged, lacking, otherwise])
def test_a_model_that_does_not_load_is_not_made(base: Path, tmp_path: Path, spoil) -> None:
    save_file(spoil(load_file(base / UNET)), base / UNET)
    with pytest.raises(MissingModelError, match="unet"):
        init_model(base, tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["sd"]


def test_cut_off_and_missing_weights_are_told(base: Path, tmp_path: Path) -> None:
    (base / UNET).write_bytes((base / UNET).read_bytes()[:-100])
    with pytest.raises(MissingModelError, match="unet does not load"):
        init_model(base, tmp_path / "made")
    (base / UNET).unlink()
    with pytest.raises(MissingModelError, match="unet has no weights"):
        init_model(base, tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["sd"]
    assert json.loads((base / "model_index.json").read_text())


def test_an_inpainting_pipeline_with_bad_weights_is_refused(base: Path) -> None:
    as_variant(base, ("unet", "vae", "text_encoder"))
    assert load_inpainting(str(base), "cpu")  # the variant is found
    path = next((base / "vae").glob("*.safetensors"))
    tensors = load_file(path)
    name = next(iter(tensors))
    save_file(tensors | {name: torch.full_like(tensors[name], float("inf"))}, path)
    with pytest.raises(MissingModelError, match=r"vae in .*not all finite"):
        load_inpainting(str(base), "cpu")
