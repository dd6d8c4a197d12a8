"""θ_S beside a small U-Net with random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel

from eie.models.element_attention import (
    ElementAttention,
    attend_to_elements,
    fourier_embedding,
    text_attentions,
)

EMBEDDING = 6


def random_unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=5,
        attention_head_dim=2,
    ).eval()


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 4, 8, 16), torch.tensor([3, 700]), torch.randn(2, 3, 5)


def elements(count: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    box = torch.rand(2, count, 4) * 0.5 + 0.25
    return torch.randn(2, count, EMBEDDING), box, torch.ones(2, count, dtype=torch.bool)


def awake(attention: ElementAttention) -> ElementAttention:
    """Outputs that are not zero, as after some training."""
    torch.manual_seed(3)
    for layer in attention.layers.values():
        torch.nn.init.normal_(layer.to_out.weight, std=0.3)
    return attention.eval()


def reading(geometry_bias: bool) -> tuple[UNet2DConditionModel, ElementAttention]:
    """A U-Net, and the element attention that it reads with."""
    unet = random_unet()
    attention = awake(ElementAttention.for_unet(unet, EMBEDDING, geometry_bias=geometry_bias))
    attend_to_elements(unet)
    return unet, attention


@pytest.mark.parametrize("geometry_bias", [False, True])
def test_a_new_one_changes_nothing(geometry_bias: bool) -> None:
    unet = random_unet()
    sample, step, text = inputs()
    with torch.no_grad():
        stock = unet(sample, step, text).sample
        attention = ElementAttention.for_unet(unet, EMBEDDING, geometry_bias=geometry_bias)
        attend_to_elements(unet)
        context = attention(*elements(), aspect=2.0)
        ours = unet(sample, step, text, cross_attention_kwargs={"elements": context}).sample
        without = unet(sample, step, text).sample
    assert torch.equal(ours, stock)
    assert torch.equal(without, stock)


@pytest.mark.parametrize("geometry_bias", [False, True])
def test_elements_matter_and_absent_ones_do_not(geometry_bias: bool) -> None:
    unet, attention = reading(geometry_bias)
    sample, step, text = inputs()
    embeddings, box, present = elements()

    def predicted(embeddings, box, present) -> torch.Tensor:
        context = attention(embeddings, box, present, aspect=2.0)
        with torch.no_grad():
            return unet(sample, step, text, cross_attention_kwargs={"elements": context}).sample

    whole = predicted(embeddings, box, present)
    moved = predicted(embeddings, box + 0.1, present)
    assert not torch.allclose(whole, moved, atol=1e-4)
    fewer = present.clone()
    fewer[:, 3:] = False
    masked = predicted(embeddings, box, fewer)
    cut = predicted(embeddings[:, :3], box[:, :3], present[:, :3])
    assert torch.allclose(masked, cut, atol=1e-5)
    null = predicted(embeddings, box, torch.zeros_like(present))
    assert torch.isfinite(null).all()
    assert not torch.allclose(null, whole, atol=1e-4)


@pytest.mark.parametrize("geometry_bias", [False, True])
def test_null_rows_read_what_a_null_set_reads(geometry_bias: bool) -> None:
    unet, attention = reading(geometry_bias)
    sample, step, text = inputs()
    embeddings, box, present = elements()
    present[0] = False
    with torch.no_grad():
        both = attention(embeddings, box, present, aspect=2.0)
        second = attention(embeddings[1:], box[1:], present[1:], aspect=2.0)
        short = replace(second, null_rows=1)
        one, other = (
            unet(sample, step, text, cross_attention_kwargs={"elements": context}).sample
            for context in (both, short)
        )
    torch.testing.assert_close(other, one)
    assert (one[0] - one[1]).abs().max() > 0.01


def test_the_outputs_are_added_to_the_text_attention() -> None:
    unet = random_unet()
    attention = awake(ElementAttention.for_unet(unet, EMBEDDING))
    name = text_attentions(unet)[0]
    layer = dict(unet.named_modules())[name]
    hidden, text = torch.randn(2, 32, 8), torch.randn(2, 3, 5)
    context = attention(*elements())
    with torch.no_grad():
        text_alone = layer(hidden, text)
        attend_to_elements(unet)
        both = layer(hidden, text, elements=context)
        added = context.layers[name](hidden, context.keys[name], context.values[name], context)
    assert torch.allclose(both - text_alone, added, atol=1e-6)


def test_saved_and_loaded(tmp_path) -> None:
    attention = awake(ElementAttention.for_unet(random_unet(), EMBEDDING, geometry_bias=True))
    attention.save_pretrained(tmp_path)
    again = ElementAttention.from_pretrained(tmp_path)
    assert again.config.layer_sizes == attention.config.layer_sizes
    context, expected = again(*elements()), attention(*elements())
    for name in expected.keys:
        assert torch.equal(context.keys[name], expected.keys[name])


def test_fourier_embedding() -> None:
    box = torch.tensor([[[0.5, 0.25, 1.0, 0.125]]])
    embedded = fourier_embedding(box, 2).view(4, 4)
    assert embedded.shape == (4, 4)
    torch.testing.assert_close(
        embedded[0], torch.tensor([1.0, 0.0, 0.0, -1.0]), atol=1e-6, rtol=0
    )  # sin π/2, sin π, cos π/2, cos π


@pytest.mark.parametrize("geometry_bias", [False, True])
def test_a_box_on_its_side_reads_as_the_upright_one_of_its_sides_exchanged(
    geometry_bias: bool,
) -> None:
    unet, attention = reading(geometry_bias)
    (sample, step, text), (embeddings, box, present) = inputs(), elements()
    aspect = 2.0
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).expand(2, 5, 2, 2)
    exchanged = torch.cat([box[..., :2], box[..., 3:] / aspect, box[..., 2:3] * aspect], dim=2)

    def read(boxes: torch.Tensor, frame: torch.Tensor | None) -> torch.Tensor:
        context = attention(embeddings, boxes, present, aspect, frame)
        given = {"elements": context}
        return unet(sample, step, text, cross_attention_kwargs=given).sample

    with torch.no_grad():
        assert torch.allclose(read(box, quarter), read(exchanged, None), atol=1e-5)
        assert not torch.allclose(read(box, quarter), read(box, None), atol=1e-3)
        upright = torch.eye(2).expand(2, 5, 2, 2)
        assert torch.allclose(read(box, upright), read(box, None), atol=1e-6)
