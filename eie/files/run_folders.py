"""What the folder of a run says of itself: with it the run goes on, or what it trained is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eie.errors import BadInputError, ResourceError, UsageError
from eie.files.atomic import write_atomically


def claim(file: Path, settings: Mapping[str, Any], kept: str) -> None:
    """Save what determines a run in its new folder, or compare it with what the folder's run has.

    Args:
        file: JSON in the folder.
        kept: what such a folder holds, for messages.

    Raises:
        UsageError: the folder holds a run with other settings, or other things.
        BadInputError: the file is damaged.
        ResourceError: the folder cannot be written.
    """
    folder = file.parent
    text = json.dumps(settings, indent=2, sort_keys=True, default=str) + "\n"
    if not file.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"the folder is not empty and holds no {kept}", where=str(folder))
        make_folder(folder)
        with write_atomically(file) as handle:
            handle.write(text.encode())
        return
    try:
        saved, asked = json.loads(file.read_bytes()), json.loads(text)
        different = sorted(
            name for name in saved.keys() | asked.keys() if saved.get(name) != asked.get(name)
        )
    except (OSError, ValueError, AttributeError) as error:
        raise BadInputError(f"damaged settings: {error}", where=str(file)) from error
    if different:
        raise UsageError(
            f"the {kept} in it began with other settings: {', '.join(different)}",
            where=str(folder),
            hint="repeat its command to go on with it, or choose another folder",
        )


def make_folder(folder: Path) -> None:
    """Make a folder for a run, or a part of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot be made: {error.strerror or error}", where=str(folder)
        ) from error


def read_options(run: Path, stage: str) -> dict[str, Any]:
    """The options of a training run.

    Args:
        stage: whose run it must be.

    Raises:
        BadInputError: the folder holds no run of `eie train STAGE`.
    """
    hint = f"name folders of eie train {stage}"
    try:
        options = json.loads((run / "options.json").read_bytes())
    except (OSError, ValueError) as error:
        raise BadInputError(f"no training run: {error}", where=str(run), hint=hint) from error
    if not isinstance(options, dict) or options.get("stage") != stage:
        raise BadInputError("a run of another stage", where=str(run), hint=hint)
    return options
