"""segment_anything's networks, without what else its package imports.

The package's `__init__` imports its predictors, and these torchvision: a second of processor time
that nothing here needs. So its networks are imported under a package that runs `__init__` only when
somebody asks for one of its other names.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

_NAME = "segment_anything"


class _LaterPackage(ModuleType):
    """A package whose `__init__` runs when a name is asked for that is not there yet."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]  # once only
        spec.loader.exec_module(self)
        return getattr(self, name)


def _prepare() -> None:
    """Put the package in place, if it is there and nobody has imported it."""
    spec = importlib.util.find_spec(_NAME)
    if _NAME in sys.modules or spec is None or spec.submodule_search_locations is None:
        return
    package = _LaterPackage(_NAME)
    package.__spec__, package.__file__ = spec, spec.origin
    package.__path__, package.__package__ = spec.submodule_search_locations, _NAME
    sys.modules[_NAME] = package


_prepare()

from segment_anything.modeling import (  # noqa: E402
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.common import MLPBlock  # noqa: E402
from segment_anything.modeling.image_encoder import (  # noqa: E402
    get_rel_pos,
    window_partition,
    window_unpartition,
)
from segment_anything.modeling.mask_decoder import MLP  # noqa: E402
from segment_anything.modeling.transformer import Attention  # noqa: E402

__all__ = [
    "MLP",
    "Attention",
    "ImageEncoderViT",
    "MLPBlock",
    "MaskDecoder",
    "PromptEncoder",
    "Sam",
    "TwoWayTransformer",
    "get_rel_pos",
    "window_partition",
    "window_unpartition",
]
