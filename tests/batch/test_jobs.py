"""What is done to each of many inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import eie
from eie.batch import Item, RunRecipe, parse_recipe
from eie.elements import ElementSet

ROCKET = Path(__file__).parents[2] / "examples" / "rocket.jpg"


def test_edits_see_the_numbers_that_an_element_file_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ElementSet] = []
    monkeypatch.setattr(eie, "edit", lambda elements, *_, **__: seen.append(elements) or elements)
    text = """{"format": "eie-recipe", "version": 1,
        "decompose": {"segmenter": "slic", "elements": 64},
        "edit": [{"operation": "delete", "selection": "1"}]}"""
    RunRecipe(parse_recipe(text)).work(Item(ROCKET, Path("rocket.jpg")), ROCKET.read_bytes())
    made = eie.decompose(ROCKET, segmenter="slic", elements=64)
    held = eie.load(eie.dump(made))
    assert np.array_equal(seen[0].sources[0].affinity, held.sources[0].affinity)
    assert not np.array_equal(seen[0].sources[0].affinity, made.sources[0].affinity)
