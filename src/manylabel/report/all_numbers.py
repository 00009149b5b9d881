"""Every number of metrics.json with its interval and its definition in a line, for reading and for paper."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from manylabel.metrics.evaluation import HEADLINE
from manylabel.metrics.more import METRICS
from manylabel.report.headline import interval, level_words, meanings
from manylabel.report.inputs import ReportData
from manylabel.report.words import text

Row = tuple[str, str, str, str, str]
"""key, name, meaning, source, "higher" or "lower"."""

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


def group_of(key: str) -> str:
    """The title under which a further metric stands.

    >>> group_of("psp@3"), group_of("hamming_loss"), group_of("something new")
    ('Ranking of classes within an image', 'Decisions', 'Further')
    """
    return next(title for title, starts in GROUPS if key.startswith(starts))


def rows(data: ReportData) -> Iterator[tuple[str, Row]]:
    """(title, row) of every number that metrics.json holds."""
    said = meanings(data.metrics)
    for key in HEADLINE:
        if key in data.metrics:
            name, meaning = said[key]
            mean = "mean of AP over " if key == "map" else "the same over classes of " if key.startswith("map") else ""
            meaning = mean + meaning.removeprefix("over ")
            yield "Headline", (key, name, f"{meaning[:1].upper()}{meaning[1:]}.", "", "higher")
    for metric in METRICS:
        if metric.key in data.metrics:
            better = "higher" if metric.higher else "lower"
            yield group_of(metric.key), (metric.key, metric.name, metric.meaning, metric.source, better)


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
    titles = [title for title, _ in GROUPS if title in found]
    return lead + "".join(group(data, title, found[title], first=title == titles[0]) for title in titles)


def group(data: ReportData, title: str, entries: list[Row], *, first: bool) -> str:
    """One collapsible table."""
    defined = sum(isinstance(data.metrics.get(key), int | float) for key, *_ in entries)
    body = "".join(line(data, *row) for row in entries)
    head = (
        '<th scope="col">measure<th scope="col" class="n">value'
        f'<th scope="col" class="n">{text(level_words(data.metrics))}<th scope="col">better'
    )
    count = f"{defined} of {len(entries)} defined" if defined < len(entries) else f"{len(entries)}"
    return (
        f'<details class="keep"{" open" if first else ""}><summary>{text(title)} ({count})</summary>'
        f'<div class="scroll"><table class="numbers"><thead><tr>{head}<tbody>{body}</table></div></details>'
    )


def line(data: ReportData, key: str, name: str, meaning: str, source: str, better: str) -> str:
    """One number."""
    between = interval(data.metrics, key)
    said = f" ({text(source)})" if source else ""
    shown = f"{between[0]:.4f} – {between[1]:.4f}" if between else "–"
    return (
        f'<tr data-metric="{text(key)}"><th scope="row">{text(name)}<small>{text(meaning)}{said}</small>'
        f'<td class="n">{fraction(data.metrics.get(key))}<td class="n range">{shown}<td>{better}'
    )


def fraction(value: Any) -> str:
    """Four decimals, or a dash."""
    return "–" if not isinstance(value, int | float) or not math.isfinite(value) else f"{value:.4f}"
