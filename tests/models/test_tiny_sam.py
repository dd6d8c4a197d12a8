"""The tiny segmenter with random weights: shapes, and what sharing the image must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eie.models.tiny_sam import TinySamConfig, build_tiny_sam

SIDE = 128


@pytest.fixture(scope="module")
def random_sam():
    torch.manual_seed(0)
    return build_tiny_sam(TinySamConfig(img_size=SIDE, width=32, mask_width=8)).eval()


def prompts(sam, points):
    coordinates = torch.tensor(points, dtype=torch.float32)[:, None]
    return sam.prompt_encoder((coordinates, torch.ones(len(points), 1)), None, None)


@torch.no_grad()
def embed(sam, seed=0):
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 255
    return sam.image_encoder(sam.preprocess(image))


@torch.no_grad()
def test_shapes(random_sam):
    embedding = embed(random_sam)
    assert embedding.shape == (1, 32, SIDE // 4, SIDE // 4)
    sparse, dense = prompts(random_sam, [(10.0, 20.0), (64.0, 64.0), (100.0, 5.0)])
    masks, quality = random_sam.mask_decoder.predict_masks(
        embedding, random_sam.prompt_encoder.get_dense_pe(), sparse, dense
    )
    assert masks.shape == (3, 1, SIDE // 2, SIDE // 2)
    assert quality.shape == (3, 1)


@torch.no_grad()
def test_prompts_do_not_see_each_other(random_sam):
    embedding, encoding = embed(random_sam), random_sam.prompt_encoder.get_dense_pe()
    points = [(10.0, 20.0), (64.0, 64.0), (100.0, 5.0)]
    together, _ = random_sam.mask_decoder.predict_masks(
        embedding, encoding, *prompts(random_sam, points)
    )
    for point, mask in zip(points, together, strict=True):
        alone, _ = random_sam.mask_decoder.predict_masks(
            embedding, encoding, *prompts(random_sam, [point])
        )
        torch.testing.assert_close(alone[0], mask, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_batch_of_images_equals_one_after_the_other(random_sam):
    embeddings = [embed(random_sam, seed) for seed in (1, 2)]
    encoding = random_sam.prompt_encoder.get_dense_pe()
    sparse, _ = prompts(random_sam, [(10.0, 20.0), (64.0, 64.0)])
    no_mask = torch.zeros_like(embeddings[0])
    decode = random_sam.mask_decoder.predict_masks
    batch, _ = decode(
        torch.cat(embeddings), encoding, torch.cat([sparse, sparse]), no_mask.expand(2, -1, -1, -1)
    )
    for embedding, masks in zip(embeddings, batch.split(2), strict=True):
        alone, _ = decode(embedding, encoding, sparse, no_mask)
        torch.testing.assert_close(alone, masks, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_transformer_never_writes_to_the_image(random_sam):
    embedding, encoding = embed(random_sam), random_sam.prompt_encoder.get_dense_pe()
    tokens = torch.randn(5, 4, 32)
    queries, keys = random_sam.mask_decoder.transformer(embedding, encoding, tokens)
    assert queries.shape == tokens.shape
    assert torch.equal(keys, embedding.flatten(2).transpose(1, 2))


@torch.no_grad()
def test_a_window_reads_where_its_point_lies(random_sam):
    encoder, window = random_sam.prompt_encoder, random_sam.mask_decoder.point_window
    encoding = encoder.get_dense_pe().flatten(2).transpose(1, 2)  # (1, K, C)
    side = SIDE // 4
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    places = torch.stack([columns, rows], dim=-1).reshape(1, -1, 2) * 4.0 + 2  # (1, K, 2)
    points = torch.tensor([[[30.0, 90.0]], [[100.0, 40.0]]])
    encoded = encoder.pe_layer.forward_with_coords(points, (SIDE, SIDE))  # (2, 1, C)
    read = window(encoded.transpose(0, 1), places, encoding)  # (1, 2, 2)
    np.testing.assert_allclose(read[0], points[:, 0], atol=8)


def test_segment_anything_s_predictor_accepts_it():
    from segment_anything import SamPredictor

    torch.manual_seed(0)
    predictor = SamPredictor(build_tiny_sam().eval())
    predictor.set_image(np.zeros((60, 90, 3), np.uint8))
    masks, quality, _ = predictor.predict(
        np.array([[45, 30]]), np.array([1]), multimask_output=False
    )
    assert masks.shape == (1, 60, 90)
    assert quality.shape == (1,)
