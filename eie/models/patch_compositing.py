"""Decoded patches ⇒ canvas: every patch is resampled into its box, neighbours share by attention.

The canvas is worked on in tiles of TILE×TILE pixels, and only the (tile, element) pairs that
overlap are computed, so that time and memory grow with the picture's area whatever the number of
elements. All of it is batched and differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from eie.models.canvas import FADING, FAINT, TILE
from eie.models.frames import boxes_around, in_frame, is_turned

LOGIT_LIMIT = 6.0
"""Largest claim of an element on a pixel by its shape alone."""

RANK_LOGIT = 2 * LOGIT_LIMIT
"""Claim that a nearer rank adds inside an element: more than any shape of a farther one."""

RANK_REACH, RANK_SLOPE = 2.0, 0.3
"""Pixels beyond its border where an element gets half of that, and how fast it falls there.

Elements are chosen along borders that are not quite the object's, which more often lack its rim
than have one too many: reaching out gains .4 dB where held-out objects were moved or resized, over
a claim that is halved on the border and falls by 1 a pixel.
"""

SOFTNESS = 0.25
"""Share of the claims by which elements are blended a second time, softly."""

SLOPE = 2.0
"""By how much a turned element's claim falls beyond its box a pixel."""

WARPED = 256
"""Pairs that are warped at a time; bounds memory."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The M overlapping (tile, element) pairs of a batch.

    Attributes:
        tile: (M,) index into the batch's tiles, batch-major, then row-major.
        element: (M,) index into the batch's elements, batch-major.
        top, left: (M,) the tile's corner in pixels.
    """

    tile: Tensor
    element: Tensor
    top: Tensor
    left: Tensor


def overlapping_pairs(box: Tensor, visible: Tensor, height: int, width: int) -> Pairs:
    """Which visible boxes overlap which tiles.

    Args:
        box: (B, N, 4) (cx, cy, w, h) in pixels.
        visible: (B, N) bool.
        height, width: of the canvas, multiples of TILE.
    """
    rows, columns = height // TILE, width // TILE
    down = _overlap(box[..., 1], box[..., 3], rows)  # (B, N, rows)
    across = _overlap(box[..., 0], box[..., 2], columns)  # (B, N, columns)
    hit = down[..., :, None] & across[..., None, :] & visible[..., None, None]
    image, element, row, column = hit.nonzero(as_tuple=True)  # 4 × (M,)
    return Pairs(
        tile=(image * rows + row) * columns + column,
        element=image * box.shape[1] + element,
        top=row * TILE,
        left=column * TILE,
    )


def place(
    patches: Tensor,
    box: Tensor,
    visible: Tensor,
    rank: Tensor,
    flip: Tensor,
    size: tuple[int, int],
    frame: Tensor | None = None,
) -> Tensor:
    """Merge patches on the canvas, each pixel a softmax over the elements that claim it.

    An element's claim is the signed distance to its border that the patch carries in its last
    channel; of two elements that both contain a pixel, the one of higher rank has it.

    Args:
        patches: (B, N, C + 1, S, S) C value channels and the signed distance in patch samples.
        box: (B, N, 4) (cx, cy, w, h) in pixels.
        visible: (B, N) bool.
        rank: (B, N) whole numbers ≥ 0, larger is nearer.
        flip: (B, N, 2) bool, mirrored (left-right, top-bottom) within its box.
        size: height and width of the canvas, multiples of TILE.
        frame: (B, N, 2, 2) how boxes are turned; None if all are upright.

    Returns:
        (B, 2·C + 1, height, width): the values, continued smoothly where no element is; the same
        blended softly, which tells what the elements beside a pixel's own would show there; and
        the logarithm of the claims' sum.
    """
    (batch, _, channels, side, _), (height, width) = patches.shape, size
    around = boxes_around(box, frame)
    if frame is not None:
        around = around + around.new_tensor([0, 0, 2, 2]) * FADING * is_turned(frame)[..., None]
    pairs = overlapping_pairs(around, visible, height, width)
    geometry = box.flatten(0, 1)[pairs.element]  # (M, 4)
    if frame is None:
        placed, inside = straight(patches, box, flip, pairs)
    else:
        placed, inside = _straight_or_warped(patches, box, flip, frame, pairs)

    tiles = batch * (height // TILE) * (width // TILE)
    scale = (geometry[:, 2] * geometry[:, 3]).sqrt() / side  # (M,) pixels a sample
    weighted = claimed(placed, inside, scale, rank.flatten()[pairs.element], pairs.tile, tiles)
    channels = weighted.shape[2]  # 2·C + 2
    canvas = weighted.new_zeros(tiles, TILE, channels, TILE).index_add(0, pairs.tile, weighted)
    canvas = canvas.view(batch, height // TILE, width // TILE, TILE, channels, TILE)
    canvas = canvas.permute(0, 4, 1, 3, 2, 5).reshape(batch, channels, height, width)
    both, (sharp, soft) = canvas[:, :-2], canvas[:, -2:].split(1, dim=1)
    values, softer = both.chunk(2, dim=1)
    return torch.cat(
        [continued(values, sharp), continued(softer, soft), torch.log(sharp + FAINT)], dim=1
    )


def claimed(
    placed: Tensor, inside: Tensor, scale: Tensor, rank: Tensor, tile: Tensor, tiles: int
) -> Tensor:
    """What pairs of tiles and elements claim, before it is summed over tiles.

    Args:
        placed: (M, TILE, C + 1, TILE) values, and signed distances in patch samples.
        inside: (M, TILE, 1, TILE) how far a pixel lies in the element's box.
        scale: (M,) pixels a sample.
        rank: (M,) of the elements.
        tile: (M,) below `tiles`.

    Returns:
        (M, TILE, 2·C + 2, TILE): values times claims, times soft claims, and both claims.
    """
    logit = placed[:, :, -1:] * scale[:, None, None, None]  # (M, TILE, 1, TILE)
    logit = LOGIT_LIMIT * torch.tanh(logit / LOGIT_LIMIT)
    if rank.any():
        nearer = rank[:, None, None, None].to(logit)  # (M, 1, 1, 1)
        within = torch.sigmoid(RANK_SLOPE * (logit + RANK_REACH))  # (M, TILE, 1, TILE)
        logit = logit + nearer * RANK_LOGIT * within
        logit = logit - _excess(logit.detach(), tile, tiles)[tile]
    value = placed[:, :, :-1]  # (M, TILE, C, TILE)
    sharp, soft = inside * torch.exp(logit), inside * torch.exp(SOFTNESS * logit)
    return torch.cat([value * sharp, value * soft, sharp, soft], dim=2)


def straight(patches: Tensor, box: Tensor, flip: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Patches in upright boxes, resampled to tiles.

    Returns:
        (M, TILE, C + 1, TILE) of each pair, and (M, TILE, 1, TILE) how far a pixel lies in the box.
    """
    channels, side = patches.shape[2:4]
    geometry = box.flatten(0, 1)[pairs.element]  # (M, 4)
    mirror = flip.flatten(0, 1)[pairs.element]  # (M, 2)
    down, in_rows = _interpolation(pairs.top, geometry[:, 1], geometry[:, 3], mirror[:, 1], side)
    across, in_columns = _interpolation(
        pairs.left, geometry[:, 0], geometry[:, 2], mirror[:, 0], side
    )
    # Rows first and channels beside columns: plain matrix products, nothing is broadcast.
    rows_first = patches.flatten(0, 1).transpose(1, 2).flatten(2)  # (B·N, S, (C + 1)·S)
    own = rows_first.index_select(0, pairs.element)  # (M, S, (C + 1)·S)
    placed = torch.bmm(down, own).view(-1, TILE * channels, side)  # (M, TILE·(C + 1), S)
    placed = torch.bmm(placed, across.mT).view(-1, TILE, channels, TILE)  # (M, TILE, C + 1, TILE)
    inside = in_rows[:, :, None, None] * in_columns[:, None, None, :]  # (M, TILE, 1, TILE)
    return placed, inside


def _straight_or_warped(
    patches: Tensor, box: Tensor, flip: Tensor, frame: Tensor, pairs: Pairs
) -> tuple[Tensor, Tensor]:
    """As :func:`straight`, of boxes of which some are turned."""
    turned = is_turned(frame).flatten()[pairs.element]  # (M,)
    channels = patches.shape[2]
    placed = patches.new_zeros(len(turned), TILE, channels, TILE)
    inside = patches.new_zeros(len(turned), TILE, 1, TILE)
    chunks = [(~turned).nonzero()[:, 0], *turned.nonzero()[:, 0].split(WARPED)]
    for index, chunk in enumerate(chunks):
        some = Pairs(*(part[chunk] for part in (pairs.tile, pairs.element, pairs.top, pairs.left)))
        if index:
            values, within = warped(patches, box, flip, frame, some)
        else:
            values, within = straight(patches, box, flip, some)
        placed = placed.index_copy(0, chunk, values.to(placed))
        inside = inside.index_copy(0, chunk, within.to(inside))
    return placed, inside


def warped(
    patches: Tensor, box: Tensor, flip: Tensor, frame: Tensor, pairs: Pairs
) -> tuple[Tensor, Tensor]:
    """As :func:`straight`, of boxes that are turned.

    A patch is first smoothed along its own axes, as far as its box has fewer pixels than it has
    samples, and then sampled wherever pixels lie on it.
    """
    side = patches.shape[-1]
    centre, size = box.flatten(0, 1)[pairs.element].split(2, dim=1)  # 2 × (M, 2)
    own = patches.flatten(0, 1)[pairs.element]  # (M, C + 1, S, S)
    across, down = (_smoothing(size[:, axis], side).to(own) for axis in (0, 1))  # (M, S, S)
    smooth = down[:, None] @ own @ across.mT[:, None]  # (M, C + 1, S, S)
    step = torch.arange(TILE, device=box.device) + 0.5  # (TILE,)
    x = pairs.left[:, None, None] + step - centre[:, :1, None]  # (M, 1, TILE)
    y = pairs.top[:, None, None] + step[:, None] - centre[:, 1:, None]  # (M, TILE, 1)
    turn = frame.flatten(0, 1)[pairs.element][:, None, None]  # (M, 1, 1, 2, 2)
    within = torch.stack(in_frame(turn, *torch.broadcast_tensors(x, y)), dim=3)  # (M, T, T, 2)
    size = size[:, None, None]  # (M, 1, 1, 2)
    beyond = (within.abs() - size / 2).clamp_min(0).norm(dim=3)  # (M, TILE, TILE) pixels
    direction = 1 - 2 * flip.flatten(0, 1)[pairs.element].to(within)[:, None, None]
    place = (2 * direction * within / size).to(smooth)  # (M, TILE, TILE, 2) in [−1, 1]
    placed = F.grid_sample(smooth, place, padding_mode="border", align_corners=False)
    pixels = (size.prod(dim=3).sqrt() / side).to(placed)  # (M, 1, 1) of a sample
    distance = placed[:, -1] - SLOPE * beyond.to(placed) / pixels  # (M, TILE, TILE)
    placed = torch.cat([placed[:, :-1], distance[:, None]], dim=1)  # (M, C + 1, TILE, TILE)
    return placed.transpose(1, 2), (FADING - beyond).clamp(0.0, 1.0)[:, :, None]


def _smoothing(length: Tensor, side: int) -> Tensor:
    """(M,) lengths in pixels ⇒ (M, side, side) what smooths samples as far as pixels need it."""
    reach = (side / length).clamp_min(1.0)[:, None, None]
    step = torch.arange(side, device=length.device)
    weight = (1 - (step - step[:, None]).abs() / reach).clamp_min(0.0)
    return weight / weight.sum(dim=2, keepdim=True)


def _excess(logit: Tensor, tile: Tensor, tiles: int) -> Tensor:
    """(tiles, TILE, 1, TILE) by how much ranks lift a pixel's largest claim over LOGIT_LIMIT."""
    largest = logit.new_zeros(tiles, *logit.shape[1:])
    index = tile[:, None, None, None].expand_as(logit)
    return largest.scatter_reduce_(0, index, logit - LOGIT_LIMIT, "amax")


def _overlap(centre: Tensor, length: Tensor, tiles: int) -> Tensor:
    """(B, N) intervals ⇒ (B, N, tiles) bool, whether they reach into each tile."""
    start = torch.arange(tiles, device=centre.device) * TILE  # (tiles,)
    reach = length / 2 + 0.5
    low, high = (centre - reach)[..., None], (centre + reach)[..., None]
    return (low < start + TILE) & (high > start)


def _interpolation(
    start: Tensor, centre: Tensor, length: Tensor, mirror: Tensor, side: int
) -> tuple[Tensor, Tensor]:
    """Linear, antialiased resampling of a patch's axis to the pixels of a tile's axis.

    Returns:
        (M, TILE, side) weights whose rows sum to 1, and (M, TILE) how far each pixel lies within
        the box, in [0, 1].
    """
    pixel = start[:, None] + torch.arange(TILE, device=start.device) + 0.5  # (M, TILE)
    away = pixel - centre[:, None]
    direction = 1 - 2 * mirror[:, None].to(away)  # (M, 1)
    sample = (direction * away / length[:, None] + 0.5) * side - 0.5  # (M, TILE)
    sample = sample.clamp(0, side - 1)[..., None]
    reach = (side / length).clamp_min(1.0)[:, None, None]
    distance = torch.arange(side, device=start.device) - sample  # (M, TILE, side)
    weight = (1 - distance.abs() / reach).clamp_min(0.0)
    inside = (length[:, None] / 2 + 0.5 - away.abs()).clamp(0.0, 1.0)
    return weight / weight.sum(dim=2, keepdim=True), inside


def continued(weighted: Tensor, weight: Tensor) -> Tensor:
    """Weighted values ⇒ values; where the weight is faint, those of ever wider surroundings.

    Fills what is open smoothly from around, at every scale at once.

    Args:
        weighted: (B, C, H, W) values times weight.
        weight: (B, 1, H, W).
    """
    height, width = weight.shape[-2:]
    if min(height, width) == 1:
        mean = weighted.sum(dim=(2, 3), keepdim=True) / weight.sum(
            dim=(2, 3), keepdim=True
        ).clamp_min(FAINT)
        return (weighted + FAINT * mean) / (weight + FAINT)
    coarse = continued(
        F.avg_pool2d(weighted, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)
    )
    wider = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return (weighted + FAINT * wider) / (weight + FAINT)
