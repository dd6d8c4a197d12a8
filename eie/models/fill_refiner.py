"""Refining a fill: a convolutional network changes a first guess of what a hole shows.

Patches of the surroundings continue their texture, but know nothing of what a hole's neighbours
are, nor where two of them should meet. The network sees the picture with the guess in it, as pixels
and as ImageNet features at strides 2 to 32, and other guesses beside it: what all of them show is
likelier than what one does. It gives back

    picture + a_1 (G_1 − picture) + a_2 (G_2 − picture) + Σ_k b_k (other_k − picture) + r

with the picture averaged over Gaussians G, how much of either, a in (0, 1), how much of each other
guess, b in (0, 1), and a residual r, all of them at every pixel. It is the refinement stage of
coarse-to-fine inpainting (Yu et al., "Generative Image Inpainting with Contextual Attention", CVPR
2018), whose coarse stage is here the classical decoder.

    pixels in blocks of 4×4, features at strides 2, 4 ⇒ 1/4 ─────────────── ⊕ ⇒ 1/4 ⇒ a, r
                             features at stride  8    ⇒ 1/8, from 1/4 ─── ⊕ ┘
                             features at stride 16    ⇒ 1/16 ────────── ⊕ ┘
                             features at stride 32    ⇒ 1/32 ───────────┘
    other guesses: pixels at 1/4, features at strides 8 and 16 ⇒ added there, too
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eie.models.feature_distance import (
    CHANNELS,
    STRIDES,
    FeatureDistance,
    features_of,
    load_feature_distance,
)
from eie.models.plain import load_plain
from eie.models.residual import ResidualBlock

FOLDER = "refiner"
"""Of a model folder."""

BLOCK = 4
"""Pixels along the side of the blocks that the finest level works on."""

DEVIATIONS = (1.0, 3.0)
"""Of the Gaussians that the picture is averaged over, in pixels."""

_LITTLE = -3.0
"""Logit of how much averaging, and of other guesses, an untrained network asks for."""

_PLANES = 3 + len(DEVIATIONS)

_COMPARED = (8, 16)
"""Strides at which the features of other guesses are seen."""


class FillRefiner(nn.Module):
    """The network; untrained it changes next to nothing.

    Args:
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the resolution.
        blocks: residual blocks at each of these.
        fills: guesses that it sees, the one that it changes among them.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (64, 160, 224, 256),
        blocks: tuple[int, int, int, int] = (2, 3, 3, 2),
        fills: int = 1,
    ) -> None:
        super().__init__()
        self.widths, self.fills = tuple(widths), fills
        others = fills - 1
        fine = widths[0]
        self.from_pixels = nn.Conv2d(4 * BLOCK**2, fine, 3, padding=1)
        # Stride 2 comes in blocks of 2×2; strides from 8 up come with the share that is known.
        taken = (4 * CHANNELS[0], CHANNELS[1], *(channels + 1 for channels in CHANNELS[2:]))
        to = (fine, *widths)
        self.from_features = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for channels, width in zip(taken, to, strict=True)
        )
        self.before = ResidualBlock(fine)
        self.down = nn.Conv2d(4 * fine, widths[1], 1)
        self.bodies = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, blocks, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(coarse, 4 * width, 1) for width, coarse in pairwise(widths)
        )
        self.head = nn.Conv2d(fine, _PLANES * BLOCK**2, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)
        nn.init.constant_(self.head.get_parameter("bias")[3 * BLOCK**2 :], _LITTLE)
        if others:
            self.from_others = nn.Conv2d(3 * others * BLOCK**2, fine, 3, padding=1)
            self.from_compared = nn.ModuleList(
                nn.Conv2d(others * CHANNELS[STRIDES.index(stride)], width, 1)
                for stride, width in zip(_COMPARED, widths[1:3], strict=True)
            )
            self.mixing = nn.Conv2d(fine, others * BLOCK**2, 3, padding=1)
            for layer in (self.from_others, *self.from_compared, self.mixing):
                for parameter in layer.parameters():
                    nn.init.zeros_(parameter)
            nn.init.constant_(self.mixing.get_parameter("bias"), _LITTLE)

    def forward(
        self,
        picture: Tensor,
        known: Tensor,
        features: Sequence[Tensor],
        others: Sequence[Tensor] = (),
        compared: Sequence[Sequence[Tensor]] = (),
    ) -> Tensor:
        """Refine a picture.

        Args:
            picture: (B, 3, H, W) in [0, 1], the photo where known, else the guess; sides are
                multiples of 32.
            known: (B, 1, H, W) in [0, 1].
            features: its features per stride, as :func:`features_of` gives them.
            others: the picture with each of the other guesses in it.
            compared: their features.

        Returns:
            (B, 3, H, W), about [0, 1], not clipped, made where known, too.
        """
        finest, *_ = self.levels(picture, known, features, others, compared)
        return self.answer(finest, picture, others)

    def levels(
        self,
        picture: Tensor,
        known: Tensor,
        features: Sequence[Tensor],
        others: Sequence[Tensor] = (),
        compared: Sequence[Sequence[Tensor]] = (),
    ) -> list[Tensor]:
        """What the network makes of all at each of its levels, the finest first.

        Args:
            picture, known, features, others, compared: as of :meth:`forward`.

        Returns:
            (B, w_l, H/2^(l+2), W/2^(l+2)) per level l = 0 to 3.
        """
        pixels = torch.cat([picture * 2 - 1, known], dim=1)  # (B, 4, H, W)
        blocks = F.pixel_unshuffle(pixels, BLOCK)  # (B, 64, H/4, W/4)
        blocks = blocks.contiguous(memory_format=torch.channels_last)
        given = [F.pixel_unshuffle(features[0], 2), features[1]]  # (B, ·, H/4, W/4)
        for stride, level in zip(STRIDES[2:], features[2:], strict=True):
            share = F.avg_pool2d(known, stride).to(level.dtype)  # (B, 1, H/s, W/s)
            given.append(torch.cat([level, share], dim=1))
        half, quarter, *coarser = (
            layer(level) for layer, level in zip(self.from_features, given, strict=True)
        )
        start = self.from_pixels(blocks) + half + quarter  # (B, w₀, H/4, W/4)
        if self.fills > 1:
            beside = torch.cat([other - picture for other in others], dim=1)  # (B, 3K, H, W)
            start = start + self.from_others(F.pixel_unshuffle(beside, BLOCK))
            for index, stride in enumerate(_COMPARED):
                at = STRIDES.index(stride)
                away = [other[at] - features[at] for other in compared]
                seen = torch.cat(away, dim=1)  # (B, K·C_s, H/s, W/s)
                coarser[index] = coarser[index] + self.from_compared[index](seen)
        fine = self.before(start)  # (B, w₀, H/4, W/4)
        eighth = coarser[0] + self.down(F.pixel_unshuffle(fine, 2))  # (B, w₁, H/8, W/8)
        levels = [fine, eighth, *coarser[1:]]
        carried = [self.bodies[-1](levels[-1])]  # (B, w₃, H/32, W/32)
        for index in reversed(range(len(self.up))):
            wider = F.pixel_shuffle(self.up[index](carried[0]), 2)
            carried.insert(0, self.bodies[index](levels[index] + wider))
        return carried

    def answer(self, finest: Tensor, picture: Tensor, others: Sequence[Tensor] = ()) -> Tensor:
        """The refined picture by the finest of the :meth:`levels`; otherwise as :meth:`forward`."""
        planes = F.pixel_shuffle(self.head(finest), BLOCK).float()  # (B, 5, H, W)
        residual, averaging = planes.tensor_split([3], dim=1)
        refined = picture + residual
        for share, deviation in zip(averaging.sigmoid().split(1, dim=1), DEVIATIONS, strict=True):
            refined = refined + share * (averaged(picture, deviation) - picture)
        if self.fills > 1:
            shares = F.pixel_shuffle(self.mixing(finest), BLOCK).float().sigmoid()  # (B, K, H, W)
            for share, other in zip(shares.split(1, dim=1), others, strict=True):
                refined = refined + share * (other - picture)
        return refined


def refine(
    model: nn.Module, count: int, network: FeatureDistance, fills: Sequence[Tensor], known: Tensor
) -> Tensor:
    """The network's answer to one or more guesses.

    Args:
        model: a :class:`FillRefiner`, perhaps wrapped for training.
        count: guesses that it sees.
        network: of the features, without a gradient.
        fills: (B, 3, H, W) in [0, 1] each, the best first; where there are fewer than `count`, the
            best is given again, and of more the last are left out.
        known: (B, 1, H, W) in [0, 1].

    Returns:
        (B, 3, H, W), as :meth:`FillRefiner.forward`.
    """
    best, *others = fills[:count]
    with torch.no_grad():
        features, *compared = (features_of(network, fill) for fill in (best, *others))
    others += (count - len(fills)) * [best]
    compared += (count - len(fills)) * [features]
    refined: Tensor = model(best, known, features, others, compared)
    return refined


class LoadedRefiner:
    """A refiner and the network of its features, ready to use on a device."""

    def __init__(self, model: FillRefiner, features: FeatureDistance) -> None:
        self.model, self.features = model, features

    @torch.no_grad()
    def __call__(self, picture: Tensor, known: Tensor, others: Sequence[Tensor] = ()) -> Tensor:
        """Refine what is not known of a picture.

        The answer is the mean of those to the picture and to its mirror image, which err
        differently (Timofte et al., "Seven Ways to Improve Example-Based Single Image
        Super-Resolution", CVPR 2016).

        Args:
            picture: (B, 3, H, W) in [−1, 1], any size, the photo where known, else the guess.
            known: (B, 1, H, W), 1 or 0.
            others: the same picture with other guesses in it, the better ones first.

        Returns:
            (B, 3, H, W) in [−1, 1], unchanged where known; where it came from.
        """
        height, width = picture.shape[-2:]
        place = next(self.model.parameters()).device
        fills = [padded((fill + 1) / 2).to(place) for fill in (picture, *others)]
        where = padded(known).to(place)
        # One after the other, as windows are large.
        refined = self._answer(fills, where) / 2
        refined += self._answer([fill.flip(3) for fill in fills], where.flip(3)).flip(3) / 2
        refined = refined[..., :height, :width].clamp(0, 1).to(picture) * 2 - 1
        return torch.where(known > 0, picture, refined)

    def _answer(self, fills: Sequence[Tensor], known: Tensor) -> Tensor:
        """As :func:`refine`."""
        return refine(self.model, self.model.fills, self.features, fills, known)


def padded(plane: Tensor) -> Tensor:
    """(B, C, H, W) continued at the right and bottom to sides that are multiples of 32."""
    multiple = STRIDES[-1]
    height, width = plane.shape[-2:]
    return F.pad(plane, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def averaged(picture: Tensor, deviation: float) -> Tensor:
    """(B, C, H, W) averaged over a Gaussian of that deviation in pixels, its border repeated."""
    reach = int(3 * deviation)
    places = torch.arange(-reach, reach + 1, device=picture.device, dtype=torch.float32)
    weight = torch.softmax(-places.square() / (2 * deviation**2), dim=0)  # (2·reach + 1,)
    channels = picture.shape[1]
    wider = F.pad(picture.float(), (reach,) * 4, mode="replicate")
    rows = F.conv2d(wider, weight.expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(rows, weight[:, None].expand(channels, 1, -1, 1), groups=channels)


def load_refiner(model: Path, device: torch.device | str = "cpu") -> LoadedRefiner:
    """The refiner of a model folder.

    Raises:
        MissingModelError: there is none, it cannot be read, or ImageNet's weights are not there.
    """
    refiner = load_plain(FillRefiner, model / FOLDER, "refiner", "make one with eie train refiner")
    refiner = refiner.to(device).to(memory_format=torch.channels_last)
    features = load_feature_distance().to(device).to(memory_format=torch.channels_last)
    return LoadedRefiner(refiner, features)
