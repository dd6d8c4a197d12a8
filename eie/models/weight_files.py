"""Which files of a model's folder are its weights: repositories often hold them several times.

unet/diffusion_pytorch_model.safetensors            taken
unet/diffusion_pytorch_model.bin                    the same as pickles: where there is no other
unet/diffusion_pytorch_model.fp16.safetensors       a variant: where there is no other
unet/diffusion_pytorch_model.non_ema.safetensors    before averaging: never
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
"""Names of the files of a network in diffusers' layout."""

VARIANTS = ("fp16", "bf16")
"""Names of weights in half precision, best first."""

_WEIGHTS = re.compile(
    r"(?P<stem>[\w-]+?)(?:\.(?P<early>\w+))?(?P<shard>-\d{5}-of-\d{5})?(?:\.(?P<late>\w+))?"
    r"\.(?P<kind>safetensors|bin|ckpt|msgpack|h5|onnx|pb|xml|pt|pth)"
)
_INDEX = re.compile(r"[\w-]+\.(?P<kind>safetensors|bin)\.index(?:\.(?P<variant>\w+))?\.json")


@dataclass(frozen=True)
class Weights:
    """The weights of a part: their kind ("safetensors" or "bin"), and their variant if any."""

    kind: str
    variant: str | None


def weights_of(names: Iterable[str]) -> Weights | None:
    """The weights to take among a part's file names; None where there are none."""
    there = {found for name in names if (found := _weights(name)) is not None}
    for variant in (None, *VARIANTS):
        for kind in ("safetensors", "bin"):
            if Weights(kind, variant) in there:
                return Weights(kind, variant)
    return None


def variant_of(folder: Path, parts: Iterable[str]) -> str | None:
    """The variant that a pipeline's folder must be loaded as, since a part has no other weights."""
    found = [weights_of(_names(folder / part)) for part in parts if (folder / part).is_dir()]
    variants = {weights.variant for weights in found if weights is not None} - {None}
    return min(variants, key=str) if variants else None


def tensor_names(folder: Path) -> set[str] | None:
    """The names of the tensors in a part's weights; None where they are no safetensors.

    Raises:
        OSError, ValueError: they cannot be read; safetensors has errors of its own.
    """
    from safetensors import safe_open

    taken = weights_of(_names(folder))
    if taken is None or taken.kind != "safetensors":
        return None
    names: set[str] = set()
    for path in sorted(folder.iterdir()):
        if _weights(path.name) == taken:
            with safe_open(path, "numpy") as file:
                names.update(file.keys())
    return names


def copy_part(source: Path, target: Path) -> Weights | None:
    """Copy a part's folder with one set of its weights, under their plain name.

    Returns:
        Those of the source; None if it has none.
    """
    taken = weights_of(_names(source))
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_dir():
            continue
        weights, index = _weights(path.name), _INDEX.fullmatch(path.name)
        if index:
            if taken != Weights(index["kind"], index["variant"]):
                continue
        elif (weights is not None or _WEIGHTS.fullmatch(path.name)) and weights != taken:
            continue
        variant = taken.variant if taken and (weights or index) else None
        plain = target / name.with_name(_plain(path.name, variant))
        plain.parent.mkdir(parents=True, exist_ok=True)
        if index and variant:
            content = json.loads(path.read_text(encoding="utf-8"))
            places = content.get("weight_map", {})
            content["weight_map"] = {n: _plain(file, variant) for n, file in places.items()}
            plain.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
        else:
            shutil.copyfile(path, plain)  # on the hub's cache the files are links
    return taken


def _weights(name: str) -> Weights | None:
    """What weights a file name is of; None for other files and kinds."""
    found = _WEIGHTS.fullmatch(name)
    if not found or found["kind"] not in ("safetensors", "bin"):
        return None
    return Weights(found["kind"], found["early"] or found["late"])


def _plain(name: str, variant: str | None) -> str:
    return name.replace(f".{variant}", "", 1) if variant else name


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex, by which element files and settings know weights.

    A file that has not changed is read once per process.
    """
    status = path.stat()
    return _sha256(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _sha256(path: Path, *_version: int) -> str:
    """Hash of a file; time and size of the last change keep a changed file apart."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
