from __future__ import annotations

import json
from pathlib import Path

import pytest

from eie.models.weight_files import Weights, copy_part, variant_of, weights_of

PLAIN = "diffusion_pytorch_model"


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (
            [f"{PLAIN}.safetensors", f"{PLAIN}.fp16.safetensors", f"{PLAIN}.bin"],
            Weights("safetensors", None),
        ),
        ([f"{PLAIN}.bin", f"{PLAIN}.fp16.safetensors"], Weights("bin", None)),
        ([f"{PLAIN}.fp16.bin", f"{PLAIN}.fp16.safetensors"], Weights("safetensors", "fp16")),
        (["model.bf16.safetensors"], Weights("safetensors", "bf16")),
        ([f"{PLAIN}.non_ema.safetensors", "model.onnx", "flax_model.msgpack"], None),
        (["config.json"], None),
        ([f"{PLAIN}-00001-of-00002.safetensors"], Weights("safetensors", None)),
        ([f"{PLAIN}.fp16-00001-of-00002.safetensors"], Weights("safetensors", "fp16")),
        ([f"{PLAIN}-00001-of-00002.fp16.safetensors"], Weights("safetensors", "fp16")),
    ],
)
def test_one_set_of_weights_is_taken(names: list[str], taken: Weights | None) -> None:
    assert weights_of(names) == taken
    assert weights_of(reversed(names)) == taken


def test_a_part_is_copied_with_one_set_under_its_plain_name(tmp_path: Path) -> None:
    source = tmp_path / "unet"
    source.mkdir()
    names = [
        "config.json",
        "merges.txt",
        f"{PLAIN}.non_ema.bin",
        f"{PLAIN}.fp16.safetensors",
        "m.onnx",
    ]
    for name in names:
        (source / name).write_text(name)
    assert copy_part(source, tmp_path / "made") == Weights("safetensors", "fp16")
    made = {path.name: path.read_text() for path in (tmp_path / "made").iterdir()}
    assert made == {
        "config.json": "config.json",
        "merges.txt": "merges.txt",
        f"{PLAIN}.safetensors": f"{PLAIN}.fp16.safetensors",
    }
    assert variant_of(tmp_path, ["unet", "none"]) == "fp16"
    assert variant_of(tmp_path, ["made"]) is None


def test_an_index_names_the_files_as_they_are_called(tmp_path: Path) -> None:
    source = tmp_path / "unet"
    source.mkdir()
    shard = f"{PLAIN}.fp16-00001-of-00001.safetensors"
    (source / shard).write_text("weights")
    index = {"weight_map": {"a": shard}}
    (source / f"{PLAIN}.safetensors.index.fp16.json").write_text(json.dumps(index))
    copy_part(source, tmp_path / "made")
    found = json.loads((tmp_path / "made" / f"{PLAIN}.safetensors.index.json").read_text())
    assert (tmp_path / "made" / found["weight_map"]["a"]).read_text() == "weights"
