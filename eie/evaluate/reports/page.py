"""The report page of an evaluation: one HTML file with its pictures beside it, no scripts.

REPORT/index.html
REPORT/pictures/       plots, and the pictures of the cases shown
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from eie.errors import ResourceError
from eie.evaluate.core.case_result import CaseResult, Pixels
from eie.evaluate.measures.table import Measure
from eie.evaluate.reports.results import Results
from eie.files.atomic import write_atomically

PAGE = "index.html"
PICTURES = "pictures"

SHOWN = 3
"""Cases shown of the best, the median and the worst each."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --faint: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem;
       max-width: 110rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
pre, code { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem 1rem; overflow-x: auto; border-radius: 4px;
      white-space: pre-wrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--line);
         font-variant-numeric: tabular-nums; }
th { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
ul.notes { color: var(--faint); padding-left: 1.2rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots figure { flex: 0 1 46rem; }
.case { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
figure { margin: 0; }
figure img { width: 100%; height: auto; display: block; background: #fff; }
.crops { display: flex; gap: .75rem; overflow-x: auto; margin-bottom: .75rem; }
.crops figure { flex: none; width: min-content; }
.crops img { width: auto; max-width: none; }
figcaption { font-size: 13px; }
figcaption span { color: var(--faint); font-variant-numeric: tabular-nums; }
"""


class Key(NamedTuple):
    """The method and the measure by which cases are good or bad."""

    method: str
    measure: str


class Place(NamedTuple):
    """A case on the contact sheet and what it is there for: "best", "median" or "worst"."""

    kind: str
    case: CaseResult


def write_report(folder: Path, results: Results, shown: int = SHOWN) -> Path:
    """Write the report page; what an earlier report left in the folder is replaced.

    Args:
        folder: created if need be.
        shown: cases of the best, the median and the worst each, by the results' key.

    Returns:
        The path of the page.

    Raises:
        ResourceError: the folder cannot be written.
    """
    pictures = folder / PICTURES
    _renew_folder(pictures)
    places = chosen_cases(results, shown)
    parts = [
        *_head(results),
        *_table(results),
        *_notes(results),
        *_kinds(results),
        *_plots(pictures, results.draw(results)),
        *_contact_sheet(pictures, results, Key(*results.key), places),
        *_settings(results),
    ]
    page = folder / PAGE
    with write_atomically(page) as handle:
        handle.write("\n".join(_document(results.title, parts)).encode())
    return page


def chosen_cases(results: Results, shown: int = SHOWN) -> list[Place]:
    """The best, the median and the worst cases, each case once, best first.

    Cases with no figure for the key, or no pictures, are left out. With few cases the best come
    first, then the worst, then the median.
    """
    key = results.key
    measure = results.measures[key[1]]
    ranked = sorted(
        (case for case in results.cases if case.pictures and math.isfinite(_score(case, key))),
        key=lambda case: _score(case, key),
        reverse=measure.higher_is_better is not False,
    )
    count = len(ranked)
    middle = max(0, count // 2 - shown // 2)
    wanted = {
        "best": list(range(min(shown, count))),
        "worst": list(range(max(0, count - shown), count)),
        "median": list(range(middle, min(count, middle + shown))),
    }
    taken: dict[int, str] = {}
    for kind, rows in wanted.items():
        for row in rows:
            taken.setdefault(row, kind)
    return [Place(taken[row], ranked[row]) for row in sorted(taken)]


def _score(case: CaseResult, key: tuple[str, str]) -> float:
    method, measure = key
    return case.scores.get(method, {}).get(measure, math.nan)


def _document(title: str, parts: list[str]) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>"
    yield f"<style>{STYLE}</style></head><body>"
    yield from parts
    yield "</body></html>"
    yield ""


def _head(results: Results) -> Iterator[str]:
    yield f"<h1>{escape(results.title)}</h1>"
    count = len(results.cases)
    yield f"<p>{count} {'case' if count == 1 else 'cases'}, made by</p>"
    yield f"<pre>{escape(results.command)}</pre>"


def _table(results: Results) -> Iterator[str]:
    yield '<div class="scroll"><table><thead><tr><th>method</th>'
    yield "".join(f"<th>{escape(m.heading)}</th>" for m in results.measures.values())
    yield "</tr></thead><tbody>"
    for method, cells in results.rows():
        yield f"<tr><td>{escape(method)}</td>"
        yield "".join(
            f'<td class="best">{escape(text)}</td>' if best else f"<td>{escape(text)}</td>"
            for text, best in cells
        )
        yield "</tr>"
    yield "</tbody></table></div>"


def _notes(results: Results) -> Iterator[str]:
    legend = [f"{m.label}: {m.about}" for m in results.measures.values() if m.about]
    notes = [*legend, *results.notes, *results.incomplete()]
    if notes:
        yield '<ul class="notes">'
        yield from (f"<li>{escape(note)}</li>" for note in notes)
        yield "</ul>"


def _kinds(results: Results) -> Iterator[str]:
    """The table for each kind of case alone."""
    for kind, alone in results.by_group().items():
        count = len(alone.cases)
        yield f"<h2>{escape(kind)}: {count} {'case' if count == 1 else 'cases'}</h2>"
        yield from _table(alone)


def _plots(folder: Path, plots: Mapping[str, bytes]) -> Iterator[str]:
    if not plots:
        return
    yield '<h2>Plots</h2><div class="plots">'
    for index, (title, content) in enumerate(plots.items()):
        name = f"plot-{index}.png"
        with write_atomically(folder / name) as handle:
            handle.write(content)
        yield _figure(name, title, "")
    yield "</div>"


def _contact_sheet(folder: Path, results: Results, key: Key, places: list[Place]) -> Iterator[str]:
    if not places:
        return
    measure = results.measures[key.measure]
    yield f"<h2>Best, median and worst by {escape(measure.label)} of {escape(key.method)}</h2>"
    for index, (kind, case) in enumerate(places):
        score = f"{measure.label} {measure.shown(_score(case, key))}"
        yield f"<h3>{kind}: {escape(case.case)} <small>({escape(score)})</small></h3>"
        captions = {title: _caption(case, title, key.measure, measure) for title in case.pictures}
        if case.focus:
            yield from _row(folder, f"crop-{index}", "crops", _crops(case, case.focus), captions)
        yield from _row(folder, f"case-{index}", "case", case.pictures, captions)


def _crops(case: CaseResult, focus: tuple[int, int, int, int]) -> dict[str, Pixels]:
    """What is to be looked at, of every picture."""
    left, top, width, height = focus
    return {
        title: pixels[top : top + height, left : left + width]
        for title, pixels in case.pictures.items()
    }


def _row(
    folder: Path,
    prefix: str,
    style: str,
    pictures: Mapping[str, Pixels],
    captions: Mapping[str, str],
) -> Iterator[str]:
    """Pictures in a class of the style sheet: "crops" at full size, "case" as wide as a column."""
    yield f'<div class="{style}">'
    for number, (title, pixels) in enumerate(pictures.items()):
        name = f"{prefix}-{number}.png"
        with write_atomically(folder / name) as handle:
            handle.write(_png(pixels))
        yield _figure(name, title, captions[title])
    yield "</div>"


def _caption(case: CaseResult, title: str, name: str, measure: Measure) -> str:
    """The figure of a picture that is titled after its method; nothing for other pictures."""
    value = _score(case, Key(title, name))
    return f"{measure.label} {measure.shown(value)}" if math.isfinite(value) else ""


def _figure(name: str, title: str, caption: str) -> str:
    """One picture, linked to its file at full size."""
    address = f"{PICTURES}/{quote(name)}"
    return (
        f'<figure><a href="{address}"><img src="{address}" alt="{escape(title)}" loading="lazy">'
        f"</a><figcaption>{escape(title)} <span>{escape(caption)}</span></figcaption></figure>"
    )


def _settings(results: Results) -> Iterator[str]:
    text = json.dumps(dict(results.settings), indent=2, default=str, ensure_ascii=False)
    yield f"<h2>Settings</h2><pre>{escape(text)}</pre>"


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def _renew_folder(folder: Path) -> None:
    """An empty folder of that name."""
    try:
        if folder.exists():
            for path in folder.glob("*.png"):
                path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot be written: {error.strerror or error}", where=str(folder)
        ) from error
