"""Folders of diffusers' layout, without diffusers."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from eie.models.folder_model import FolderModel
from eie.models.weight_files import WEIGHTS_FILE


class Scale(FolderModel):
    def __init__(self, size: int = 2, power: float = 1.0) -> None:
        super().__init__()
        self._configure(locals())
        self.factor = nn.Parameter(torch.full((size,), power))


def test_a_model_comes_back_with_its_arguments(tmp_path) -> None:
    model = Scale(size=3, power=0.5)
    model.save_pretrained(tmp_path)
    again = Scale.from_folder(tmp_path)
    assert vars(again.config) == {"size": 3, "power": 0.5}
    assert torch.equal(again.factor, model.factor)
    assert again.device.type == "cpu" and again.dtype == torch.float32


def test_half_precision_is_read_as_float32(tmp_path) -> None:
    Scale(size=3, power=0.1).half().save_pretrained(tmp_path)
    assert Scale.from_folder(tmp_path).dtype == torch.float32


def test_equal_models_are_equal_bytes(tmp_path) -> None:
    for name in ("first", "second"):
        Scale().save_pretrained(tmp_path / name)
    first, second = (
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]
        for name in ("first", "second")
    )
    assert first == second


def test_diffusers_settings_of_a_folder_are_passed_over(tmp_path) -> None:
    Scale(size=3).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"_diffusers_version": "0.1"}))
    assert Scale.from_folder(tmp_path).config.size == 3


def test_weights_of_other_sizes_are_refused(tmp_path) -> None:
    Scale(size=3).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"size": 4}')
    with pytest.raises(RuntimeError, match="size mismatch"):
        Scale.from_folder(tmp_path)
    (tmp_path / WEIGHTS_FILE).unlink()
    with pytest.raises(OSError, match=WEIGHTS_FILE):
        Scale.from_folder(tmp_path)


def test_stage_one_needs_no_diffusers() -> None:
    code = (
        "import sys, eie.models.content_encoder, eie.models.light_decoder\n"
        "import eie.models.content_checkpoints\n"
        "sys.exit(any(name in sys.modules for name in ('diffusers', 'torchvision')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
