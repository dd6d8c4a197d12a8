"""Graphs are made of the networks as they are, and run as these do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eie.errors import MissingModelError
from eie.models.graph import GRAPHS, INDEX, Graph, product, weights_of
from tools.onnx_graphs import export


def test_graphs_take_the_weights_that_networks_have(tmp_path: Path) -> None:
    export(tmp_path)
    made, kept = (json.loads((folder / INDEX).read_bytes()) for folder in (tmp_path, GRAPHS))
    assert made == kept, "run make graphs"
    names = [sorted(path.name for path in folder.iterdir()) for folder in (tmp_path, GRAPHS)]
    assert names[0] == names[1]


def test_all_graphs_together_are_small() -> None:
    assert sum(path.stat().st_size for path in GRAPHS.iterdir()) < 1.5e6


def test_a_row_of_a_product_does_not_depend_on_those_beside() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((256, 300), dtype=np.float32)
    table = rng.standard_normal((300, 1000), dtype=np.float32)
    found = product(rows, table)
    np.testing.assert_allclose(found, rows @ table, atol=1e-3)
    order = rng.permutation(256)
    assert np.array_equal(product(rows[order], table), found[order])
    assert np.array_equal(product(rows[7:8], table), found[7:8])
    assert np.array_equal(product(rows[3:50], table), found[3:50])


def test_what_is_not_finite_stops_the_work() -> None:
    graph = Graph("product", {}, "a matrix product")
    rows = np.full((2, 2), np.inf, np.float32)
    with pytest.raises(MissingModelError, match="a matrix product"):
        graph(rows=rows, table=np.zeros((2, 2), np.float32))


def test_weights_of_half_precision_are_taken() -> None:
    name = "trunk_end"
    rng = np.random.default_rng(0)
    tensors = {
        weight: rng.standard_normal(shape).astype(np.float16)
        for weight, shape in weights_of(name).items()
    }
    width = next(shape[1] for shape in weights_of(name).values() if len(shape) == 4)
    (half,) = Graph(name, tensors, "x")(trunk=np.ones((1, width, 2, 3), np.float32))
    wide = {weight: value.astype(np.float32) for weight, value in tensors.items()}
    (full,) = Graph(name, wide, "x")(trunk=np.ones((1, width, 2, 3), np.float32))
    assert half.shape == (1, 3, 8, 12)
    assert np.array_equal(half, full)
