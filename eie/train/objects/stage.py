"""The object head: what points on elements stand for, learnt from things that people outlined.

    crop of a photo ⇒ its elements, by the frozen segmenter ⇒ a graph ⇒ three candidates a query
    label maps      ⇒ each segment's share of every element ⇒ what the candidates are compared with

Things (COCO's, cut-outs pasted on photos) teach all three candidates and their estimated IoU, other
segments (the stuff between them, BSDS500's, of which nobody knows whether they are parts or wholes)
only what may be a candidate at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from eie.errors import UsageError
from eie.models.object_head import ElementGraph, ObjectEnsemble, relations
from eie.models.segmenter import load_sam
from eie.train.core.checkpoint import (
    MAX_PHOTO_SIDE,
    WEIGHTS_NAME,
    claim,
    has_checkpoint,
    run_options,
    save_segmenter,
)
from eie.train.core.decomposed_photos import repeated
from eie.train.core.images import Folder, TrainingImages, read_training_images
from eie.train.core.loop import device_of, train_stage
from eie.train.objects.settings import ObjectSettings
from eie.train.objects.views import SEGMENT, THING, ObjectBatch, draw_batch

_LEAST_SHARE = 0.6
"""How much of an element must lie in a segment for a point on it to mean that segment."""

_COUNTS = (1.0, 0.5, 0.3)
"""How much things, stuff and other segments count in the loss."""

_QUERIES = 2
"""Points on a segment, a step."""


class ObjectStage:
    """Model, data and loss of the object head's training."""

    def __init__(
        self, settings: ObjectSettings, images: TrainingImages, run: Path, fit: bool = True
    ) -> None:
        self.settings = settings
        self.segmenter = load_sam(settings.segmenter, "cpu")
        draw = partial(draw_batch, self.segmenter, images, settings)
        self.batch = repeated(ObjectBatch, draw, run / "batches", settings.batches)
        torch.manual_seed(settings.loop.seed)
        self.model = ObjectEnsemble()
        self.members = len(self.model.heads)
        if fit:
            first = range(settings.fitted)
            fit_reduction(self.model, [self.batch(index).features for index in first])
        # What an element looks like is reduced in closed form, and no more changed: there are few
        # photos with known things, and many numbers.
        self.model.reduce.requires_grad_(False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return [{"params": trained, "lr": self.settings.rate}]

    def loss(self, model: nn.Module, batch: ObjectBatch) -> tuple[Tensor, dict[str, Tensor]]:
        batch = batch.to(device_of(model))
        graph = batch.graph
        noise = torch.randn_like(graph.features) * self.settings.noise * graph.features.std(dim=0)
        graph = graph._replace(features=graph.features + noise)
        related = relations(graph, torch.arange(len(graph.area), device=noise.device))  # (N, N, R)
        drawn = [draw_queries(batch, self.settings.segments) for _ in range(self.members)]
        told = model(graph, related, [queries for queries, _, _ in drawn])
        losses, parts = zip(
            *(
                objects_loss(made, quality, graph, batch, of_query, of_segment)
                for (made, quality), (_, of_query, of_segment) in zip(told, drawn, strict=True)
            ),
            strict=True,
        )
        means = {name: torch.stack([each[name] for each in parts]).mean() for name in parts[0]}
        return torch.stack(losses).sum(), means

    def samples(self, model: nn.Module, batch: ObjectBatch) -> dict[str, NDArray[np.uint8]]:  # noqa: ARG002
        return {}


@torch.no_grad()
def fit_reduction(heads: ObjectEnsemble, features: Sequence[Tensor]) -> None:
    """Set the heads' linear maps of features to their largest whitened principal components."""
    every = torch.cat([some.float() for some in features])  # (n, ΣF)
    for part, linear in zip(every.split(heads.reduce.parts, dim=1), heads.reduce.maps, strict=True):
        _fit_components(cast(nn.Linear, linear), part)


def _fit_components(linear: nn.Linear, features: Tensor) -> None:
    """Set a linear map to the largest whitened principal components of features (n, F)."""
    mean, deviation = features.mean(dim=0), features.std(dim=0) + 1e-3  # (F,)
    scaled = (features - mean) / deviation
    _, spread, axes = torch.linalg.svd(scaled, full_matrices=False)
    # Of few elements there are few components.
    kept = min(linear.out_features, int((spread > 1e-3 * spread[0]).sum()))
    weight = torch.zeros_like(linear.weight)  # (reduced, F)
    weight[:kept] = axes[:kept] / (spread[:kept, None] / len(features) ** 0.5) / deviation
    linear.weight.copy_(weight)
    linear.bias.copy_(-weight @ mean)


def draw_queries(batch: ObjectBatch, segments: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points to ask for and what they stand for.

    Args:
        segments: at most so many things, and half as many others, are asked for.

    Returns:
        queries (Q,) elements; of T targets which query (T,) and which segment (T,). A point on a
        segment of which it is not known whether it is a thing stands for all such segments there.
    """
    device = batch.kind.device
    order = torch.randperm(len(batch.kind)).to(device)
    things = order[batch.kind[order] == THING][:segments]
    others = order[batch.kind[order] != THING][: (segments + 1) // 2]
    queries: list[int] = []
    of_query: list[int] = []
    of_segment: list[int] = []
    for segment in torch.cat([things, others]).tolist():
        share = batch.share[segment].float()  # (N,)
        likely = (share > _LEAST_SHARE) * (batch.depth[segment].float() + 0.15)  # (N,)
        if not likely.any():
            continue
        count = min(_QUERIES, int((likely > 0).sum()))
        for query in torch.multinomial(likely, count).tolist():
            meant = [segment]
            if batch.kind[segment] == SEGMENT:
                here = (batch.share[:, query] > _LEAST_SHARE) & (batch.kind == SEGMENT)
                meant = here.nonzero()[:, 0].tolist()
            of_query += [len(queries)] * len(meant)
            of_segment += meant
            queries.append(query)
    found = (queries, of_query, of_segment)
    drawn, query, target = (torch.tensor(x, dtype=torch.long, device=device) for x in found)
    return drawn, query, target


def objects_loss(
    made: Sequence[Tensor],
    quality: Tensor,
    graph: ElementGraph,
    batch: ObjectBatch,
    of_query: Tensor,
    of_segment: Tensor,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a head and its parts.

    Cross-entropy and Dice of the masks over elements weighted by area: of the first candidate for
    things and stuff, of the better of the others for all. The squared error of the estimated IoU.

    Args:
        made, quality: as :meth:`eie.models.object_head.ObjectHead.candidates`.
        of_query, of_segment: as :func:`draw_queries`.
    """
    target = batch.share[of_segment].float()[..., None]  # (T, N, 1)
    weight = graph.area * (1 - batch.unlabelled.float())  # (N,)
    weight = (weight / weight.sum())[:, None]  # (N, 1)
    kind = batch.kind[of_segment]  # (T,)
    counts = kind.new_tensor(_COUNTS, dtype=torch.float32)[kind.long()]  # (T,)
    known = (kind != SEGMENT).float()  # (T,)
    total = graph.area.new_zeros(())
    for index, all_logits in enumerate(made):
        logits = all_logits[of_query]  # (T, N, 3)
        fit = mask_error(logits, target, weight)  # (T, 3)
        free = fit[:, 1:].amin(dim=1) + 0.05 * fit[:, 1:].mean(dim=1)  # (T,)
        error = free + known * fit[:, 0]
        last = index == len(made) - 1
        total = total + (counts * error).sum() / counts.sum() * (1.0 if last else 0.4)
    with torch.no_grad():
        inside = (logits > 0).float()
        overlap = (torch.minimum(inside, target) * weight).sum(dim=1)  # (T, 3)
        union = (torch.maximum(inside, target) * weight).sum(dim=1)  # (T, 3)
        iou = overlap / union.clamp(min=1e-6)
    wrong = (quality[of_query].sigmoid() - iou).square().sum(dim=1)  # (T,)
    judged = counts * known
    total = total + (judged * wrong).sum() / judged.sum().clamp(min=1)
    sure = known.sum().clamp(min=1)
    return total, {
        "iou": (known * iou[:, 0]).sum() / sure,
        "best": (known * iou.amax(dim=1)).sum() / sure,
    }


def mask_error(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy and Dice of masks over elements: (T, N, C), (T, N, 1), (N, 1) ⇒ (T, C)."""
    every = target.expand_as(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, every, reduction="none")
    chance = logits.sigmoid()
    both = (chance * target * weight).sum(dim=1)  # (T, C)
    sizes = (chance * weight).sum(dim=1) + (target * weight).sum(dim=1)  # (T, C)
    dice = 1 - (2 * both + 1e-3) / (sizes + 1e-3)
    return (entropy * weight).sum(dim=1) + dice


def train_objects(
    folders: Sequence[Folder],
    run: Path,
    settings: ObjectSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train the object head of a segmenter, see :func:`eie.train.core.loop.train_stage`.

    The segmenter itself stays as it is. With its new head it is then in
    `run/tiny-segmenter.safetensors`, which `eie decompose --segmenter` takes.
    """
    settings = settings or ObjectSettings()
    images = read_training_images(folders, MAX_PHOTO_SIDE)
    things = sum(photo.things is not None for photo in images.segmented)
    if not things and not (images.cutouts and images.all_photos):
        raise UsageError(
            "nothing to learn things from",
            hint="give a folder with ID.jpg, ID.gt0.png and things.json, or photos and cut-outs",
        )
    found = {
        "with things": things,
        "segmented": len(images.segmented) - things,
        "photos": len(images.photos),
        "cutouts": len(images.cutouts),
    }
    options = run_options("objects", folders, settings, images=found)

    def make() -> ObjectStage:
        claim(run, options)  # the start is fitted to the run's first views
        return ObjectStage(settings, images, run, fit=not has_checkpoint(run))

    def hand_out(stage: ObjectStage) -> None:
        sam = load_sam(settings.segmenter, "cpu").sam
        sam.object_heads = stage.model
        save_segmenter(sam, run / WEIGHTS_NAME)

    return train_stage(run, options, settings.loop, make, hand_out, dry_run)
