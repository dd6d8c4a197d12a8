"""Content encoder and light decoder with small random weights: shapes, invariance, files."""

import pytest
import torch

from eie.errors import MissingModelError
from eie.models.content_checkpoints import (
    load_content_encoder,
    load_light_decoder,
    save_content_model,
)
from eie.models.content_encoder import ContentEncoder
from eie.models.light_decoder import LightDecoder, PatchHead
from tests.models.test_linear_code import smooth_basis

CODE = {"embedding_dim": 32, "patch_size": 16}
SMALL = {"token_dim": 16, "self_layers": 2, "trunk_dim": 16, "cross_layers": 2, "heads": 2}


def random_encoder(**options) -> ContentEncoder:
    torch.manual_seed(0)
    sizes = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4, "layers_per_block": 1}
    return ContentEncoder(**CODE, **sizes, unshuffle=True, **options).eval()


def random_decoder(**options) -> LightDecoder:
    torch.manual_seed(0)
    return LightDecoder(**CODE, **SMALL, neighbours=4, **options).eval()


def grid(rows: int, columns: int, cell: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    centre = (torch.stack([x, y], dim=-1).flatten(0, 1) + 0.5) * cell
    return torch.cat([centre, torch.full_like(centre, cell * 1.2)], dim=1)[None]


def test_encoder_makes_one_vector_a_patch() -> None:
    with torch.no_grad():
        assert random_encoder()(torch.rand(5, 4, 16, 16)).shape == (5, 32)


def test_paper_scale_has_four_downsamplings() -> None:
    with torch.device("meta"):
        encoder = ContentEncoder()
    convolutions = [block for block in encoder.convolutions.down_blocks if block.downsamplers]
    assert len(convolutions) == 4


def test_linear_code_is_where_training_starts() -> None:
    encoder = random_encoder(luma=16, chroma=4, shape=8)
    patches = torch.rand(3, 4, 16, 16)
    with torch.no_grad():
        assert torch.equal(encoder(patches), encoder.linear(patches))


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="embedding_dim"):
        random_encoder(luma=1)


@pytest.mark.parametrize(("rows", "columns", "cell"), [(1, 1, 40), (4, 4, 16), (16, 24, 8)])
def test_any_canvas_and_any_number_of_elements(rows: int, columns: int, cell: int) -> None:
    box = grid(rows, columns, cell)
    embeddings = torch.randn(1, box.shape[1], 32)
    visible = torch.ones(1, box.shape[1], dtype=torch.bool)
    size = (rows * cell, columns * cell + 3)
    with torch.no_grad():
        picture = random_decoder()(embeddings, box, visible, size)
    assert picture.shape == (1, 3, *size) and picture.isfinite().all()


def test_padding_elements_change_nothing() -> None:
    box = grid(4, 4, 16)
    embeddings = torch.randn(1, 16, 32)
    visible = torch.ones(1, 16, dtype=torch.bool)
    decoder = random_decoder()
    with torch.no_grad():
        alone = decoder(embeddings, box, visible, (64, 64))
        padded = decoder(
            torch.cat([embeddings, torch.randn(1, 5, 32)], dim=1),
            torch.cat([box, torch.ones(1, 5, 4)], dim=1),
            torch.cat([visible, torch.zeros(1, 5, dtype=torch.bool)], dim=1),
            (64, 64),
        )
    assert torch.allclose(alone, padded, atol=1e-5)


def test_components_beyond_the_code_add_nothing_until_tokens_tell_them() -> None:
    code = (16, 4, 8)
    narrow = PatchHead(32, 16, 8, code, (0, 0, 0))
    wide = PatchHead(32, 16, 8, code, (0, 0, 12))
    with torch.no_grad():
        for name in ("luma_basis", "chroma_basis", "shape_basis"):
            basis = getattr(narrow, name)
            getattr(wide, name)[:, : basis.shape[1]] = basis
        embeddings, tokens = torch.randn(1, 3, 32), torch.randn(1, 3, 16)
        expected = narrow(embeddings, tokens)
        assert expected.shape == (1, 3, 4, 8, 8)
        assert torch.allclose(wide(embeddings, tokens), expected, atol=1e-6)
        wide.correction.weight.normal_()
        assert not torch.allclose(wide(embeddings, tokens), expected, atol=1e-2)
    with pytest.raises(ValueError, match="at least the components"):
        PatchHead(32, 16, 8, code, (8, 4, 8))


def test_a_decoder_finds_the_axes_that_an_encoder_coded_by() -> None:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    basis = smooth_basis(16, 24)
    encoder = random_encoder(luma=16, chroma=4, shape=8, patch_luma=24, patch_chroma=6)
    head = PatchHead(32, 16, 16, (16, 4, 8), (24, 6, 8))
    masks = torch.stack([x < 8, y < 8, x + y < 16]).float()  # (3, 16, 16)
    spread = basis[:, :8] / basis[:, :8].norm(dim=0)
    with torch.no_grad():
        for code in (encoder.linear, head.code):
            code.luma_basis.copy_(basis)
            code.chroma_basis.copy_(basis[:, :6])
            code.shape_basis.copy_(spread)
        head.luma_basis.copy_(basis)
        head.chroma_basis.copy_(basis[:, :6])
        grey = 0.45 + (torch.randn(3, 12) @ basis[:, :12].mT).view(3, 1, 16, 16)
        patches = torch.cat([grey.expand(-1, 3, -1, -1) * masks[:, None], masks[:, None]], dim=1)
        decoded = head(encoder(patches)[None], torch.zeros(1, 3, 16))[0]
    error = ((decoded[:, :3] - grey) * masks[:, None]).norm() / (grey * masks[:, None]).norm()
    assert error < 0.05


def test_the_trunk_adds_nothing_where_no_element_is() -> None:
    decoder = random_decoder()
    torch.nn.init.normal_(decoder.head.weight)
    box = grid(4, 4, 16)
    visible = torch.ones(1, 16, dtype=torch.bool)
    with torch.no_grad():
        picture, covered = decoder.decode(torch.randn(1, 16, 32), box, visible, (64, 256))
    steps = picture.diff(dim=3).abs()
    assert covered[..., :60].float().mean() > 0.9 and not covered[..., 80:].any()
    assert steps[..., :60].mean() > 0.05 > 100 * steps[..., 100:].mean()


def test_shifting_all_elements_shifts_the_picture() -> None:
    box = grid(3, 3, 32) + torch.tensor([32.0, 32, 0, 0])
    embeddings = torch.randn(1, 9, 32)
    visible = torch.ones(1, 9, dtype=torch.bool)
    decoder = random_decoder()
    with torch.no_grad():
        first = decoder(embeddings, box, visible, (224, 224))
        second = decoder(embeddings, box + torch.tensor([64.0, 32, 0, 0]), visible, (224, 224))
    assert torch.allclose(first[..., 40:120, 40:120], second[..., 72:152, 104:184], atol=1e-4)


def test_models_survive_saving_and_know_each_other(tmp_path) -> None:
    save_content_model(tmp_path, random_encoder(), random_decoder())
    encoder, decoder = load_content_encoder(tmp_path), load_light_decoder(tmp_path)
    assert decoder.model.config.encoder_hash == encoder.weight_hash
    assert encoder.model.dtype == torch.float32
    expected = random_encoder().half().float()
    patches = torch.rand(2, 4, 16, 16)
    with torch.no_grad():
        assert torch.allclose(encoder.model(patches), expected(patches), atol=1e-6)


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_unusable_models_are_named(tmp_path, damage: str) -> None:
    save_content_model(tmp_path, random_encoder(), random_decoder())
    weights = tmp_path / "content_encoder" / "diffusion_pytorch_model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        weights.write_text("not weights")
    with pytest.raises(MissingModelError, match=r"local model folder"):
        load_content_encoder(tmp_path)
