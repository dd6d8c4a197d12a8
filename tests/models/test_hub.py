"""Where a model comes from, and how soon and how plainly its absence is told."""

from __future__ import annotations

import json

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from eie.errors import MissingModelError
from eie.models.hub import FILES, TIMEOUT, model_folder


@pytest.fixture
def hub(monkeypatch):
    """What the hub was asked for; it serves nothing unless `hub.answer` is set."""

    class Hub:
        def __init__(self) -> None:
            self.asked: list[tuple[str, dict]] = []
            self.answer: object = LocalEntryNotFoundError("cannot find the hub\nsecond line")

    found = Hub()

    def snapshot_download(name, **options):
        found.asked.append((name, options))
        if isinstance(found.answer, Exception):
            raise found.answer
        return found.answer

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return found


def test_a_local_folder_is_taken_without_asking_the_hub(hub, tmp_path) -> None:
    assert model_folder(tmp_path) == tmp_path
    assert not hub.asked


@pytest.mark.parametrize("name", ["NOSUCH", "./runs/x", "/no/such/folder", "a/b/c", "~/x"])
def test_what_cannot_be_a_hub_id_fails_at_once(hub, name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingModelError, match="no such model folder") as caught:
        model_folder(name)
    assert "--model tiny" in (caught.value.hint or "")
    assert not hub.asked


def test_a_hub_id_is_asked_for_once_and_not_for_long(hub, tmp_path) -> None:
    hub.answer = str(tmp_path)
    assert model_folder("someone/elements", "light_decoder") == tmp_path
    patterns = [f"light_decoder/{file}" for file in FILES]
    wanted = {"allow_patterns": patterns, "etag_timeout": TIMEOUT}
    assert hub.asked == [("someone/elements", wanted)]


def test_without_a_network_both_places_are_named(hub) -> None:
    with pytest.raises(MissingModelError, match=r"did not serve it: cannot find the hub \("):
        model_folder("someone/elements")
    assert len(hub.asked) == 1


def test_a_model_that_the_hub_does_not_have_is_told_apart(hub) -> None:
    hub.answer = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    with pytest.raises(MissingModelError, match="the hub has no such model"):
        model_folder("someone/elements")


def test_a_pipeline_is_fetched_with_one_set_of_weights(monkeypatch, tmp_path) -> None:
    """As the repository of Stable Diffusion 1.5 holds them, several times over."""
    from huggingface_hub.utils import filter_repo_objects

    name = "diffusion_pytorch_model"
    there = [
        "model_index.json", "README.md", "v1-5-pruned.safetensors", "v1-5-pruned.ckpt",
        "unet/config.json", f"unet/{name}.safetensors", f"unet/{name}.bin",
        f"unet/{name}.fp16.safetensors", f"unet/{name}.non_ema.safetensors",
        "vae/config.json", f"vae/{name}.fp16.safetensors", f"vae/{name}.fp16.bin",
        "text_encoder/config.json", "text_encoder/model.safetensors",
        "text_encoder/pytorch_model.bin", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "scheduler/scheduler_config.json", "safety_checker/config.json",
        "safety_checker/model.safetensors", "feature_extractor/preprocessor_config.json",
    ]  # fmt: skip
    fetched: list[str] = []
    index = {part: ["diffusers", "X"] for part in ("unet", "vae", "text_encoder", "tokenizer")}
    index |= {"scheduler": ["diffusers", "X"], "safety_checker": ["X", "Y"], "other": [None, None]}

    def snapshot_download(_, *, allow_patterns, ignore_patterns=None, **options):
        wanted = filter_repo_objects(
            there, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
        )
        for path in wanted:
            fetched.append(path)
            (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / path).write_text(json.dumps(index) if path == "model_index.json" else "")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    parts = ("unet", "vae", "scheduler", "text_encoder", "tokenizer")
    assert model_folder("some/sd", parts=parts) == tmp_path
    assert sorted(fetched) == [
        "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder/model.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.json",
        "unet/config.json", f"unet/{name}.safetensors", "vae/config.json",
        f"vae/{name}.fp16.safetensors",
    ]  # fmt: skip
    fetched.clear()
    model_folder("some/sd")
    assert "feature_extractor/preprocessor_config.json" not in fetched
    assert "safety_checker/model.safetensors" in fetched and "unet/config.json" in fetched
    assert not {"v1-5-pruned.safetensors", f"unet/{name}.non_ema.safetensors"} & set(fetched)
