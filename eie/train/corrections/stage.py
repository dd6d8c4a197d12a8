"""What clicks select: small networks over candidates and patches, and people who click.

    photos with label maps ⇒ elements, and what points on them stand for, by heads new to them
    a thing, clicks in its middle ⇒ the candidates that the first click may mean, and their IoU
    a thing, simulated clicks on what is still wrong ⇒ what the network is asked, and the truth

The clicks of a round are on what the network of the round before got wrong: who learns to correct
must see its own errors (dataset aggregation; Ross et al., AISTATS 2011).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from eie.editing import candidate_ranking
from eie.editing.click_simulation import Click, Mask, innermost, simulate_clicks
from eie.editing.corrections import FEATURES, Network, PatchClick, answer
from eie.errors import UsageError
from eie.notes import tell
from eie.train.core.checkpoint import MAX_PHOTO_SIDE, claim, run_options
from eie.train.core.images import Folder, read_training_images
from eie.train.corrections.fitting import minimise
from eie.train.corrections.photos import ClickedPhoto, clicked_photos
from eie.train.corrections.ranking import choices_on, train_ranking
from eie.train.corrections.settings import CorrectionSettings

WEIGHTS_NAME = "corrections.safetensors"

RANKING_NAME = "candidate_ranking.safetensors"

_ENTROPY = 0.1
"""What cross-entropy counts beside Dice."""

_LEAST_SHARE = 0.02
"""A thing's share of the photo below which errors count no more."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What the network was asked, and the truth: (P, 22) features, (P,) share of a patch in the
    thing, and (P,) weight of a patch."""

    features: Tensor
    inside: Tensor
    weight: Tensor


def correction_network(hidden: int) -> nn.Sequential:
    """(P, 22) ⇒ (P, 1) logits; :mod:`eie.editing.corrections` runs the same without torch."""
    return nn.Sequential(
        nn.Linear(FEATURES, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 1),
    )


def train_corrections(
    folders: Sequence[Folder],
    run: Path,
    settings: CorrectionSettings | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Train what :func:`eie.editing.candidate_ranking.meant` and
    :func:`eie.editing.corrections.answer` ask, and write it into a folder.

    The networks are then in `run/candidate_ranking.safetensors` and `run/corrections.safetensors`.

    Args:
        folders: photos with label maps; others are left out.

    Returns:
        The options.

    Raises:
        BadInputError: a folder or image cannot be read, or heads are none.
        UsageError: there is nothing to click on, or `run` holds another run.
        MissingModelError: the segmenter's weights are missing.
    """
    settings = settings or CorrectionSettings()
    segmented = read_training_images(folders, MAX_PHOTO_SIDE).segmented
    if not segmented:
        raise UsageError(
            "nothing to click on", hint="give a folder with photos ID.jpg and ID.gt0.png"
        )
    options = run_options("corrections", list(folders), settings, photos=len(segmented))
    if dry_run:
        return options
    claim(run, options)
    random = np.random.default_rng(settings.seed)
    photos = [*clicked_photos(segmented, settings)]
    torch.manual_seed(settings.seed)
    choices = [choice for photo in photos for choice in choices_on(photo, settings, random)]
    if not choices:
        raise UsageError("nothing to click on", hint="add photos that the heads have not seen")
    save_file(train_ranking(choices, settings, random), run / RANKING_NAME)
    tell([f"ranking: {len(choices)} first clicks"])
    rank = candidate_ranking.network(run / RANKING_NAME)
    network, asked = correction_network(settings.hidden), list[Asked]()
    for number, steps in enumerate(settings.rounds):
        logits = partial(_logits, network) if number else _before_training
        for photo in photos:
            asked += asked_on(photo, rank, logits, settings.clicks, random)
        loss = fit(network, asked, steps, settings, random)
        tell([f"round {number + 1}: {len(asked)} answers, loss {loss:.3f}"])
    told = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    save_file(told, run / WEIGHTS_NAME)
    return options


def asked_on(
    photo: ClickedPhoto,
    rank: Network,
    logits: Network,
    clicks: int,
    random: np.random.Generator,
) -> Iterator[Asked]:
    """What a network is asked while somebody clicks on things of a photo.

    Args:
        rank: what ranks the candidates of the first click.
    """
    area = photo.facts.share * photo.label_map.size
    for _ in range(photo.times):
        taken = min(photo.taken, len(photo.things))
        for index in random.choice(len(photo.things), taken, replace=False):
            thing = photo.things[index]
            inside = np.bincount(photo.label_map[thing], minlength=len(area)) / area  # (P,)
            weight = photo.facts.share / max(_LEAST_SHARE, float(thing.mean()))  # (P,)
            x, y = innermost(thing)
            patch = int(photo.label_map[y, x])
            first = candidate_ranking.meant(photo.facts, photo.small, patch, (x, y), rank)  # (P,)
            told: list[NDArray[np.float32]] = []

            def select(
                so_far: Sequence[Click],
                first: NDArray[np.float32] = first,
                told: list[NDArray[np.float32]] = told,
            ) -> Mask:
                patches = [PatchClick(int(photo.label_map[c.y, c.x]), c.joins) for c in so_far]
                inside = answer(photo.facts, patches, first, logits, told.append)  # (P,)
                selected: Mask = inside[photo.label_map]
                return selected

            simulate_clicks(thing, select, clicks)
            truth, counts = (torch.from_numpy(x.astype(np.float32)) for x in (inside, weight))
            yield from (Asked(torch.from_numpy(features), truth, counts) for features in told)


def fit(
    network: nn.Module,
    asked: Sequence[Asked],
    steps: int,
    settings: CorrectionSettings,
    random: np.random.Generator,
) -> float:
    """Train a network for some steps on what is asked; the mean loss of the last tenth."""
    batch = min(settings.batch, len(asked))

    def loss() -> Tensor:
        drawn = random.choice(len(asked), batch, replace=False)
        return answers_loss(network, [asked[index] for index in drawn])

    losses = minimise(network, loss, steps, settings.rate, settings.weight_decay)
    return float(np.mean(losses[-max(1, steps // 10) :]))


def answers_loss(network: nn.Module, asked: Sequence[Asked]) -> Tensor:
    """Dice and a little cross-entropy over patches weighted by area, the mean of answers."""
    every = network(2 * torch.cat([one.features for one in asked]) - 1)[:, 0]  # (ΣP,)
    losses = []
    for logits, one in zip(every.split([len(a.inside) for a in asked]), asked, strict=True):
        entropy = F.binary_cross_entropy_with_logits(logits, one.inside, reduction="none")  # (P,)
        chance = logits.sigmoid()  # (P,)
        both = 2 * (chance * one.inside * one.weight).sum()
        dice = 1 - both / ((chance + one.inside) * one.weight).sum()
        losses.append(_ENTROPY * (entropy * one.weight).sum() + dice)
    return torch.stack(losses).mean()


def _before_training(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the first round's clicks correct: the mean of what the clicks say by themselves."""
    joined, apart = features[:, 2], features[:, 10]  # (P,) each, of consistent candidates
    return np.asarray(2 * (joined - np.maximum(apart, 0.5)), dtype=np.float32)


def _logits(network: nn.Module, features: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        told: NDArray[np.float32] = network(2 * torch.from_numpy(features) - 1)[:, 0].numpy()
    return told
