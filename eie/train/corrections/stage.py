"""What clicks select: small networks that rank what clicks may mean, and people who click.

photos with label maps ⇒ elements, and what points on them stand for, by heads new to them
a thing, clicks in its middle ⇒ the candidates that the first click may mean, and their IoU
a thing, simulated clicks on what is wrong ⇒ the hypotheses about it, and their IoU

What corrects a first answer corrects further ones, too; they are not trained for by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from eie.editing.click_facts import network
from eie.errors import UsageError
from eie.notes import tell
from eie.train.core.checkpoint import MAX_PHOTO_SIDE, claim, run_options
from eie.train.core.images import Folder, read_training_images
from eie.train.corrections.choices import corrections_on, first_clicks_on
from eie.train.corrections.photos import ClickedPhoto, clicked_photos
from eie.train.corrections.ranking import train_ranking
from eie.train.corrections.settings import CorrectionSettings

WEIGHTS_NAME = "corrections.safetensors"

RANKING_NAME = "candidate_ranking.safetensors"


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
    choices = [choice for photo in photos for choice in first_clicks_on(photo, settings, random)]
    if not choices:
        raise UsageError("nothing to click on", hint="add photos that the heads have not seen")
    save_file(train_ranking(choices, settings, random), run / RANKING_NAME)
    tell([f"ranking: {len(choices)} first clicks"])
    train_further(photos, run, settings, random)
    return options


def train_further(
    photos: Sequence[ClickedPhoto],
    run: Path,
    settings: CorrectionSettings,
    random: np.random.Generator,
) -> None:
    """Train what further clicks ask, where first clicks are ranked already."""
    rank = network(run / RANKING_NAME)
    choices = [
        choice for photo in photos for choice in corrections_on(photo, rank, settings, random)
    ]
    if not choices:
        raise UsageError("nothing to correct", hint="add photos with things in them")
    save_file(train_ranking(choices, settings, random), run / WEIGHTS_NAME)
    tell([f"corrections: {len(choices)} second clicks"])
