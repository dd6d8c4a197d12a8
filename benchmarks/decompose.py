"""How fast and how large decomposing is, against segment_anything and scikit-image.

    python -m benchmarks.decompose [--output build/bench]

Prints ratios of times measured in this one run, so that a busy or slow machine does not matter
much. ViT-B has random weights, which take as long as trained ones.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peak_bytes, run

AMG_SIDE = 16  # query points along each side, as in the paper's grid


def main() -> None:
    if "--peak" in sys.argv:
        segmenter, elements, megapixels = sys.argv[sys.argv.index("--peak") + 1 :]
        print(peak_of(segmenter, int(elements), float(megapixels)))
    else:
        run("decompose", __doc__ or "", measure)


def measure() -> dict[str, float | str]:
    """All measurements; seconds, ratios and megabytes."""
    results: dict[str, float | str] = {}
    # First, because a process inherits the memory peak of the one that starts it.
    for segmenter, elements, megapixels in (
        ("tiny", 1024, 12),
        ("tiny", 256, 24),
        ("slic", 256, 24),
    ):
        name = f"peak_mb_{segmenter}_{elements}_{megapixels}mp"
        results[name] = peak_in_new_process(segmenter, elements, megapixels)
    results |= tiny_against_slic()
    results |= vit_b_against_automatic_masks()
    return results


def tiny_against_slic(rounds: int = 5) -> dict[str, float]:
    """Least time of both over a few rounds in turn, on the same 512×512 photo."""
    from skimage.segmentation import slic

    from eie.decomposition import decompose
    from eie.models.segmenter import load_segmenter

    photo, segmenter = photo_of(512, 512), load_segmenter("tiny")
    ours = theirs = float("inf")
    decompose(photo, segmenter=segmenter)
    for _ in range(rounds):
        theirs = min(theirs, seconds(lambda: slic(photo, n_segments=256)))
        ours = min(ours, seconds(lambda: decompose(photo, segmenter=segmenter)))
    return {"tiny_s": ours, "slic_s": theirs, "tiny_by_slic": ours / theirs}


def vit_b_against_automatic_masks() -> dict[str, float]:
    """One photo through ViT-B: our decomposition, then SamAutomaticMaskGenerator."""
    import torch
    from segment_anything import SamAutomaticMaskGenerator, sam_model_registry

    from eie.decomposition import decompose
    from eie.models.segmenter import load_segmenter

    torch.manual_seed(0)
    sam = sam_model_registry["vit_b"]()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(sam.state_dict(), Path(folder) / "vit_b.pth")
        segmenter = load_segmenter(Path(folder) / "vit_b.pth", "cpu")
        photo = photo_of(512, 512)
        ours = seconds(lambda: decompose(photo, segmenter=segmenter, elements=AMG_SIDE**2))
        generator = SamAutomaticMaskGenerator(sam, points_per_side=AMG_SIDE)
        theirs = seconds(lambda: generator.generate(photo))
        ours = min(
            ours, seconds(lambda: decompose(photo, segmenter=segmenter, elements=AMG_SIDE**2))
        )
    return {"vit_b_s": ours, "amg_s": theirs, "vit_b_by_amg": ours / theirs}


def peak_in_new_process(segmenter: str, elements: int, megapixels: float) -> float:
    command = [sys.executable, "-m", "benchmarks.decompose", "--peak", segmenter]
    done = subprocess.run(
        [*command, str(elements), str(megapixels)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def peak_of(segmenter: str, elements: int, megapixels: float) -> float:
    """Peak memory of this process in megabytes after decomposing a 3:2 photo."""
    from eie.decomposition import decompose

    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    decompose(photo_of(height, height * 3 // 2), segmenter=segmenter, elements=elements)
    return peak_bytes() / 1e6


def photo_of(height: int, width: int) -> NDArray[np.uint8]:
    """scikit-image's astronaut at any size."""
    import cv2
    from skimage import data

    return np.asarray(cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_CUBIC))


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
