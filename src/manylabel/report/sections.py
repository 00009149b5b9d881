"""The parts of the page that need no script: leads, tables, notes, reproduction. All text is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manylabel.labels import PRESENT
from manylabel.report import all_numbers, confused, optional
from manylabel.report.headline import forest, hero, summary
from manylabel.report.inputs import ReportData
from manylabel.report.payload import Prepared
from manylabel.report.words import number, percent, text

STEPS = "".join(f'<span><i style="opacity:{v**0.5:.2f}"></i>{100 * v:g} %</span>' for v in (0.01, 0.05, 0.2, 0.5, 1))
LEGEND = f'<p class="legend scripted"><span><i class="zero"></i>0 %</span>{STEPS}</p>'
"""The heat maps' scale: opacity is the square root of the share."""
GROUP_FILTER = (
    '<label>Group <select id="group"><option value="">all</option><option>head</option><option>medium</option>'
    "<option>tail</option></select></label>"
)


def all_sections(
    data: ReportData, payload: dict[str, Any], ready: Prepared, notes: list[str], *, rows: int
) -> dict[str, str]:
    """Template slot -> HTML."""
    return {
        **optional.sections(data, payload, ready),
        "reliability_lead": reliability_lead(data),
        "confused_pairs": confused.pairs_table(data, ready.pairs),
        "all_numbers": all_numbers.section(data),
        "title": text(data.title),
        "summary": summary(data),
        "hero": hero(data.metrics),
        "forest": forest(data.metrics),
        "notes": note_list(notes),
        "bars_lead": bars_lead(data),
        "table": class_table(data, rows),
        "group_filter": GROUP_FILTER if grouped(data) else "",
        "threshold_lead": threshold_lead(data),
        "pairs": pairs(payload),
        "legend": LEGEND if len(data.names) > 1 else "",
        "unknown_legend": LEGEND if any(x for column in payload["unknown"].values() for x in column) else "",
        "unknown_lead": unknown_lead(payload["unknown"]),
        "per_image": per_image(payload["perImage"]),
        "gallery_lead": gallery_lead(data, payload["gallery"]),
        "log": systems_table(data.log) if data.systems else log_table(payload["log"]),
        "reproduce": reproduce(data),
    }


def table(caption: str, head: str, body: str) -> str:
    """A table whose name only a screen reader says; its head repeats on every page of paper."""
    return f'<table><caption class="sr">{caption}</caption><thead>{head}<tbody>{body}</table>'


def note_list(notes: list[str], *, most: int = 100) -> str:
    """Warnings and remarks, or a plain word that there are none."""
    if not notes:
        return '<p class="quiet">Nothing to remark.</p>'
    more = f"<li>… and {len(notes) - most} more notes." if len(notes) > most else ""
    return f'<ul class="notes">{"".join(f"<li>{text(n)}" for n in notes[:most])}{more}</ul>'


def bars_lead(data: ReportData) -> str:
    """What the bars are sorted by."""
    if data.has_training_counts:
        return (
            "One column per class, the most frequent in training at the left. Above the line its AP, below the line"
            " its training positives on a logarithmic scale."
        )
    return (
        "One column per class. How often each class occurs in training is not known here, so columns are sorted by"
        " positives among these images and not grouped."
    )


def grouped(data: ReportData) -> bool:
    """Whether any class is known to be head, medium or tail."""
    return bool(np.any(data.groups != ""))


def class_table(data: ReportData, rows: int) -> str:
    """One row per class, most frequent first; the script makes it sortable."""
    positives = {"train": data.training_positives} if data.has_training_counts else {}
    positives |= {part: (state == PRESENT).sum(axis=0) for part, state in data.all_parts.items()}
    unknown = data.unknown.mean(axis=0) if len(data.ids) else np.full(len(data.names), np.nan)
    first = "train" if "train" in positives else data.part  # what `data.order` sorts by
    parts = "".join(
        f'<th scope="col" class="n"{" aria-sort=descending" if p == first else ""}>{text(p)} positives'
        for p in positives
    )
    between = '<th scope="col" class="n">its interval' if data.threshold_intervals is not None else ""
    head = (
        '<tr><th scope="col">class<th scope="col">group<th scope="col" class="n">AP %<th scope="col" class="n">F1 %'
        f'<th scope="col" class="n">threshold{between}{parts}<th scope="col" class="n">unknown %'
    )
    body = "".join(class_row(data, c, positives, float(unknown[c])) for c in data.order[:rows].tolist())
    plain = "" if grouped(data) else ' class="ungrouped"'
    return f'<table id="table"{plain}><caption class="sr">All classes</caption><thead>{head}<tbody>{body}</table>'


def class_row(data: ReportData, c: int, positives: Mapping[str, Any], unknown: float) -> str:
    """One class of the table; `data-i` ties it to the script's numbers."""
    entry = data.per_class[c]
    group, ap = entry.get("group") or "–", entry.get("ap")
    counts = "".join(f'<td class="n">{int(column[c])}' for column in positives.values())
    bar = f' style="--v:{ap:.3f}"' if ap is not None and math.isfinite(ap) else ""
    cut = float(data.cuts[c]) if data.thresholds is not None else None
    return (
        f'<tr data-i="{c}"><th scope="row"><button type="button">{text(data.names[c])}</button>'
        f'<td class="g is-{text(group)}">{text(group)}<td class="n ap"{bar}>{percent(ap)}'
        f'<td class="n">{percent(entry.get("f1"))}<td class="n">{number(cut)}{interval_cell(data, c)}'
        f'{counts}<td class="n">{percent(unknown)}\n'
    )


def interval_cell(data: ReportData, c: int) -> str:
    """The threshold's interval, sorted by its width; nothing where no class has one."""
    if data.threshold_intervals is None:
        return ""
    low, high = (float(end) for end in np.asarray(data.threshold_intervals, np.float64)[c])
    if math.isnan(low) or math.isnan(high):
        return '<td class="n">–'
    ends = [number(end) if math.isfinite(end) else "never" for end in (low, high)]
    return f'<td class="n" data-v="{high - low:.6g}">{ends[0]} – {ends[1]}'


def threshold_lead(data: ReportData) -> str:
    """Where the thresholds and probabilities on this page come from."""
    words = [cut_words(data)]
    if data.threshold_intervals is not None:
        words.append("The shade around it holds most of the thresholds that resampled validation images would give.")
    if data.temperatures is not None:
        words.append("Probabilities are calibrated per class.")
    elif data.scores.kind == "logit":
        words.append("Probabilities are the sigmoid of the score, not calibrated.")
    else:
        words.append("Probabilities are the scores as given, not calibrated here.")
    return " ".join(words)


def cut_words(data: ReportData) -> str:
    """What decides, and where the slider starts."""
    if data.decisions is not None:
        start = "the stored threshold" if data.thresholds is not None else "the best F1 on these very images"
        return (
            "Decisions on this page are those of a rule that was given, marked with a diamond, and need not be a cut"
            f" of the score: the slider starts at {start} and changes no other section."
        )
    if data.thresholds is not None:
        return "The stored threshold of each class is marked with a ring."
    start = "0" if data.scores.kind == "logit" else "0.5"
    return f"No thresholds were given: the ring marks {start}, a probability of one half, for every class."


def reliability_lead(data: ReportData) -> str:
    """What the diagram shows and which probabilities it is of."""
    shown = "Raw and calibrated probabilities are both drawn." if data.models[0].scales is not None else ""
    return (
        "Whether probabilities mean what they say: of the known cells given some probability, what share are"
        " positives. Fifteen bins, of equal numbers of cells (equal mass: equal probabilities stay together, bins"
        " can be fewer) or of equal width. ECE is the mean distance of a bin’s share from its mean probability,"
        " weighted by cells; small classes read too high. Groups and all cells are pooled, and the mean over their"
        f" classes, as metrics.json has it, stands beside. {shown}"
    )


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
    head = '<tr><th scope="col">given<th scope="col">also<th scope="col" class="n">%<th scope="col" class="n">images'
    title = f"Strongest pairs as a table ({text(what)})"
    return f'<details><summary>{title}</summary><div class="scroll">{table(title, head, rows)}</div></details>'


def unknown_lead(shares: Mapping[str, list[float | None]]) -> str:
    """Unknown cells in a sentence."""
    known = {part: [x for x in column if x is not None] for part, column in shares.items()}
    if not any(x > 0 for column in known.values() for x in column):
        return f"No cell is unknown in {text(' / '.join(known))}: every image was judged for every class."
    means = ", ".join(f"{text(part)} {percent(float(np.mean(c)))} %" for part, c in known.items() if c)
    blank = sum(bool(column) and column[k] == 1 for column in shares.values() for k in range(len(column)))
    extra = f" Wholly unknown in a part: {blank} class{'' if blank == 1 else 'es'}." if blank else ""
    return f"Share of cells nobody judged, class by class: {means}.{extra}"


def per_image(found: Mapping[str, Any]) -> str:
    """Labels per image as a table."""
    last = len(found["truth"]) - 1
    rows = "".join(
        f'<tr><th scope="row">{k}{"+" if found["capped"] and k == last else ""}<td class="n">{t}<td class="n">{d}'
        for k, (t, d) in enumerate(zip(found["truth"], found["decided"]))
    )
    head = '<tr><th scope="col">labels<th scope="col" class="n">images, truth<th scope="col" class="n">images, decided'
    counted = table("Images by their number of labels", head, rows)
    return f"<details><summary>The same as a table</summary>{counted}</details>"


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
        f'<div class="scroll">{table("Training log", f"<tr>{head}", rows)}</div></details>'
    )


def systems_table(log: Sequence[Mapping[str, Any]] | None) -> str:
    """What was trained, weighted how and why, for a method that sums several systems."""
    columns = ("system", "weight", "val_map", "seconds", "reason")
    head = "".join(f'<th scope="col"{numeric(name)}>{name}' for name in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td{numeric(name)}>{cell(row.get(name))}" for name in columns) for row in log or ()
    )
    return f'<div class="scroll">{table("Systems trained", f"<tr>{head}", rows)}</div>'


def numeric(column: str) -> str:
    return "" if column in ("system", "reason") else ' class="n"'


def cell(value: Any) -> str:
    """A number or a word; a dash for nothing and for what is not finite."""
    if isinstance(value, str):
        return text(value)
    return number(value)


def reproduce(data: ReportData) -> str:
    """The command and the settings it ran with."""
    command = f'<pre class="command"><code>{text(data.command)}</code></pre>'
    if not data.command:
        command = '<p class="absent">The command was not given.</p>'
    if not data.config:
        return command + '<p class="absent">No configuration was given.</p>'
    rows = "".join(f'<tr><th scope="row">{text(key)}<td>{text(value)}' for key, value in flattened(data.config))
    caption = '<caption class="sr">Configuration</caption>'
    return f'{command}<div class="scroll"><table class="config">{caption}{rows}</table></div>'


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
