"""Every number of metrics.json with its interval and its definition in a line, for reading and for paper."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from manylabel.metrics.evaluation import HEADLINE
from manylabel.metrics.more import METRICS
from manylabel.report.headline import interval, level_words, meanings, own_groups
from manylabel.report.inputs import ReportData
from manylabel.report.words import text


@dataclass(frozen=True)
class Row:
    """A number as the table has it; `between` is its interval, `better` says which way, "higher" or "lower"."""

    key: str
    name: str
    meaning: str
    source: str
    better: str
    value: Any
    between: tuple[float, float] | None


KIRITCHENKO = "Kiritchenko et al., Canadian AI 2006"
HIERARCHICAL = {
    "hp": ("hP", "Mean over images of the share of decided classes, with those above them, that are right."),
    "hr": ("hR", "Mean over images of the share of true classes, with those above them, that are decided."),
    "hf": ("hF", "Mean over images of the harmonic mean of both."),
    "hp_micro": ("hP, micro", "The same share over all images together."),
    "hr_micro": ("hR, micro", "The same share over all images together."),
    "hf_micro": ("hF, micro", "Harmonic mean of the micro hP and hR."),
}
OWN, TREE = "Groups that were given", "Hierarchy"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Headline", ()),
    ("Ranking of images within a class, or of all cells", ("map_", "gap@", "auroc")),
    ("Ranking of classes within an image", ("lrap", "coverage", "ranking", "one_error", "p@", "r@", "rp@", "ndcg@",
                                            "psp@", "psndcg@")),
    ("Decisions", ("cp_", "cr_", "cf1_", "op_", "or_", "of1_", "f1_", "f2_", "jaccard", "hamming", "subset")),
    ("Probabilities", ("brier", "ece")),
    ("Further", ("",)),
)  # fmt: skip
"""Title, and how the keys of its metrics begin; the first that fits takes a metric."""
TITLES = (GROUPS[0][0], OWN, *(title for title, _ in GROUPS[1:]), TREE)
"""In this order the tables stand."""


def group_of(key: str) -> str:
    """The title under which a further metric stands.

    >>> group_of("psp@3"), group_of("hamming_loss"), group_of("something new")
    ('Ranking of classes within an image', 'Decisions', 'Further')
    """
    return next(title for title, starts in GROUPS if key.startswith(starts))


def rows(data: ReportData) -> Iterator[tuple[str, Row]]:
    """(title, row) of every number that metrics.json holds."""
    numbers, said = data.metrics, meanings(data.metrics)
    for key in HEADLINE:
        if key in numbers:
            name, meaning = said[key]
            mean = "mean of AP over " if key == "map" else "the same over classes of " if key.startswith("map") else ""
            meaning = mean + meaning.removeprefix("over ")
            words = f"{meaning[:1].upper()}{meaning[1:]}."
            yield "Headline", Row(key, name, words, "", "higher", numbers[key], interval(numbers, key))
    for key, name, meaning, value, between in own_groups(numbers):
        yield OWN, Row(key, name, f"Mean of AP {meaning}.", "", "higher", value, between)
    for metric in METRICS:
        if metric.key in numbers:
            better, between = "higher" if metric.higher else "lower", interval(numbers, metric.key)
            said_of = (metric.name, metric.meaning, metric.source)
            yield group_of(metric.key), Row(metric.key, *said_of, better, numbers[metric.key], between)
    for key, (name, meaning) in HIERARCHICAL.items():
        if key in (found := numbers.get("hierarchical") or {}):
            yield TREE, Row(key, name, meaning, KIRITCHENKO, "higher", found[key], interval(found, key))


def section(data: ReportData) -> str:
    """The collapsible tables, or a plain word that metrics.json holds none of them."""
    found: dict[str, list[Row]] = {}
    for title, row in rows(data):
        found.setdefault(title, []).append(row)
    if not found:
        return '<p class="absent">No numbers were given.</p>'
    lead = (
        '<p class="lead">As metrics.json holds them: fractions, and a count of classes where it says so. A dash: not'
        " defined here, for want of decisions, probabilities, training counts or labels.</p>"
    )
    titles = [title for title in TITLES if title in found]
    return lead + "".join(group(data, title, found[title], first=title == titles[0]) for title in titles)


def group(data: ReportData, title: str, entries: list[Row], *, first: bool) -> str:
    """One collapsible table."""
    defined = sum(isinstance(row.value, int | float) for row in entries)
    body = "".join(map(line, entries))
    head = (
        '<th scope="col">measure<th scope="col" class="n">value'
        f'<th scope="col" class="n">{text(level_words(data.metrics))}<th scope="col">better'
    )
    count = f"{defined} of {len(entries)} defined" if defined < len(entries) else f"{len(entries)}"
    return (
        f'<details class="keep"{" open" if first else ""}><summary>{text(title)} ({count})</summary>'
        f'<div class="scroll"><table class="numbers"><caption class="sr">{text(title)}</caption>'
        f"<thead><tr>{head}<tbody>{body}</table></div></details>"
    )


def line(row: Row) -> str:
    """One number."""
    said = f" ({text(row.source)})" if row.source else ""
    shown = f"{row.between[0]:.4f} – {row.between[1]:.4f}" if row.between else "–"
    return (
        f'<tr data-metric="{text(row.key)}"><th scope="row">{text(row.name)}<small>{text(row.meaning)}{said}</small>'
        f'<td class="n">{fraction(row.value)}<td class="n range">{shown}<td>{row.better}'
    )


def fraction(value: Any) -> str:
    """Four decimals, or a dash."""
    return "–" if not isinstance(value, int | float) or not math.isfinite(value) else f"{value:.4f}"
