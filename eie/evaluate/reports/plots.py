"""Plots of evaluations, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eie.errors import MissingModelError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eie.evaluate.reports.results import Results

Curve = Sequence[tuple[float, float]]
"""Points (x, y)."""

_MARKERS = "osD^vP*X"


def check_plots() -> None:
    """Find out before the work whether plots can be made.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingModelError(
            "plots need matplotlib, which is not installed", hint="pip install 'eie[eval]'"
        ) from error


def curves(series: Mapping[str, Curve], across: str, up: str) -> bytes:
    """A PNG with a curve for each name, points marked.

    Args:
        series: name ⇒ points, in the order to be joined.
        across, up: titles of the axes.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    figure, axes = _axes(4.0)
    for index, (name, points) in enumerate(series.items()):
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.plot(x, y, label=name, marker=_MARKERS[index % len(_MARKERS)], markersize=5)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return _png(figure)


def means(results: Results, measures: Sequence[str]) -> dict[str, bytes]:
    """Title ⇒ PNG, a plot for each of these measures: a row a method, a mark a kind of case.

    Marks are means, their bars one standard error to each side.

    Raises:
        MissingModelError: matplotlib is not installed.
    """
    kinds = results.by_group() or {results.title: results}
    plots = {}
    for name in measures:
        samples = {kind: alone.samples(name) for kind, alone in kinds.items()}
        taken = {kind: found for kind, found in samples.items() if any(found.values())}
        if taken:
            measure = results.measures[name]
            plots[f"{measure.label}, mean and standard error"] = _rows(taken, measure.heading)
    return plots


def _rows(samples: Mapping[str, Mapping[str, Sequence[float]]], across: str) -> bytes:
    """Kind of case ⇒ row ⇒ values."""
    rows = list(dict.fromkeys(row for found in samples.values() for row in found))
    figure, axes = _axes(1.2 + 0.42 * len(rows))
    for index, (kind, found) in enumerate(samples.items()):
        shift = 0.18 * (index - (len(samples) - 1) / 2)
        shown = [(rows.index(row) + shift, values) for row, values in found.items() if values]
        axes.errorbar(
            [float(np.mean(values)) for _, values in shown],
            [place for place, _ in shown],
            xerr=[_standard_error(values) for _, values in shown],
            fmt=_MARKERS[index % len(_MARKERS)],
            markersize=5,
            linewidth=1,
            label=kind,
        )
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(across)
    axes.grid(alpha=0.3)
    if len(samples) > 1:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return _png(figure)


def _axes(height: float) -> tuple[Figure, Axes]:
    """A figure of that height in inches, drawn without a display, and its axes."""
    check_plots()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, height), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 where a single value tells nothing of it."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
