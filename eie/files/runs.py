"""What a folder of a training says of itself, for those who use what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eie.errors import BadInputError


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
