"""How far a picture is from the photo it should be.

Pictures are (H, W, 3) uint8 RGB in [0, 255] of one size. The libraries of the field do the
arithmetic: scikit-image, pytorch-msssim, lpips, torch-fidelity. The last three are in extra `eval`.
LPIPS and FID need weights that cannot come along with eie; see :func:`lpips_distance` and
:func:`inception_features` for which.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eie.errors import BadInputError, MissingModelError
from eie.evaluate.core.case_result import Pixels
from eie.evaluate.measures.perceptual_distance import batch_of

if TYPE_CHECKING:
    from torch import Tensor

EXTRA_HINT = "pip install 'eie[eval]'"

MS_SSIM_SCALES = 5
MS_SSIM_WINDOW = 11
MS_SSIM_SMALLEST = (MS_SSIM_WINDOW - 1) * 2 ** (MS_SSIM_SCALES - 1) + 1
"""Smallest side that MS-SSIM can be taken of: its window must fit the smallest scale."""

LPIPS_TRUNKS: Mapping[tuple[int, ...], str] = {(64, 3, 11, 11): "alex", (64, 3, 3, 3): "vgg"}
"""lpips' name of a trunk by the size of its first convolution."""


def mse(picture: Pixels, truth: Pixels) -> float:
    """Mean squared error of colours in [0, 1], as the paper has it.

    Raises:
        BadInputError: the pictures differ in size.
    """
    _check_sizes(picture, truth)
    difference = picture.astype(np.float64) - truth.astype(np.float64)
    return float(np.square(difference).mean() / 255**2)


def psnr(picture: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all channels; infinite for equal pictures."""
    error = mse(picture, truth)
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(picture: Pixels, truth: Pixels) -> float:
    """Structural similarity (Wang et al., 2004): Gaussian window of σ 1.5, mean of the channels.

    NaN for pictures smaller than the window of 11 pixels.
    """
    from skimage import metrics

    _check_sizes(picture, truth)
    if min(picture.shape[:2]) < MS_SSIM_WINDOW:
        return math.nan
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity: Any = metrics.structural_similarity
    return float(similarity(picture, truth, channel_axis=2, data_range=255, **options))


def ms_ssim(picture: Pixels, truth: Pixels) -> float:
    """Multi-scale structural similarity (Wang et al., 2003) of 5 scales, mean of the channels.

    NaN for pictures with a side below `MS_SSIM_SMALLEST`.

    Raises:
        MissingModelError: pytorch-msssim is not installed.
    """
    import torch

    _check_sizes(picture, truth)
    if min(picture.shape[:2]) < MS_SSIM_SMALLEST:
        return math.nan
    check_installed("pytorch_msssim", "MS-SSIM")
    from pytorch_msssim import ms_ssim as pytorch_ms_ssim

    with torch.inference_mode():
        return float(pytorch_ms_ssim(batch_of(picture), batch_of(truth), data_range=1.0))


def lpips_distance(picture: Pixels, truth: Pixels, weights: Path) -> float:
    """LPIPS 0.1 (Zhang et al., 2018) with its own linear layers, by the package lpips.

    Args:
        weights: torchvision's ImageNet weights of the trunk: AlexNet (`alexnet-owt-7be5be79.pth`)
            or VGG-16 (`vgg16-397923af.pth`); which one is told by the file.

    Raises:
        MissingModelError: lpips is not installed, or the file holds no such weights.
    """
    import torch

    _check_sizes(picture, truth)
    model = load_lpips(weights)
    with torch.inference_mode():
        return float(model(batch_of(picture), batch_of(truth), normalize=True))


def inception_features(picture: Pixels, weights: Path) -> NDArray[np.float32]:
    """(2048,) features of FID (Heusel et al., 2017), by torch-fidelity.

    Args:
        weights: the Inception network of the original FID in PyTorch's format
            (`weights-inception-2015-12-05-6726825d.pth` of torch-fidelity).

    Raises:
        MissingModelError: torch-fidelity is not installed, or the file holds no such weights.
    """
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        (features,) = load_inception(weights)(pixels)  # (1, 2048)
    return np.asarray(features[0].numpy(), dtype=np.float32)


@lru_cache(maxsize=1)
def load_lpips(weights: Path) -> Any:
    """`lpips.LPIPS` on the CPU in evaluation mode; see :func:`lpips_distance`."""
    check_installed("lpips", "LPIPS")
    import lpips

    tensors = _read_weights(weights)
    first = tensors.get("features.0.weight")
    name = LPIPS_TRUNKS.get(tuple(first.shape)) if first is not None else None
    if name is None:
        raise MissingModelError(
            "these are not torchvision's weights of AlexNet or VGG-16",
            where=str(weights),
            hint="give alexnet-owt-7be5be79.pth or vgg16-397923af.pth",
        )
    model = lpips.LPIPS(net=name, pnet_rand=True, verbose=False)
    # lpips keeps the layers under their old numbers, in slices: slice2.3.weight ⇒ features.3.weight
    trunk = {
        key: tensors.get(f"features.{key.partition('.')[2]}") for key in model.net.state_dict()
    }
    try:
        model.net.load_state_dict(trunk)
    except (RuntimeError, AttributeError) as error:
        raise MissingModelError("layers are missing in the weights", where=str(weights)) from error
    return model.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def load_inception(weights: Path) -> Any:
    """torch-fidelity's Inception network on the CPU; see :func:`inception_features`."""
    check_installed("torch_fidelity", "FID")
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    tensors = _read_weights(weights)
    with tempfile.TemporaryDirectory() as folder:
        # It unpickles without restriction, so it gets a copy that holds tensors only.
        copy = Path(folder) / "inception.pth"
        torch.save(tensors, copy)
        try:
            return FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(copy)
            )
        except (RuntimeError, TypeError, AttributeError) as error:
            raise MissingModelError(
                "these are not the weights of FID's Inception network",
                where=str(weights),
                hint="give torch-fidelity's weights-inception-2015-12-05-6726825d.pth",
            ) from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {str(name): tensor for name, tensor in tensors.items() if torch.is_tensor(tensor)}
    except Exception as error:  # a damaged pickle can raise anything
        reason = error.strerror if isinstance(error, OSError) else "they are damaged or no weights"
        raise MissingModelError(f"the weights cannot be read: {reason}", where=str(path)) from error


def _check_sizes(picture: Pixels, truth: Pixels) -> None:
    if picture.shape != truth.shape:
        raise BadInputError(f"pictures of {picture.shape} and {truth.shape} differ in size")


def check_installed(package: str, what: str) -> None:
    """Find out before the work whether a package of extra `eval` is there.

    Raises:
        MissingModelError: it is not.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingModelError(f"{what} needs {package}, which is not installed", hint=EXTRA_HINT)
