from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import eie.models.segmenter as segmenter_module
from eie.errors import MissingModelError, UsageError
from eie.models.devices import choose_device, half_precision
from eie.models.segmenter import load_sam, load_segmenter
from eie.models.tiny_sam import build_tiny_sam


def vit(depth: int, width: int, heads: int) -> Any:
    """segment_anything's own build of a Sam, with few positions to keep it small."""
    from segment_anything.build_sam import _build_sam
    from segment_anything.modeling import ImageEncoderViT

    sam = _build_sam(
        encoder_embed_dim=64, encoder_depth=1, encoder_num_heads=2, encoder_global_attn_indexes=[0]
    )
    sam.image_encoder = ImageEncoderViT(
        img_size=256,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=(1, depth - 1),
    )
    return sam.eval()


def test_a_checkpoints_size_is_told_by_its_tensors(tmp_path: Path) -> None:
    sam = vit(depth=3, width=96, heads=4)
    torch.save(sam.state_dict(), tmp_path / "sam.pth")

    loaded = load_segmenter(tmp_path / "sam.pth", "cpu")

    assert loaded.id == "vit_96x3"
    assert len(loaded.weight_hash) == 64
    encoder = loaded.sam.image_encoder
    assert encoder.img_size == 256
    assert [block.window_size for block in encoder.blocks] == [14, 0, 0]
    assert [block.attn.num_heads for block in encoder.blocks] == [4, 4, 4]
    assert not loaded.sam.training
    image = 255 * torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        expected = sam.image_encoder(sam.preprocess(image))
        loaded.sam.image_encoder.float()
        found = loaded.sam.image_encoder(loaded.sam.preprocess(image))
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0.1)  # rounded to half precision


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_published_sizes_are_known(tmp_path: Path, name: str) -> None:
    from segment_anything import sam_model_registry

    sam = sam_model_registry[name]()
    torch.save(sam.state_dict(), tmp_path / "sam.pth")
    loaded = load_segmenter(tmp_path / "sam.pth", "cpu")
    assert loaded.id == name
    for block, stock in zip(loaded.sam.image_encoder.blocks, sam.image_encoder.blocks, strict=True):
        assert block.window_size == stock.window_size
        assert block.attn.num_heads == stock.attn.num_heads


def test_weights_of_the_tiny_build_are_read_from_safetensors(tmp_path: Path) -> None:
    tensors = build_tiny_sam().state_dict()
    save_file({n: t.half().contiguous() for n, t in tensors.items()}, tmp_path / "t.safetensors")
    loaded = load_sam(tmp_path / "t.safetensors", "cpu")
    assert loaded.id == "tiny"
    assert loaded.sam.mask_decoder.mask_tokens.weight.dtype == torch.float32
    name = "mask_decoder.mask_tokens.weight"
    assert torch.equal(loaded.sam.state_dict()[name], tensors[name].half().float())


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    hashes = []
    for _ in range(2):
        tensors = build_tiny_sam().state_dict()
        save_file({n: t.half().contiguous() for n, t in tensors.items()}, path)
        hashes.append(load_segmenter(path, "cpu").weight_hash)
    assert hashes[0] != hashes[1]


def truncated(path: Path) -> None:
    torch.save(vit(2, 32, 2).state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_weights(path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, path)


def a_pickled_object(path: Path) -> None:
    torch.save({"model": Path("x")}, path)


def a_bare_tensor(path: Path) -> None:
    torch.save(torch.zeros(3), path)


def missing_decoder(path: Path) -> None:
    sam = vit(2, 32, 2)
    torch.save({f"image_encoder.{n}": t for n, t in sam.image_encoder.state_dict().items()}, path)


def missing_tensor(path: Path) -> None:
    tensors = vit(2, 32, 2).state_dict()
    del tensors["image_encoder.blocks.1.norm1.weight"]
    torch.save(tensors, path)


def wrong_shape(path: Path) -> None:
    tensors = vit(2, 32, 2).state_dict()
    tensors["mask_decoder.mask_tokens.weight"] = torch.zeros(4, 7)
    torch.save(tensors, path)


@pytest.mark.parametrize(
    "make",
    [
        truncated,
        other_weights,
        a_pickled_object,
        a_bare_tensor,
        missing_decoder,
        missing_tensor,
        wrong_shape,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not a checkpoint"),
        lambda path: None,
    ],
)
def test_a_bad_checkpoint_is_a_missing_model(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "sam.pth"
    make(path)
    with pytest.raises(MissingModelError, match=r"sam\.pth.*--segmenter tiny") as caught:
        load_segmenter(path, "cpu")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_damaged_safetensors_are_a_missing_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.safetensors").write_bytes(content)
    with pytest.raises(MissingModelError, match="cannot be read"):
        load_segmenter(tmp_path / "t.safetensors", "cpu")


def test_a_lost_embedded_segmenter_is_a_missing_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmenter_module, "TINY_WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(MissingModelError, match="tiny"):
        load_segmenter("tiny", "cpu")


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device().type in ("cpu", "cuda", "mps")
    for name in ("gpu", "", "meta", "cuda:x"):
        with pytest.raises(UsageError, match="unknown device"):
            choose_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(MissingModelError, match="not available"):
            choose_device("cuda")
    assert half_precision(torch.device("cpu")) in (torch.bfloat16, torch.float32)


def wrapped(tensors: dict[str, torch.Tensor]) -> Any:
    return {"model": tensors, "epoch": 3}


def parallel(tensors: dict[str, torch.Tensor]) -> Any:
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def half(tensors: dict[str, torch.Tensor]) -> Any:
    return {name: tensor.half() for name, tensor in tensors.items()}


def bfloat(tensors: dict[str, torch.Tensor]) -> Any:
    return {name: tensor.bfloat16() for name, tensor in tensors.items()}


@pytest.mark.parametrize("kind", [wrapped, parallel, half, bfloat])
def test_weights_are_found_however_they_were_saved(tmp_path: Path, kind: Any) -> None:
    sam = vit(2, 32, 2)
    torch.save(kind(sam.state_dict()), tmp_path / "sam.pth")
    found = load_segmenter(tmp_path / "sam.pth", "cpu").sam
    name = "prompt_encoder.no_mask_embed.weight"
    expected = sam.state_dict()[name]
    assert torch.allclose(found.state_dict()[name].float(), expected, atol=1e-2)


def test_a_checkpoint_in_safetensors_is_told_by_its_tensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = {name: value.contiguous() for name, value in vit(2, 32, 2).state_dict().items()}
    save_file(tensors, tmp_path / "sam.safetensors")
    assert load_segmenter(tmp_path / "sam.safetensors", "cpu").id == "vit_32x2"


FAMILIES = {
    "SAM-HQ": {
        "mask_decoder.hf_token.weight": (1, 2),
        "mask_decoder.compress_vit_feat.0.weight": (2,),
    },
    "an adapted SAM": {"image_encoder.blocks.0.Space_Adapter.fc.weight": (2,)},
}
OTHERS = {
    "SAM 2": "image_encoder.trunk.pos_embed",
    "SAM 3": "detector.backbone.vision_backbone.trunk.pos_embed",
    "MobileSAM": "image_encoder.layers.0.blocks.0.conv1.c.weight",
    "transformers": "vision_encoder.pos_embed",
}


@pytest.mark.parametrize("family", [*FAMILIES, *OTHERS])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_relatives_are_named_in_a_short_line(tmp_path: Path, family: str, suffix: str) -> None:
    from safetensors.torch import save_file

    tensors = {OTHERS[family]: torch.zeros(2)} if family in OTHERS else vit(2, 32, 2).state_dict()
    tensors |= {name: torch.zeros(shape) for name, shape in FAMILIES.get(family, {}).items()}
    path = tmp_path / f"other{suffix}"
    if suffix == ".pth":
        torch.save({"model": tensors}, path)
    else:
        save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    with pytest.raises(MissingModelError, match=family) as caught:
        load_segmenter(path, "cpu")
    assert len(caught.value.message) < 120


def test_settings_beside_the_weights_are_told_apart_from_damage(tmp_path: Path) -> None:
    import argparse

    torch.save({"model": {}, "args": argparse.Namespace(lr=1)}, tmp_path / "sam.pth")
    with pytest.raises(MissingModelError, match=r"more than tensors.*state dict"):
        load_segmenter(tmp_path / "sam.pth", "cpu")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    tensors = vit(2, 32, 2).state_dict()
    tensors["image_encoder.pos_embed"][0, 0, 0, 0] = float("nan")
    torch.save(tensors, tmp_path / "sam.pth")
    with pytest.raises(MissingModelError, match="not all finite"):
        load_segmenter(tmp_path / "sam.pth", "cpu")
