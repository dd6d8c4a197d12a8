"""The embedded segmenter `tiny`: a segment_anything `Sam` small enough for a laptop CPU.

pixels ⇒ pyramid features ⇒ image embedding (stride 4) ⇒ mask features (stride 2)
points ⇒ tokens ⇒ one mask vector each;  s(m, n) = mask feature of pixel m · mask vector of query n

It differs from the large SAMs in three parts. The image encoder is a feature pyramid on
EfficientNet-Lite0. The decoder's transformer never updates the image, so that all prompts of an
image share its embedding and its mask features. And the dot product is laid out as a distance,
s(m, n) = c(n) − ½‖u(m) − v(n)‖², in which v(n) is the feature u at the query's point, shifted by
the transformer: a mask begins as what looks like its point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.efficientnet_lite import EfficientNetLite, imagenet_backbone
from eie.models.efficientnet_lite_weights import LITE0, PIXEL_MEAN, PIXEL_STD
from eie.models.object_head import ObjectEnsemble
from eie.models.sam_modeling import MLP, Attention, MaskDecoder, MLPBlock, PromptEncoder, Sam
from eie.models.tiny_graphs import RECOGNISER

# Standard deviation of the backbone's features on photos under the ImageNet weights.
LITE0_DEVIATION = (6.2, 8.1, 6.9, 5.6, 2.7)

EMBEDDING_STRIDE = 4
MASK_STRIDE = 2


@dataclass(frozen=True)
class TinySamConfig:
    """Sizes of the tiny segmenter.

    img_size: side of the padded square input, a multiple of 32.
    width: channels C of the image embedding and of the prompt tokens.
    mask_width: channels of the mask features and the mask vectors.
    depth, heads, mlp_width: layers, attention heads and hidden units of the prompt transformer.
    """

    img_size: int = 512
    width: int = 96
    mask_width: int = 32
    depth: int = 2
    heads: int = 4
    mlp_width: int = 256


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around which the input is carried."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PyramidImageEncoder(nn.Module):
    """Top-down feature pyramid on EfficientNet-Lite0, to one embedding map at stride 4.

    What is finer than stride 4 (stride-2 features and the pixels themselves) enters unshuffled
    into channels, so that the mask features can follow borders to the pixel.
    """

    def __init__(self, img_size: int, width: int) -> None:
        super().__init__()
        self.img_size = img_size
        self.backbone = EfficientNetLite()
        stride2, stride4, *coarse = LITE0.pyramid
        fine = stride4 + 4 * stride2 + 3 * EMBEDDING_STRIDE**2
        self.fine = nn.Conv2d(fine, width, 3, padding=1)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in coarse)
        self.refine = nn.ModuleList(ResidualBlock(width) for _ in coarse)
        self.fuse = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.norm = ChannelNorm(width)
        self._scale_to_backbone(stride2, stride4)

    @torch.no_grad()
    def _scale_to_backbone(self, stride2: int, stride4: int) -> None:
        """Begin with unit activations for the backbone's large ones."""
        for lateral, deviation in zip(self.lateral, LITE0_DEVIATION[2:], strict=True):
            for weight in lateral.parameters():
                weight.div_(deviation)
        self.fine.weight[:, :stride4].div_(LITE0_DEVIATION[1])
        self.fine.weight[:, stride4 : stride4 + 4 * stride2].div_(LITE0_DEVIATION[0])

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised pixels, sides multiples of 32 ⇒ (B, C, H/4, W/4)."""
        return self.levels(x)[-1]

    def levels(self, x: Tensor) -> tuple[Tensor, ...]:
        """What is made of an image on the way to its embedding.

        Args:
            x: (B, 3, H, W) normalised pixels, sides multiples of 32.

        Returns:
            mean colours at stride 4, in [0, 1]; the top-down features at strides 32, 16 and 8; the
            embedding at 4: (B, C, H/s, W/s) each.
        """
        stride2, stride4, *coarse = self.backbone(x)
        pairs = list(zip(coarse, self.lateral, self.refine, strict=True))
        features, lateral, refine = pairs.pop()
        tops = [refine(lateral(features))]  # (B, C, H/32, W/32)
        for features, lateral, refine in reversed(pairs):
            above = F.interpolate(tops[-1], scale_factor=2.0, mode="nearest")
            tops.append(refine(lateral(features) + above))  # (B, C, H/s, W/s), s = 16, 8
        fine = torch.cat(
            [
                stride4,  # (B, 24, H/4, W/4)
                F.pixel_unshuffle(stride2, 2),  # (B, 64, H/4, W/4)
                F.pixel_unshuffle(x, EMBEDDING_STRIDE),  # (B, 48, H/4, W/4)
            ],
            dim=1,
        )
        level = self.fine(fine)  # (B, C, H/4, W/4)
        level = level + F.interpolate(tops[-1], scale_factor=2.0, mode="bilinear")
        embedding = self.norm(self.fuse(level))  # (B, C, H/4, W/4)
        colours = F.avg_pool2d(x, EMBEDDING_STRIDE) * (PIXEL_STD[0] / 255) + PIXEL_MEAN[0] / 255
        return (colours, *tops, embedding)


class FusedAttention(Attention):
    """segment_anything's attention layer through PyTorch's fused kernel."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q = self._separate_heads(self.q_proj(q), self.num_heads)  # (B, heads, Q, c)
        k = self._separate_heads(self.k_proj(k), self.num_heads)  # (B, heads, K, c)
        v = self._separate_heads(self.v_proj(v), self.num_heads)  # (B, heads, K, c)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(self._recombine_heads(out))  # (B, Q, C)


class PointWindow(nn.Module):
    """Reads an image where prompts' points lie.

    Point and image share one positional encoding, whose inner product falls off as a Gaussian of
    their distance; a softmax over it is a window around the point. It is a few pixels wide at
    the start and learns its width.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, points: Tensor, values: Tensor, value_pe: Tensor) -> Tensor:
        """points (I, P, C), values (I, K, D), value_pe (I, K, C) ⇒ (I, P, D)."""
        # The logits reach far beyond what bfloat16 resolves.
        with torch.autocast(points.device.type, enabled=False):
            sharpness = self.log_sharpness.float().exp()
            logits = sharpness * points.float() @ value_pe.float().transpose(1, 2)  # (I, P, K)
            return logits.softmax(dim=-1).to(values.dtype) @ values


class SharedImageLayer(nn.Module):
    """SAM's two-way block without its image-to-token half."""

    def __init__(self, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.self_attn = FusedAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = FusedAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLPBlock(width, mlp_width, nn.GELU)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, queries: Tensor, query_pe: Tensor, keys: Tensor, key_pe: Tensor) -> Tensor:
        """queries, query_pe (P, T, C); keys, key_pe (I, K, C), I dividing P ⇒ (P, T, C)."""
        q = queries + query_pe
        queries = self.norm1(queries + self.self_attn(q=q, k=q, v=queries))
        q = (queries + query_pe).view(keys.shape[0], -1, keys.shape[2])  # (I, P/I·T, C)
        read = self.cross_attn_token_to_image(q=q, k=keys + key_pe, v=keys)
        queries = self.norm2(queries + read.view(queries.shape))
        return self.norm3(queries + self.mlp(queries))


class SharedImageTransformer(nn.Module):
    """Prompt transformer that reads the image and never writes to it.

    Called as segment_anything's `TwoWayTransformer`; the image may also have a smaller batch than
    the prompts, each image then serving an equal run of consecutive prompts.
    """

    POINT_POOL = 2
    IMAGE_POOL = 4

    def __init__(
        self, width: int, depth: int, heads: int, mlp_width: int, output_tokens: int
    ) -> None:
        super().__init__()
        self.output_tokens = output_tokens
        self.point_window = PointWindow()
        self.point_proj = nn.Linear(width, width)
        self.layers = nn.ModuleList(SharedImageLayer(width, heads, mlp_width) for _ in range(depth))

    def forward(
        self, image_embedding: Tensor, image_pe: Tensor, point_embedding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Image (I, C, h, w), its encoding (I, C, h, w), tokens (P, T, C), I dividing P.

        The first `output_tokens` tokens of every prompt are the decoder's own, the rest points.
        Returns the tokens (P, T, C) and the image unchanged, as (I, h·w, C).
        """
        images, width = image_embedding.shape[:2]
        tokens = point_embedding.shape[1]

        points = point_embedding[:, self.output_tokens :]  # (P, T - O, C)
        read = self.point_window(
            points.reshape(images, -1, width),
            _pooled(image_embedding, self.POINT_POOL),
            _pooled(image_pe, self.POINT_POOL),
        )  # (I, P/I·(T - O), C)
        read = self.point_proj(read.view(points.shape))  # (P, T - O, C)
        read = F.pad(read, (0, 0, tokens - points.shape[1], 0))  # (P, T, C)
        queries = point_embedding + read

        keys = _pooled(image_embedding, self.IMAGE_POOL)  # (I, K, C)
        key_pe = _pooled(image_pe, self.IMAGE_POOL)  # (I, K, C)
        for layer in self.layers:
            queries = layer(queries, point_embedding, keys, key_pe)
        return queries, image_embedding.flatten(2).transpose(1, 2)


def _pooled(x: Tensor, factor: int) -> Tensor:
    """(I, C, h, w) ⇒ (I, h·w / factor², C), means of factor × factor positions."""
    return F.avg_pool2d(x, factor).flatten(2).transpose(1, 2)


class TinyMaskDecoder(MaskDecoder):
    """SAM's mask decoder with one mask a prompt, mask features at stride 2 and a shared image."""

    POINT_POOL = 2

    def __init__(self, config: TinySamConfig) -> None:
        super().__init__(
            transformer_dim=config.width,
            transformer=SharedImageTransformer(
                config.width, config.depth, config.heads, config.mlp_width, output_tokens=2
            ),
            num_multimask_outputs=0,
            iou_head_hidden_dim=config.width,
        )
        fine = 2 * config.mask_width
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(config.width, fine, kernel_size=2, stride=2),
            nn.ReLU(),
            nn.Conv2d(fine, config.mask_width, 3, padding=1),
        )
        # Shift of the mask's centre, and its peak c.
        self.output_hypernetworks_mlps = nn.ModuleList(
            [MLP(config.width, config.width, config.mask_width + 1, 3)]
        )
        self.point_window = PointWindow()

    def predict_masks(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Mask logits (P, 1, 2h, 2w) and their estimated IoU (P, 1) for P prompts.

        image_embeddings, image_pe: (I, C, h, w) and (1 or I, C, h, w), I dividing P: each image
        serves an equal run of consecutive prompts. dense_prompt_embeddings: (P or I, C, h, w);
        prompts of one image share its first one, because they share the image.
        """
        vectors, features, iou = self.mask_parts(
            image_embeddings, image_pe, sparse_prompt_embeddings, dense_prompt_embeddings
        )
        # Squares need more digits than bfloat16 has.
        with torch.autocast(vectors.device.type, enabled=False):
            masks = vectors @ features.flatten(2)  # (I, P/I, 4hw)
        return masks.reshape(-1, 1, *features.shape[2:]), iou

    def mask_parts(
        self,
        image_embeddings: Tensor,
        image_pe: Tensor,
        sparse_prompt_embeddings: Tensor,
        dense_prompt_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What mask logits are the product of, and the masks' estimated IoU (P, 1).

        Arguments as of :meth:`predict_masks`.

        Returns:
            the prompts' vectors (I, P/I, c + 2), the image's features (I, c + 2, 2h, 2w), and IoU.
        """
        images = image_embeddings.shape[0]
        prompts = sparse_prompt_embeddings.shape[0]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])  # (2, C)
        tokens = torch.cat([own.expand(prompts, -1, -1), sparse_prompt_embeddings], dim=1)

        dense = dense_prompt_embeddings[:: dense_prompt_embeddings.shape[0] // images]
        image = image_embeddings + dense  # (I, C, h, w)
        hidden, _ = self.transformer(image, image_pe.expand_as(image), tokens)  # (P, T, C)

        upscaled = self.output_upscaling(image)  # (I, c, 2h, 2w)
        output = self.output_hypernetworks_mlps[0](hidden[:, 1])  # (P, c + 1)
        output = output.float().view(images, -1, output.shape[1])  # (I, P/I, c + 1)
        shift, peak = output[..., :-1], output[..., -1:]
        # Squares need more digits than bfloat16 has.
        with torch.autocast(upscaled.device.type, enabled=False):
            features = upscaled.float()  # (I, c, 2h, 2w)
            at_point = self.point_window(
                sparse_prompt_embeddings[:, 0].reshape(images, -1, self.transformer_dim),
                _pooled(features, self.POINT_POOL * MASK_STRIDE),
                _pooled(image_pe.expand_as(image), self.POINT_POOL),
            )  # (I, P/I, c)
            centre = at_point + shift  # (I, P/I, c)
            peak = peak - centre.square().sum(dim=2, keepdim=True) / 2
            vectors = torch.cat([centre, peak, torch.ones_like(peak)], dim=2)  # (I, P/I, c + 2)

            norm = features.square().sum(dim=1, keepdim=True) / 2  # (I, 1, 2h, 2w)
            features = torch.cat([features, torch.ones_like(norm), -norm], dim=1)
        return vectors, features, self.iou_prediction_head(hidden[:, 0])


class TinySam(Sam):
    """A `Sam` that also tells what points on elements stand for, where it has learnt to.

    Attributes:
        object_heads: None in a segmenter that was not trained for objects.
    """

    def __init__(
        self, *parts: Any, object_heads: ObjectEnsemble | None = None, **named: Any
    ) -> None:
        super().__init__(*parts, **named)
        self.object_heads = object_heads

    @cached_property
    def recogniser(self) -> EfficientNetLite:
        """A backbone with its ImageNet weights as they are: it knows kinds of things better than
        the image encoder's, which has learnt to see borders. No part of the weights.

        Raises:
            MissingModelError: the ImageNet weights are not installed.
        """
        backbone = imagenet_backbone(RECOGNISER).eval().requires_grad_(False)
        parameter = next(self.image_encoder.parameters())
        backbone.to(parameter.device, parameter.dtype)
        return backbone.to(memory_format=torch.channels_last)

    def recognised(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the recogniser sees in an image and in the same at half the size.

        Args:
            x: (1, 3, H, W) normalised pixels, sides multiples of 32.

        Returns:
            at strides 16 and 32, and of the half at 16, 32 and 64: (1, C, ≥ H/s, ≥ W/s) each.
        """
        half = F.avg_pool2d(x, 2)  # (1, 3, H/2, W/2)
        right, below = -half.shape[3] % 32, -half.shape[2] % 32
        half = F.pad(half, (0, right, 0, below))  # sides multiples of 32
        return (*self.recogniser(x)[-2:], *self.recogniser(half)[-3:])


def build_tiny_sam(config: TinySamConfig = TinySamConfig(), *, objects: bool = False) -> TinySam:
    """An untrained tiny segmenter; `eie.models.segmenter` loads the embedded weights into it.

    Args:
        objects: with object heads.
    """
    embedding_size = config.img_size // EMBEDDING_STRIDE
    return TinySam(
        image_encoder=PyramidImageEncoder(config.img_size, config.width),
        prompt_encoder=PromptEncoder(
            embed_dim=config.width,
            image_embedding_size=(embedding_size, embedding_size),
            input_image_size=(config.img_size, config.img_size),
            mask_in_chans=16,
        ),
        mask_decoder=TinyMaskDecoder(config),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
        object_heads=ObjectEnsemble() if objects else None,
    )
