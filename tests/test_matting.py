from __future__ import annotations

import numpy as np

from eie.matting import BAND, Matting, solved_alpha


def test_alpha_follows_colours_that_are_mixed():
    """Levin et al.: α is exact where both sides are of one colour each."""
    alpha = np.clip((np.arange(40) - 14) / 12, 0, 1)[None].repeat(20, axis=0).astype(np.float32)
    colour = alpha[..., None] * np.float32([0.9, 0.2, 0.1]) + (1 - alpha[..., None]) * 0.3
    unknown = (alpha > 0) & (alpha < 1)
    found = solved_alpha(
        colour.astype(np.float32), alpha == 1, unknown, np.full_like(alpha, 0.5), alpha * 0 + 1e-6
    )
    assert abs(found - alpha).max() < 0.01


def test_a_band_is_estimated_and_what_looks_like_the_other_side():
    """A square whose mask lacks a thin pole that stands on it."""
    mask = np.zeros((60, 60), dtype=bool)
    mask[25:50, 15:45] = True
    colour = np.where(mask[..., None], np.float32([0.9, 0.2, 0.1]), np.float32(0.3))
    colour[19:25, 29:32] = colour[30, 30]
    trimap = Matting.of(colour.astype(np.float32), mask, None, 1.0, 8.0).trimap()
    assert trimap.unknown[19:25, 29:32].all() and trimap.doubted[21, 30]
    assert trimap.unknown[24, 20] and not trimap.unknown[20, 20]
    deep = int(np.ceil(BAND[0])) + 1
    assert not trimap.unknown[25 + deep : 50 - deep, 15 + deep : 45 - deep].any()
    assert trimap.thing[40, 30] and not trimap.thing[5, 5]
