"""The first screen: the facts, the one number, and every headline number with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
BY_FREQUENCY = ("map_head", "map_medium", "map_tail")
OWN_GROUPS = 12
"""Of the user's own groups so many stand in the headline; all numbers have all."""
Row = tuple[str, str, str, float | None, tuple[float, float] | None]
"""key, name, meaning, value, interval."""


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
    return ends((metrics.get("intervals") or {}).get(key))


def ends(pair: Sequence[float | None] | None) -> tuple[float, float] | None:
    """Both ends of an interval, or None where one is missing."""
    if pair is None or any(x is None or not math.isfinite(x) for x in pair):
        return None
    low, high = (float(x) for x in pair if x is not None)
    return low, high


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
    found = rows(metrics)
    caption = f"Point: the number. Line: its {level_words(metrics)} over images."
    if not any(between for *_, between in found):
        caption = "No bootstrap intervals were given."
    more = len(metrics.get("grouping") or {}) - OWN_GROUPS
    if more > 0:
        caption += f" {more:,} more groups stand among all numbers."
    words = ("measure", '<span class="sr">position</span>', "%", "interval")
    head = "<tr>" + "".join(f'<th scope="col">{word}' for word in words)
    body = "".join(map(forest_row, found))
    return f'<table class="forest"><caption>{caption}</caption><thead>{head}<tbody>{body}</table>'


def rows(metrics: Mapping[str, Any]) -> list[Row]:
    """What the headline lists: head, medium and tail only where they are known, and the first of the user's groups."""
    known = any(metrics.get(key) is not None for key in BY_FREQUENCY)
    found = [
        (key, name, words, metrics.get(key), interval(metrics, key))
        for key, (name, words) in meanings(metrics).items()
        if known or key not in BY_FREQUENCY
    ]
    place = 1 + sum(key in BY_FREQUENCY for key, *_ in found)
    return [*found[:place], *own_groups(metrics)[:OWN_GROUPS], *found[place:]]


def own_groups(metrics: Mapping[str, Any]) -> list[Row]:
    """The mAP of each group that the user made of the classes."""
    return [
        (
            f"group {name}",
            f"mAP {name}",
            f"over {one['averaged']} of {one['classes']} classes",
            one["map"],
            ends(one["interval"]),
        )
        for name, one in (metrics.get("grouping") or {}).items()
    ]


def forest_row(row: Row) -> str:
    """One measure: name, mark, number, interval."""
    key, name, meaning, value, between = row
    mark = whisker = ""
    if value is not None and math.isfinite(value):
        mark = f'<i class="dot" style="left:{100 * value:.2f}%"></i>'
    if between:
        low, high = between
        whisker = f'<i class="whisker" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
    range_text = f"{percent(between[0])} – {percent(between[1])}" if between else "–"
    colour = f' class="is-{key.removeprefix("map_")}"' if key in BY_FREQUENCY else ""
    return (
        f'<tr{colour} data-key="{text(key)}"><th scope="row">{text(name)}<small>{meaning}</small>'
        f'<td class="track"><span aria-hidden="true">{whisker}{mark}</span>'
        f'<td class="n">{percent(value)}<td class="n range">{range_text}'
    )
