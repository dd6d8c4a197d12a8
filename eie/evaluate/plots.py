"""Plots of evaluations, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from eie.errors import MissingModelError

Curve = Sequence[tuple[float, float]]
"""Points (x, y)."""


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
    check_plots()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    markers = "osD^vP*X"
    for index, (name, points) in enumerate(series.items()):
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.plot(x, y, label=name, marker=markers[index % len(markers)], markersize=5)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
