"""The fast encoder and decoder against segment_anything's own, small and with random weights."""

from functools import partial
from typing import Any

import pytest
import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from eie.models.sam_decoder import decode_prompts
from eie.models.sam_encoder import encode_image


def small_sam(depth: int = 2, grid: int = 8, window: int = 3) -> Sam:
    """A Sam with 64 image positions; every parameter random, zero-initialised ones too."""
    torch.manual_seed(0)
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=16 * grid,
            embed_dim=48,
            depth=3,
            num_heads=3,
            out_chans=64,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=window,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(64, (grid, grid), (16 * grid, 16 * grid), 16),
        mask_decoder=MaskDecoder(
            transformer_dim=64,
            transformer=TwoWayTransformer(depth, 64, 8, 128),
            num_multimask_outputs=3,
        ),
    )
    with torch.no_grad():
        for parameter in sam.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return sam.eval()


def stock_masks(
    sam: Any, image: torch.Tensor, points: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 4, 4h, 4w) of single points by segment_anything's modules, and their quality (N, 4)."""
    labels = torch.ones(points.shape[:2])
    sparse, dense = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    encoding = sam.prompt_encoder.get_dense_pe()
    return sam.mask_decoder.predict_masks(image, encoding, sparse, dense)


def stock_logits(sam: Any, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """(N, 4h, 4w) of single points by segment_anything's modules."""
    labels = torch.ones(points.shape[:2])
    sparse, dense = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    encoding = sam.prompt_encoder.get_dense_pe()
    return sam.mask_decoder(image, encoding, sparse, dense, multimask_output=False)[0][:, 0]


def fast_logits(
    sam: Any, image: torch.Tensor, points: torch.Tensor, rows: int, columns: int
) -> torch.Tensor:
    labels = torch.ones(points.shape[:2])
    sparse, dense = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    encoding = sam.prompt_encoder.get_dense_pe()
    batches = decode_prompts(sam.mask_decoder, image + dense[:1], encoding, sparse, rows, columns)
    return torch.cat([masks[:, 0] for masks, _ in batches])


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_decoder_gives_the_stock_logits(depth: int) -> None:
    sam = small_sam(depth)
    image, points = torch.randn(1, 64, 8, 8), 128 * torch.rand(7, 1, 2)
    with torch.inference_mode():
        expected = stock_logits(sam, image, points)
        found = fast_logits(sam, image, points, 32, 32)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_decoder_gives_the_masks_of_an_ambiguous_point(depth: int) -> None:
    sam = small_sam(depth)
    image, points = torch.randn(1, 64, 8, 8), 128 * torch.rand(5, 1, 2)
    with torch.inference_mode():
        expected = stock_masks(sam, image, points)
        sparse, dense = sam.prompt_encoder((points, torch.ones(5, 1)), None, None)
        encoding = sam.prompt_encoder.get_dense_pe()
        image = image + dense[:1]
        batches = list(decode_prompts(sam.mask_decoder, image, encoding, sparse, 20, 32, 4))
    found = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    torch.testing.assert_close(found[0], expected[0][:, :, :20], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], expected[1], atol=1e-4, rtol=1e-4)


def test_the_decoder_gives_the_wanted_part_only() -> None:
    sam = small_sam()
    image, points = torch.randn(1, 64, 8, 8), 128 * torch.rand(3, 1, 2)
    with torch.inference_mode():
        expected = stock_logits(sam, image, points)[:, :13, :30]
        found = fast_logits(sam, image, points, 13, 30)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_in_bfloat16_the_decoder_is_as_near_as_the_stock_one() -> None:
    sam = small_sam()
    image, points = torch.randn(1, 64, 8, 8), 128 * torch.rand(16, 1, 2)
    with torch.inference_mode():
        exact = stock_logits(sam, image, points)
        sparse, dense = sam.prompt_encoder((points, torch.ones(16, 1)), None, None)
        encoding = sam.prompt_encoder.get_dense_pe()
        decoder = sam.mask_decoder.bfloat16()
        half = [x.bfloat16() for x in (image, encoding, sparse, dense)]
        stock = decoder(*half, multimask_output=False)[0][:, 0]
        batches = decode_prompts(decoder, image + dense[:1], encoding, sparse, 32, 32)
        found = torch.cat([masks[:, 0] for masks, _ in batches])
    assert found.dtype == torch.bfloat16
    assert (found - exact).abs().mean() < 1.25 * (stock - exact).abs().mean()


@pytest.mark.parametrize("window", [3, 4, 8])
def test_the_encoder_gives_the_stock_embedding(window: int) -> None:
    encoder = small_sam(window=window).image_encoder
    image = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(
            encode_image(encoder, image), encoder(image), atol=1e-4, rtol=1e-4
        )


def test_in_bfloat16_the_encoder_is_as_near_as_the_stock_one() -> None:
    encoder = small_sam().image_encoder
    image = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        exact = encoder(image)
        encoder.bfloat16()
        stock = encoder(image.bfloat16())
        found = encode_image(encoder, image.bfloat16())
    assert (found - exact).abs().mean() < 1.25 * (stock - exact).abs().mean()


def test_without_relative_positions_the_encoder_agrees_too() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoderViT(img_size=64, embed_dim=32, depth=2, num_heads=2, out_chans=16)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            encode_image(encoder, image), encoder(image), atol=1e-4, rtol=1e-4
        )


def test_an_encoder_of_another_kind_is_called() -> None:
    assert encode_image(lambda image: image + 1, torch.zeros(1)).item() == 1
