"""The first screen: the facts, the one number, and every headline number with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from manylabel.labels import PRESENT, UNKNOWN
from manylabel.report.inputs import ReportData
from manylabel.report.words import percent, text

HEADLINE = {
    "map": ("mAP", "over classes with a positive"),
    "map_head": ("mAP head", "at least {head} training positives"),
    "map_medium": ("mAP medium", "{tail} to {below_head} training positives"),
    "map_tail": ("mAP tail", "fewer than {tail} training positives"),
    "cf1": ("CF1", "harmonic mean of CP and CR"),
    "cp": ("CP", "precision, averaged over classes"),
    "cr": ("CR", "recall, averaged over classes"),
    "of1": ("OF1", "harmonic mean of OP and OR"),
    "op": ("OP", "precision over all decisions"),
    "or": ("OR", "recall over all labels"),
}


def summary(data: ReportData) -> str:
    """The facts under the title."""
    m = data.metrics
    images, classes = m.get("images", len(data.ids)), m.get("classes", len(data.names))
    empty = m.get("classes_without_positives", int((~(data.labels == PRESENT).any(axis=0)).sum()))
    unknown = m.get("unknown_share", float((data.labels == UNKNOWN).mean()) if data.labels.size else None)
    facts = [
        ("images", f"{text(data.part)} images", f"{images:,}"),
        ("classes", "classes", f"{classes:,}"),
        ("classes_without_positives", "classes without a positive, left out of means", f"{empty:,}"),
        ("unknown_share", "of cells unknown, left out of every number", f"{percent(unknown)} %"),
    ]
    return "".join(f'<div data-key="{key}"><dt>{words}</dt><dd>{value}</dd></div>' for key, words, value in facts)


def interval(metrics: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """The bootstrap interval of a number, or None where there is none."""
    pair = (metrics.get("intervals") or {}).get(key)
    if pair is None or any(x is None or not math.isfinite(x) for x in pair):
        return None
    return float(pair[0]), float(pair[1])


def level_words(metrics: Mapping[str, Any]) -> str:
    """How the intervals are called."""
    level = (metrics.get("bootstrap") or {}).get("level")
    return f"{100 * level:g} % bootstrap interval" if level else "bootstrap interval"


def hero(metrics: Mapping[str, Any]) -> str:
    """The one number, large."""
    value, between = metrics.get("map"), interval(metrics, "map")
    line = "no interval given"
    if between:
        line = f"{level_words(metrics)} <span>{percent(between[0])} – {percent(between[1])}</span>"
    if value is None:
        line = "not defined: no class has a positive among these images"
    unit = "" if value is None else '<span class="unit">%</span>'
    return (
        f'<p class="hero-label">mean average precision</p><p class="hero-number" data-key="hero">{percent(value)}'
        f'{unit}</p><p class="hero-interval">{line}</p>'
    )


def meanings(metrics: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Key -> name and meaning of every headline number, with the bounds of the groups filled in."""
    groups = metrics.get("groups") or {}
    head, tail = groups.get("head_from", 100), groups.get("tail_below", 20)
    bounds = {"head": head, "tail": tail, "below_head": head - 1}
    return {key: (name, words.format(**bounds)) for key, (name, words) in HEADLINE.items()}


def forest(metrics: Mapping[str, Any]) -> str:
    """Every headline number as a point with its interval on one scale of 0 to 100."""
    rows = [forest_row(metrics, key, name, words) for key, (name, words) in meanings(metrics).items()]
    caption = f"Point: the number. Line: its {level_words(metrics)} over images."
    if not any(interval(metrics, key) for key in HEADLINE):
        caption = "No bootstrap intervals were given."
    words = ("measure", '<span class="sr">position</span>', "%", "interval")
    head = "<tr>" + "".join(f'<th scope="col">{word}' for word in words)
    return f'<table class="forest"><caption>{caption}</caption><thead>{head}<tbody>{"".join(rows)}</table>'


def forest_row(metrics: Mapping[str, Any], key: str, name: str, meaning: str) -> str:
    """One measure: name, mark, number, interval."""
    value, between = metrics.get(key), interval(metrics, key)
    mark = whisker = ""
    if value is not None and math.isfinite(value):
        mark = f'<i class="dot" style="left:{100 * value:.2f}%"></i>'
    if between:
        low, high = between
        whisker = f'<i class="whisker" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
    range_text = f"{percent(between[0])} – {percent(between[1])}" if between else "–"
    group = key.removeprefix("map_") if key.startswith("map_") else ("map" if key == "map" else "f1")
    return (
        f'<tr class="is-{group}" data-key="{key}"><th scope="row">{name}<small>{meaning}</small>'
        f'<td class="track"><span aria-hidden="true">{whisker}{mark}</span>'
        f'<td class="n">{percent(value)}<td class="n range">{range_text}'
    )
