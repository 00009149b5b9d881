"""The parts of the page that need no script: headline, class table, notes, reproduction. All text is escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from manylabel.labels import PRESENT, UNKNOWN
from manylabel.report.inputs import ReportData

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


LEGEND = "".join(f'<span><i style="opacity:{v**0.5:.2f}"></i>{100 * v:g} %</span>' for v in (0.01, 0.05, 0.2, 0.5, 1.0))
LEGEND = f'<p class="legend scripted"><span><i class="zero"></i>0 %</span>{LEGEND}</p>'


def text(value: Any) -> str:
    """Escaped for element content and quoted attributes."""
    return html.escape(str(value), quote=True).replace("\x00", "\ufffd")


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a percentage without its sign, or a dash.

    >>> percent(0.4934), percent(None), percent(float("nan"))
    ('49.3', '–', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def number(value: float | None) -> str:
    """A plain number at four significant digits, or a dash."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.4g}".replace("-", "−")


def all_sections(data: ReportData, payload: dict[str, Any], notes: list[str], *, rows: int) -> dict[str, str]:
    """Template slot -> HTML."""
    return {
        "title": text(data.title),
        "summary": summary(data),
        "hero": hero(data.metrics),
        "forest": forest(data.metrics),
        "notes": note_list(notes),
        "bars_lead": bars_lead(data),
        "table": class_table(data, rows),
        "threshold_lead": threshold_lead(data),
        "pairs": pairs(payload),
        "legend": LEGEND if len(data.names) > 1 else "",
        "unknown_legend": LEGEND if any(x for column in payload["unknown"].values() for x in column) else "",
        "unknown_lead": unknown_lead(payload["unknown"]),
        "per_image": per_image(payload["perImage"]),
        "gallery_lead": gallery_lead(data, payload["gallery"]),
        "log": log_table(payload["log"]),
        "reproduce": reproduce(data),
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
    line = f"{level_words(metrics)} {percent(between[0])} – {percent(between[1])}" if between else "no interval given"
    if value is None:
        line = "not defined: no class has a positive among these images"
    return (
        f'<p class="hero-label">mean average precision</p><p class="hero-number" data-key="hero">{percent(value)}'
        f'<span class="unit">%</span></p><p class="hero-interval">{line}</p>'
    )


def forest(metrics: Mapping[str, Any]) -> str:
    """Every headline number as a point with its interval on one scale of 0 to 100."""
    groups = metrics.get("groups") or {}
    head, tail = groups.get("head_from", 100), groups.get("tail_below", 20)
    bounds = {"head": head, "tail": tail, "below_head": head - 1}
    rows = [forest_row(metrics, key, name, words.format(**bounds)) for key, (name, words) in HEADLINE.items()]
    caption = f"Point: the number. Line: its {level_words(metrics)} over images."
    if not any(interval(metrics, key) for key in HEADLINE):
        caption = "No bootstrap intervals were given."
    head = '<tr><th scope="col">measure<th scope="col"><span class="sr">position</span><th scope="col">%<th scope="col">interval'
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


def note_list(notes: list[str], *, most: int = 100) -> str:
    """Warnings and remarks, or a plain word that there are none."""
    if not notes:
        return '<p class="quiet">Nothing to remark.</p>'
    more = f"<li>… and {len(notes) - most} more notes." if len(notes) > most else ""
    return f'<ul class="notes">{"".join(f"<li>{text(n)}" for n in notes[:most])}{more}</ul>'


def bars_lead(data: ReportData) -> str:
    """What the bars are sorted by."""
    if data.has_training_counts:
        return "One column per class, the most frequent in training at the left. Above the line its AP, below the line its training positives on a logarithmic scale."
    return "One column per class. How often each class occurs in training is not known here, so columns are sorted by positives among these images and not grouped."


def class_table(data: ReportData, rows: int) -> str:
    """One row per class, most frequent first; the script makes it sortable."""
    positives = {"train": data.training_positives} if data.has_training_counts else {}
    positives |= {part: (state == PRESENT).sum(axis=0) for part, state in data.all_parts.items()}
    unknown = data.unknown.mean(axis=0) if len(data.ids) else np.full(len(data.names), np.nan)
    parts = "".join(f'<th scope="col" class="n">{text(p)} positives' for p in positives)
    head = (
        f'<tr><th scope="col">class<th scope="col">group{parts}<th scope="col" class="n">unknown %'
        '<th scope="col" class="n">AP %<th scope="col" class="n">threshold<th scope="col" class="n">F1 %'
    )
    body = "".join(class_row(data, c, positives, float(unknown[c])) for c in data.order[:rows].tolist())
    return f"<thead>{head}<tbody>{body}"


def class_row(data: ReportData, c: int, positives: Mapping[str, Any], unknown: float) -> str:
    """One class of the table; `data-i` ties it to the script's numbers."""
    entry = data.per_class[c]
    group, ap = entry.get("group") or "–", entry.get("ap")
    counts = "".join(f'<td class="n">{int(column[c])}' for column in positives.values())
    bar = f' style="--v:{ap:.3f}"' if ap is not None and math.isfinite(ap) else ""
    return (
        f'<tr data-i="{c}"><th scope="row"><button type="button">{text(data.names[c])}</button>'
        f'<td class="g is-{text(group)}">{text(group)}{counts}<td class="n">{percent(unknown)}'
        f'<td class="n ap"{bar}>{percent(ap)}<td class="n">{number(float(data.cuts[c]) if data.thresholds is not None else None)}<td class="n">{percent(entry.get("f1"))}\n'
    )


def threshold_lead(data: ReportData) -> str:
    """Where the thresholds and probabilities on this page come from."""
    start = "0" if data.scores.kind == "logit" else "0.5"
    cuts = (
        "The stored threshold of each class is marked with a ring."
        if data.thresholds is not None
        else f"No thresholds were given: the ring marks {start}, a probability of one half, for every class."
    )
    if data.temperatures is not None:
        return f"{cuts} Probabilities are calibrated per class."
    if data.scores.kind == "logit":
        return f"{cuts} Probabilities are the sigmoid of the score, not calibrated."
    return f"{cuts} Probabilities are the scores as given, not calibrated here."


def pairs(payload: dict[str, Any], *, most: int = 20) -> str:
    """The strongest pairs of the first matrix as a table, the heat map's alternative in text."""
    found = payload["matrix"]
    what, (both, base) = next(iter(found["tables"].items()))
    names = [payload["names"][c] for c in found["classes"]]
    cells = [
        (both[i][j] / base[i][j], both[i][j], names[i], names[j])
        for i in range(len(names))
        for j in range(len(names))
        if i != j and both[i][j] > 1
    ]
    if not cells:
        return f'<p class="quiet">No two classes come together in more than one image ({text(what)}).</p>'
    rows = "".join(
        f'<tr><th scope="row">{text(i)}<td>{text(j)}<td class="n">{percent(p)}<td class="n">{n}'
        for p, n, i, j in sorted(cells, key=lambda cell: (-cell[0], -cell[1]))[:most]
    )
    head = f'<tr><th scope="col">given<th scope="col">also<th scope="col" class="n">%<th scope="col" class="n">images'
    return f"<details><summary>Strongest pairs as a table ({text(what)})</summary><table>{head}{rows}</table></details>"


def unknown_lead(shares: Mapping[str, list[float | None]]) -> str:
    """Unknown cells in a sentence."""
    known = {part: [x for x in column if x is not None] for part, column in shares.items()}
    if not any(x > 0 for column in known.values() for x in column):
        return f"No cell is unknown in {text(' / '.join(known))}: every image was judged for every class."
    means = ", ".join(f"{text(part)} {percent(float(np.mean(c)))} %" for part, c in known.items() if c)
    blank = sum(bool(column) and column[k] == 1 for column in shares.values() for k in range(len(column)))
    extra = f" {blank} columns of this map are unknown from top to bottom of their part." if blank else ""
    return f"Share of cells nobody judged, class by class: {means}.{extra}"


def per_image(found: Mapping[str, Any]) -> str:
    """Labels per image as a table."""
    last = len(found["truth"]) - 1
    rows = "".join(
        f'<tr><th scope="row">{k}{"+" if found["capped"] and k == last else ""}<td class="n">{t}<td class="n">{d}'
        for k, (t, d) in enumerate(zip(found["truth"], found["decided"]))
    )
    head = '<tr><th scope="col">labels<th scope="col" class="n">images, truth<th scope="col" class="n">images, decided'
    return f"<details><summary>The same as a table</summary><table>{head}{rows}</table></details>"


def gallery_lead(data: ReportData, found: Mapping[str, Any]) -> str:
    """What the gallery holds, in words."""
    extra, missed = found["totals"]
    words = (
        f"{extra:,} labels were decided and are wrong, {missed:,} were missed. Shown are the false positives with the"
        " highest probability and the false negatives with the lowest,"
        f" at most {found['per_class']} of each kind a class. Unknown cells are no errors."
    )
    return words if data.pictures else f"{words} No pictures were given, so images appear by name."


def log_table(log: Mapping[str, list[float | None]] | None) -> str:
    """Learning curves: a place for the script to draw in and the table; or why there is none."""
    if not log:
        return '<p class="absent">No training log was given, so there are no learning curves.</p>'
    columns = list(log)
    head = "".join(f'<th scope="col" class="n">{text(name)}' for name in columns)
    rows = "".join(
        "<tr>" + "".join(f'<td class="n">{number(log[name][k])}' for name in columns)
        for k in range(len(log[columns[0]]))
    )
    return (
        '<div class="multiples" id="log"></div><details><summary>The same as a table</summary>'
        f'<div class="scroll"><table><tr>{head}{rows}</table></div></details>'
    )


def reproduce(data: ReportData) -> str:
    """The command and the settings it ran with."""
    command = f'<pre class="command"><code>{text(data.command)}</code></pre>'
    if not data.command:
        command = '<p class="absent">The command was not given.</p>'
    if not data.config:
        return command + '<p class="absent">No configuration was given.</p>'
    rows = "".join(f'<tr><th scope="row">{text(key)}<td>{text(value)}' for key, value in flattened(data.config))
    return f'{command}<div class="scroll"><table class="config"><caption class="sr">Configuration</caption>{rows}</table></div>'


def flattened(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted keys; long values are cut and say so.

    >>> flattened({"method": {"alpha": 0.2}, "seed": 0})
    [('method.alpha', '0.2'), ('seed', '0')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            rows += flattened(value, f"{prefix}{key}.")
        else:
            words = str(value)
            cut = f"{words[:300]} … ({len(words):,} characters)" if len(words) > 300 else words
            rows.append((f"{prefix}{key}", cut))
    return rows
