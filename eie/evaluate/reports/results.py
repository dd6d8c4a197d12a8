"""Results of an evaluation: means over its cases, figures of the set, as a table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eie.evaluate.core.case_result import CaseResult, Scores, finite
from eie.evaluate.measures.table import Measure

if TYPE_CHECKING:
    from rich.table import Table


ALL_CASES = "*"
"""In CSV, the case of the rows of means over all cases; before a kind, of those of that kind."""


class Mean(NamedTuple):
    """Mean, or median, over those cases where a measure could be taken, and their number."""

    value: float
    cases: int


@dataclass(frozen=True, eq=False)
class Results:
    """What an evaluation found.

    Attributes:
        title: of table and report.
        command: the line that repeats it.
        settings: what determines it, in terms of JSON.
        measures: name ⇒ how it is read, in the order to be shown.
        cases: the results, in order.
        overall: method ⇒ measure ⇒ value, of measures that only a whole set has.
        notes: what the reader must know: what is missing and why, what a figure means.
        groups: case ⇒ the kind of case it is, for means by kind; empty if all are alike.
        overall_by_group: kind of case ⇒ as `overall`, of the cases of that kind alone.
        key: method and measure by which a report calls cases good or bad.
        draw: makes a report's plots of the results: title ⇒ the bytes of a PNG.
    """

    title: str
    command: str
    settings: Mapping[str, Any]
    measures: Mapping[str, Measure]
    cases: Sequence[CaseResult]
    overall: Scores = field(default_factory=dict)
    notes: Sequence[str] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    overall_by_group: Mapping[str, Scores] = field(default_factory=dict)
    key: tuple[str, str] = ("", "")
    draw: Callable[[Results], Mapping[str, bytes]] = lambda _: {}

    def methods(self) -> list[str]:
        """The methods in the order in which they appear."""
        found = [method for case in self.cases for method in case.scores]
        return list(dict.fromkeys([*found, *self.overall]))

    def means(self) -> dict[str, dict[str, Mean]]:
        """Method ⇒ measure ⇒ mean, or median; NaN and 0 cases where it was never taken.

        Figures of the whole set count all cases.
        """
        return {
            method: {name: self._mean(method, name) for name in self.measures}
            for method in self.methods()
        }

    def _mean(self, method: str, measure: str) -> Mean:
        whole = self.overall.get(method, {}).get(measure, math.nan)
        if math.isfinite(whole):
            return Mean(whole, len(self.cases))
        taken = self._taken(method, measure)
        average = np.median if self.measures[measure].average == "median" else np.mean
        return Mean(float(average(taken)), len(taken)) if taken else Mean(math.nan, 0)

    def by_group(self) -> dict[str, Results]:
        """The same of each kind of case alone, in the order in which they appear.

        Figures of the whole set are those of each kind. Empty if all cases are alike.
        """
        kinds = dict.fromkeys(self.groups[case.case] for case in self.cases if self.groups)
        return {
            kind: replace(
                self,
                title=kind,
                cases=[case for case in self.cases if self.groups[case.case] == kind],
                overall=self.overall_by_group.get(kind, {}),
                notes=(),
                groups={},
                overall_by_group={},
            )
            for kind in kinds
        }

    def samples(self, measure: str) -> dict[str, list[float]]:
        """Method ⇒ the values of a measure where it was taken."""
        return {method: self._taken(method, measure) for method in self.methods()}

    def _taken(self, method: str, measure: str) -> list[float]:
        values = [case.scores.get(method, {}).get(measure, math.nan) for case in self.cases]
        return [value for value in values if math.isfinite(value)]

    def best(self, measure: str) -> frozenset[str]:
        """The methods with the best mean of a measure, those that a table shows alike included.

        None where neither way is better.
        """
        kind = self.measures[measure]
        means = {method: found[measure].value for method, found in self.means().items()}
        taken = [value for value in means.values() if math.isfinite(value)]
        if kind.higher_is_better is None or not taken:
            return frozenset()
        best = kind.shown(max(taken) if kind.higher_is_better else min(taken))
        return frozenset(method for method, value in means.items() if kind.shown(value) == best)

    def incomplete(self) -> list[str]:
        """A line for the measures that were taken in some cases only.

        Measures that are missing alike share one, as those of a region that some cases lack. One
        that was taken in none is for the notes to explain.
        """
        alike: dict[str, list[str]] = {}
        total = len(self.cases)
        means = self.means()
        for name, measure in self.measures.items():
            counts = {method: found[name].cases for method, found in means.items()}
            missing = [
                f"{method} {count}/{total}" for method, count in counts.items() if count < total
            ]
            if missing and any(counts.values()):
                everywhere = len(missing) == len(counts) > 1 and len(set(counts.values())) == 1
                text = (
                    f"{min(counts.values())}/{total} by all" if everywhere else ", ".join(missing)
                )
                alike.setdefault(text, []).append(measure.label)
        return [
            f"{', '.join(labels)} {'was' if len(labels) == 1 else 'were'} not taken in every case: "
            f"{text}"
            for text, labels in alike.items()
        ]

    def to_json(self) -> str:
        """Everything but pictures and arrays, as a JSON document that ends with a line break."""
        content = {
            "title": self.title,
            "command": self.command,
            "settings": dict(self.settings),
            "measures": {
                name: {
                    "label": measure.label,
                    "unit": measure.unit,
                    "higher_is_better": measure.higher_is_better,
                    "about": measure.about,
                    "average": measure.average,
                }
                for name, measure in self.measures.items()
            },
            "means": _means_in_json(self),
            "means_by_kind": {
                kind: _means_in_json(results) for kind, results in self.by_group().items()
            },
            "notes": [*self.notes, *self.incomplete()],
            "cases": [
                {"case": case.case, "scores": {m: finite(s) for m, s in case.scores.items()}}
                for case in self.cases
            ],
        }
        return json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """A row for each case and method, then one for each method with the case `*`: the means.

        Those of each kind of case follow, with the case `*KIND`. Columns: case, method, and the
        measures by name; empty where nothing was measured.
        """
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "method", *self.measures])
        for case in self.cases:
            for method, scores in case.scores.items():
                values = [scores.get(name, math.nan) for name in self.measures]
                writer.writerow([case.case, method, *map(_cell, values)])
        for kind, alone in {"": self, **self.by_group()}.items():
            for method, found in alone.means().items():
                values = [found[name].value for name in self.measures]
                writer.writerow([ALL_CASES + kind, method, *map(_cell, values)])
        return stream.getvalue()

    def table(self) -> Table:
        """The means as a table for people: a row a method, the best of each measure in bold."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title=f"{self.title} ({_counted(len(self.cases))})", box=SIMPLE_HEAD)
        table.add_column("method")
        for measure in self.measures.values():
            table.add_column(measure.heading, justify="right")
        for method, cells in self.rows():
            table.add_row(method, *(f"[bold]{text}[/]" if best else text for text, best in cells))
        return table

    def rows(self) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
        """Each method with its means as text, and whether each is the best."""
        best = {name: self.best(name) for name in self.measures}
        for method, found in self.means().items():
            yield (
                method,
                [
                    (measure.shown(found[name].value), method in best[name])
                    for name, measure in self.measures.items()
                ],
            )


def _means_in_json(results: Results) -> dict[str, Any]:
    return {
        method: {
            name: {
                results.measures[name].average: finite({"": mean.value})[""],
                "cases": mean.cases,
            }
            for name, mean in found.items()
        }
        for method, found in results.means().items()
    }


def _counted(cases: int) -> str:
    return "1 case" if cases == 1 else f"{cases} cases"


def _cell(value: float) -> str:
    return f"{value:.9g}" if math.isfinite(value) else ""
