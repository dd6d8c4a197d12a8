"""Stable Diffusion 1.5's shapes with random weights; minutes and gigabytes, so only on demand."""

from __future__ import annotations

import pytest

from benchmarks import diffusion


@pytest.mark.slow
def test_a_guided_step_costs_little_more_than_stable_diffusions() -> None:
    measured = diffusion.in_own_process(diffusion.guided_steps)
    assert measured["step_by_stable_diffusion"] <= diffusion.STEP_LIMIT, measured
    assert measured["step_by_ip_adapter"] < 1, measured
    assert measured["guided_step_peak_gb"] < diffusion.MEMORY_LIMIT_GB, measured


@pytest.mark.slow
def test_a_training_step_fits() -> None:
    measured = diffusion.in_own_process(diffusion.training_step)
    assert measured["training_step_peak_gb"] < diffusion.MEMORY_LIMIT_GB, measured
