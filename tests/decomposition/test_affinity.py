from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from eie.decomposition.affinity import MaskLogits, element_affinity, mask_logits, model_input
from eie.decomposition.assign import assign
from eie.decomposition.point_grid import query_grid
from eie.decomposition.sam_transform import Frame
from eie.models.devices import half_precision
from eie.models.tiny_sam import TinySamConfig, build_tiny_sam


def randomise(sam: Any, spread: float = 0.1) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in sam.parameters():
            parameter += spread * torch.randn_like(parameter)
    return sam.eval()


def small_sam() -> Any:
    return randomise(
        Sam(
            image_encoder=ImageEncoderViT(
                img_size=128,
                embed_dim=48,
                depth=2,
                num_heads=3,
                out_chans=64,
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                use_rel_pos=True,
                window_size=3,
                global_attn_indexes=(1,),
            ),
            prompt_encoder=PromptEncoder(64, (8, 8), (128, 128), 16),
            mask_decoder=MaskDecoder(
                transformer_dim=64, transformer=TwoWayTransformer(2, 64, 8, 128)
            ),
        )
    )


def photo_of(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def predictor_logits(
    sam: Any, photo: NDArray[np.uint8], points: NDArray[np.float64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each point alone through segment_anything's predictor.

    Returns:
        (N, H, W) logits at the photo's pixels and (N, low, low) as the decoder gives them.
    """
    predictor = SamPredictor(sam)
    predictor.set_image(photo)
    place = predictor.transform.apply_coords(points, photo.shape[:2]) - 0.5
    place = torch.as_tensor(place, dtype=torch.float)[:, None]
    inside = torch.ones(len(points), 1, dtype=torch.int)
    full, _, low = predictor.predict_torch(
        place, inside, multimask_output=False, return_logits=True
    )
    return full[:, 0], low[:, 0]


@pytest.mark.parametrize(("height", "width"), [(128, 128), (70, 200), (60, 33), (300, 40)])
def test_logits_and_labels_are_the_predictors(height: int, width: int) -> None:
    sam, photo = small_sam(), photo_of(height, width)
    points = query_grid(height, width, 24).points
    full, low = predictor_logits(sam, photo, points)

    found = mask_logits(sam, photo, points)

    rows, columns = found.values.shape[1:]
    np.testing.assert_allclose(found.values, low[:, :rows, :columns], atol=1e-4)
    y, x = np.mgrid[:height, :width] + 0.5
    far = np.hypot(x - points[:, 0, None, None], y - points[:, 1, None, None])
    score = full.numpy() - 4.0 * far / np.sqrt(height * width)
    labels = assign(found.values, points, found.frame, 4.0, low=found.low)
    chosen = np.take_along_axis(score, labels[None].astype(np.intp), axis=0)[0]
    np.testing.assert_allclose(chosen, score.max(axis=0), atol=2e-3)
    assert (labels == score.argmax(axis=0)).mean() > 0.995


def test_the_tiny_segmenters_logits_are_the_predictors() -> None:
    sam, photo = randomise(build_tiny_sam(TinySamConfig(img_size=256)), 0.02), photo_of(120, 120)
    points = query_grid(120, 120, 12).points
    _, low = predictor_logits(sam, photo, points)
    found = mask_logits(sam, photo, points)
    assert found.values.shape[1:] == (found.low, found.low)
    np.testing.assert_allclose(found.values, low, atol=1e-4 * float(low.abs().max()))


def test_the_tiny_segmenter_is_spared_the_padding() -> None:
    sam, photo = randomise(build_tiny_sam(TinySamConfig(img_size=256)), 0.02), photo_of(90, 120)
    seen = []
    sam.image_encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = mask_logits(sam, photo, query_grid(90, 120, 12).points)
    assert found.values.shape[1:] == (97, 128)  # interpolation reads one row more
    assert [tuple(image.shape) for image in seen] == [(1, 3, 224, 256)]  # 192 rows, and one step
    assert not seen[0][0, :, 192:].any()


@pytest.mark.slow
def test_vit_b_in_its_own_size() -> None:
    sam, photo = randomise(sam_model_registry["vit_b"](), 0.02), photo_of(384, 512)
    points = query_grid(384, 512, 12).points
    _, low = predictor_logits(sam, photo, points)

    exact = mask_logits(sam, photo, points).values
    rows, columns = exact.shape[1:]
    assert (rows, columns) == (193, 256)  # interpolation reads one row more
    np.testing.assert_allclose(exact, low[:, :rows, :columns], atol=1e-4 * float(low.abs().max()))

    if half_precision(torch.device("cpu")) is not torch.bfloat16:
        return  # emulated here, which would take minutes
    sam.image_encoder.bfloat16()
    sam.mask_decoder.bfloat16()
    rounded = mask_logits(sam, photo, points).values
    assert np.abs(rounded - exact).mean() < 0.02 * np.abs(exact - exact.mean()).mean() + 1e-3


def test_the_model_input_is_resized_as_segment_anything_does() -> None:
    from segment_anything.utils.transforms import ResizeLongestSide

    photo = photo_of(75, 131)
    expected = ResizeLongestSide(512).apply_image(photo)
    np.testing.assert_array_equal(model_input(photo, Frame(75, 131, 512)), expected)


def test_progress_counts_the_queries() -> None:
    told: list[tuple[int, int]] = []
    points = query_grid(64, 64, 9).points
    mask_logits(small_sam(), photo_of(64, 64, 1), points, progress=lambda *n: told.append(n))
    assert told[-1] == (9, 9)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def logits_of(values: NDArray[np.float32], height: int, width: int) -> MaskLogits:
    points = query_grid(height, width, len(values)).points
    return MaskLogits(values, values.shape[1], Frame(height, width, height), points)


def test_element_affinity_is_the_mean_probability_over_the_element() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 16, 16)).astype(np.float32)
    labels = np.kron([[0, 1], [2, 2]], np.ones((32, 32), int))
    queries = np.array([0, 1, 3])
    found = element_affinity(logits_of(values, 64, 64), labels, queries)

    probability = 1 / (1 + np.exp(-values[queries]))
    small = labels[::4, ::4]
    expected = [[p[small == k].mean() for k in range(3)] for p in probability]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_element_affinity_sees_elements_between_the_samples() -> None:
    labels = np.zeros((1500, 1500), int)
    labels[701, 333] = 1
    values = np.stack([np.full((16, 16), 9.0), np.full((16, 16), -9.0)]).astype(np.float32)
    found = element_affinity(logits_of(values, 1500, 1500), labels, np.array([0, 1]))
    np.testing.assert_allclose(found, [[1, 1], [0, 0]], atol=1e-3)
