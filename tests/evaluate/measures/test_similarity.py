"""Every measure against an independent implementation, or the library's own call."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from skimage import metrics as skimage_metrics

from eie.errors import BadInputError, MissingModelError
from eie.evaluate.measures.perceptual_distance import frechet_distance
from eie.evaluate.measures.similarity import (
    MS_SSIM_SMALLEST,
    inception_features,
    load_inception,
    load_lpips,
    lpips_distance,
    ms_ssim,
    mse,
    psnr,
    ssim,
)


def pair(height=176, width=200, noise=25.0, seed=0):
    """A smooth picture and a noisy, slightly darker one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / length) * np.cos(y / (length + 4)) for length in (9, 14, 20)]
    clean = 128 + 90 * np.stack(waves, axis=-1)
    noisy = 0.95 * clean + rng.normal(0, noise, clean.shape)
    return tuple(p.clip(0, 255).round().astype(np.uint8) for p in (noisy, clean))


def naive_ms_ssim(a, b):
    """Wang, Simoncelli, Bovik (2003), a channel at a time, with separable convolutions."""
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blurred(image):
        rows = convolve1d(image, window, axis=0)
        return convolve1d(rows, window, axis=1)[5:-5, 5:-5]

    def terms(x, y):
        mean_x, mean_y = blurred(x), blurred(y)
        var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
        covariance = blurred(x * y) - mean_x * mean_y
        contrast = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
        luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
        return (luminance * contrast).mean(), contrast.mean()

    def halved(image):
        height, width = (side // 2 * 2 for side in image.shape)
        return image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))

    values = np.ones(3)
    for channel in range(3):
        x, y = (p[..., channel].astype(np.float64) / 255 for p in (a, b))
        for scale, weight in enumerate(weights):
            similarity, contrast = terms(x, y)
            values[channel] *= max(similarity if scale == 4 else contrast, 0) ** weight
            x, y = halved(x), halved(y)
    return values.mean()


def test_mse_and_psnr_equal_scikit_image():
    noisy, clean = pair()
    assert mse(noisy, clean) == pytest.approx(
        skimage_metrics.mean_squared_error(noisy / 255, clean / 255), abs=1e-9
    )
    assert psnr(noisy, clean) == pytest.approx(
        skimage_metrics.peak_signal_noise_ratio(clean, noisy, data_range=255), abs=1e-6
    )
    assert psnr(clean, clean) == math.inf


@pytest.mark.parametrize("noise", [0.5, 8, 60])
def test_ssim_equals_scikit_image_and_pytorch_msssim(noise):
    from pytorch_msssim import ssim as pytorch_ssim

    noisy, clean = pair(noise=noise)
    own = skimage_metrics.structural_similarity(
        noisy, clean, channel_axis=2, gaussian_weights=True, use_sample_covariance=False
    )
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None].double() / 255 for p in (noisy, clean)]
    other = float(pytorch_ssim(*tensors, data_range=1.0))
    assert ssim(noisy, clean) == pytest.approx(own, abs=1e-6)
    assert ssim(noisy, clean) == pytest.approx(other, abs=1e-4)
    assert ssim(clean, clean) == pytest.approx(1)


@pytest.mark.parametrize("noise", [4, 40])
def test_ms_ssim_equals_its_definition(noise):
    noisy, clean = pair(noise=noise)
    assert ms_ssim(noisy, clean) == pytest.approx(naive_ms_ssim(noisy, clean), abs=1e-4)


def test_small_pictures_are_not_measured():
    noisy, clean = pair(MS_SSIM_SMALLEST, MS_SSIM_SMALLEST)
    assert math.isfinite(ms_ssim(noisy, clean))
    assert math.isnan(ms_ssim(noisy[1:], clean[1:]))
    assert math.isnan(ssim(noisy[:10], clean[:10]))


@pytest.mark.parametrize("measure", [mse, psnr, ssim, ms_ssim])
def test_sizes_must_agree(measure):
    noisy, clean = pair()
    with pytest.raises(BadInputError, match="differ in size"):
        measure(noisy, clean[1:])


@pytest.fixture(scope="module")
def random_alexnet(tmp_path_factory):
    """Random weights of torchvision's AlexNet in a file."""
    import torchvision

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet-random.pth"
    features = torchvision.models.alexnet(weights=None).features.state_dict()
    torch.save({f"features.{name}": value for name, value in features.items()}, path)
    return path


def test_lpips_is_the_librarys_own_call(random_alexnet, monkeypatch):
    """The trunk that lpips itself builds from the same (random) weights gives the same distance."""
    import lpips
    import torchvision

    tensors = torch.load(random_alexnet, weights_only=True)
    trunk = torchvision.models.alexnet(weights=None)
    trunk.load_state_dict(tensors, strict=False)
    monkeypatch.setattr(lpips.pretrained_networks.tv, "alexnet", lambda pretrained: trunk)
    theirs = lpips.LPIPS(net="alex", verbose=False)
    noisy, clean = pair()
    tensors = [torch.from_numpy(p).permute(2, 0, 1)[None] / 127.5 - 1 for p in (noisy, clean)]
    with torch.no_grad():
        expected = float(theirs(*tensors))
    assert expected > 1e-3
    assert lpips_distance(noisy, clean, random_alexnet) == pytest.approx(expected, abs=1e-4)
    assert lpips_distance(clean, clean, random_alexnet) == 0


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory):
    """Random weights of torch-fidelity's Inception network in a file."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    torch.manual_seed(0)
    network = object.__new__(theirs.FeatureExtractorInceptionV3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        network.__init__("random", ["2048"])
    # Larger than torch's own, so that the last features do not die away.
    tensors = {
        name: value * 2.4 if name.endswith("conv.weight") else value
        for name, value in network.state_dict().items()
    }
    path = tmp_path_factory.mktemp("weights") / "inception-random.pth"
    torch.save(tensors, path)
    return path


def test_fid_is_the_librarys_own(random_inception):
    """torchmetrics' FID over the same (random) network and pictures, of the first features: the
    library takes the roots of a 2048 × 2048 matrix for minutes."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    sets = [[pair(64, 64, noise, seed)[0] for seed in range(2)] for noise in (5, 50)]
    ours = [np.stack([inception_features(p, random_inception) for p in s]) for s in sets]

    class Features(torch.nn.Module):
        num_features = 48

        def forward(self, pictures):
            return load_inception(random_inception)(pictures)[0][:, :48]

    theirs = FrechetInceptionDistance(feature=Features(), normalize=False)
    theirs.set_dtype(torch.float64)
    for real, pictures in zip((True, False), sets, strict=True):
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        theirs.update(batch, real=real)
    expected = float(theirs.compute())
    assert expected > 1e-3
    assert frechet_distance(*(o[:, :48] for o in ours)) == pytest.approx(
        expected, abs=1e-4 * max(1, expected)
    )


def test_missing_and_foreign_weights_are_named(tmp_path, random_alexnet):
    noisy, clean = pair()
    for load in (load_lpips, load_inception):
        with pytest.raises(MissingModelError, match=r"nowhere\.pth.*No such file"):
            load(tmp_path / "nowhere.pth")
    with pytest.raises(MissingModelError, match="Inception"):
        inception_features(noisy, random_alexnet)
    half = tmp_path / "half.pth"
    tensors = torch.load(random_alexnet, weights_only=True)
    torch.save({"features.0.weight": tensors["features.0.weight"]}, half)
    with pytest.raises(MissingModelError, match="layers are missing"):
        lpips_distance(noisy, clean, half)


def test_weights_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Evil()))
    for load in (load_lpips, load_inception):
        with pytest.raises(MissingModelError, match=r"evil\.pth"):
            load(path)
    assert not (tmp_path / "owned").exists()


def test_absent_packages_are_named(random_alexnet, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    noisy, clean = pair()
    load_lpips.cache_clear()
    with pytest.raises(MissingModelError, match=r"lpips.*eie\[eval\]"):
        lpips_distance(noisy, clean, random_alexnet)
    with pytest.raises(MissingModelError, match="pytorch_msssim"):
        ms_ssim(noisy, clean)
