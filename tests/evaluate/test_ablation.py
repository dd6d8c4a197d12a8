"""Training runs side by side, the runs made of random weights."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from diffusers import DDIMScheduler
from PIL import Image
from skimage import data

from eie.errors import BadInputError, UsageError
from eie.evaluate.ablation import (
    AblationSettings,
    evaluate_ablation,
    run_labels,
)
from eie.evaluate.cases.compositions import plan_compositions
from eie.evaluate.core.run import Run
from eie.evaluate.settings import EditSettings, ReconstructionSettings
from eie.files.run_folders import read_options
from eie.models.content_checkpoints import EMBEDDED, load_content_encoder
from eie.models.diffusion_checkpoints import load_vae, save_diffusion_model
from eie.models.element_attention import ElementAttention
from eie.train.diffusion.parts import build_unet
from eie.train.diffusion.settings import DecoderConfig

DEFAULT = {
    "stage": "decoder",
    "joint": False,
    "freeze": True,
    "dropout": {"share": 0.85, "random_partition": True},
    "loop": {"steps": 10, "seed": 0},
}
FAST = AblationSettings(
    reconstruction=ReconstructionSettings(segmenter="slic", elements=16, size=64, steps=1),
    edits=EditSettings(
        select="exact", segmenter="slic", elements=16, size=96, options={"steps": 1}
    ),
)


def random_run(folder, **changes) -> None:
    """A model folder with untrained weights and the options of a run."""
    vae = load_vae()
    config = DecoderConfig(
        block_out_channels=(32, 32), heads=2, text_dim=4, token_dim=8, hidden_dim=8, frequencies=2
    )
    unet = build_unet(config, vae.config.latent_channels)
    encoder = load_content_encoder()
    attention = ElementAttention.for_unet(
        unet,
        encoder.model.config.embedding_dim,
        token_dim=8,
        hidden_dim=8,
        frequencies=2,
        encoder_hash=encoder.weight_hash,
    )
    save_diffusion_model(folder, unet=unet, attention=attention, vae=vae, scheduler=DDIMScheduler())
    shutil.copytree(EMBEDDED / "tiny" / "content_encoder", folder / "content_encoder")
    (folder / "options.json").write_text(json.dumps(DEFAULT | changes))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two runs, a photo, a scene and an object."""
    root = tmp_path_factory.mktemp("world")
    random_run(root / "default")
    random_run(root / "joint", joint=True, freeze=False)
    for name in ("photos", "scenes", "objects"):
        (root / name).mkdir()
    Image.fromarray(data.chelsea()[40:168, 100:260]).save(root / "photos" / "cat.png")
    Image.fromarray(data.coffee()[100:228, 100:260]).save(root / "scenes" / "table.png")
    cutout = np.zeros((40, 40, 4), np.uint8)
    cutout[4:36, 4:36] = (200, 30, 30, 255)
    Image.fromarray(cutout).save(root / "objects" / "square.png")
    return root


def test_every_run_is_a_row(world, tmp_path) -> None:
    plan = plan_compositions(
        [world / "scenes" / "table.png"], [world / "objects" / "square.png"], limit=1
    )
    runs = [world / "default", world / "joint"]
    results = evaluate_ablation(
        runs,
        world / "photos",
        plan,
        FAST,
        run=Run(limit=1, store=tmp_path / "store", pictures=True),
    )
    assert results.methods() == ["default", "joint training"]
    assert [case.case.split()[0] for case in results.cases] == ["photo", "edit"]
    means = results.means()
    for row in results.methods():
        assert math.isfinite(means[row]["psnr"].value)
        assert math.isfinite(means[row]["revealed_psnr"].value)
        assert means[row]["psnr"].cases == means[row]["revealed_psnr"].cases == 1
    assert results.key == ("default", "revealed_distance")
    assert {"default", "joint training"} <= set(results.cases[1].pictures)
    # Nothing is made twice.
    again = evaluate_ablation(
        runs,
        world / "photos",
        plan,
        FAST,
        run=Run(limit=1, store=tmp_path / "store", pictures=True),
    )
    assert again.to_csv() == results.to_csv()


def test_rows_are_called_by_their_switch(tmp_path) -> None:
    no_dropout = DEFAULT | {"dropout": {"share": 0.0, "random_partition": True}}
    own = DEFAULT | {"dropout": {"share": 0.85, "random_partition": False}}
    labels = run_labels(
        {
            tmp_path / "a": DEFAULT,
            tmp_path / "b": DEFAULT | {"joint": True, "freeze": False},
            tmp_path / "c": DEFAULT | {"freeze": False},
            tmp_path / "d": no_dropout,
            tmp_path / "e": own,
        }
    )
    assert list(labels.values()) == [
        "default",
        "joint training",
        "encoder not frozen",
        "no dropout",
        "no random partition",
    ]
    twice = run_labels({tmp_path / "a": DEFAULT, tmp_path / "b": DEFAULT})
    assert list(twice.values()) == ["default (a)", "default (b)"]


def test_other_folders_are_refused(tmp_path) -> None:
    with pytest.raises(BadInputError, match="no training run"):
        read_options(tmp_path, "decoder")
    (tmp_path / "options.json").write_text('{"stage": "encoder"}')
    with pytest.raises(BadInputError, match="another stage"):
        read_options(tmp_path, "decoder")
    with pytest.raises(UsageError, match="twice"):
        run_labels({tmp_path: DEFAULT, tmp_path / "." / "x" / "..": DEFAULT})


def test_unequal_budgets_are_said(world) -> None:
    options = json.loads((world / "joint" / "options.json").read_text())
    options["loop"]["steps"] = 20
    other = world / "longer"
    shutil.copytree(world / "joint", other)
    (other / "options.json").write_text(json.dumps(options))
    plan = plan_compositions(
        [world / "scenes" / "table.png"], [world / "objects" / "square.png"], limit=1
    )
    results = evaluate_ablation(
        [world / "default", other], world / "photos", plan, FAST, Run(limit=1)
    )
    assert any("loop.steps" in note for note in results.notes)
