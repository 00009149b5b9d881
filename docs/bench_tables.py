"""The tables of the pages, from the CSV files in benchmarks/results; `generate.py` puts them in."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
ABOUT = ("date", "hardware", "torch")

Row = dict[str, str]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [tuple(c.replace("|", "\\|").replace("\n", " ") for c in row) for row in rows]
    lines = [" | ".join(header), " | ".join("---" for _ in header), *(" | ".join(row) for row in cells)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def measured(row: Row) -> str:
    """When and on what, for below a table."""
    parts = [row[k] for k in ABOUT if k in row]
    return f"\nMeasured: {', '.join(parts)}.\n" if parts else ""


def percent(values: list[str], digits: int = 1) -> str:
    """Mean and, of several seeds, standard deviation, in percent; "-" where there is no number.

    >>> percent(["0.45", "0.47"]), percent(["0.45"]), percent(["0.45", ""])
    ('46.0 ± 1.4', '45.0', '-')
    """
    if not all(values):
        return "-"
    numbers = [100 * float(v) for v in values]
    spread = f" ± {statistics.stdev(numbers):.{digits}f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.{digits}f}{spread}"


def spread(row: Row, name: str) -> str:
    """A column of percents and its `_sd`.

    >>> spread({"a": "12.345", "a_sd": "0.44"}, "a")
    '12.3 ± 0.4'
    """
    return f"{float(row[name]):.1f} ± {float(row[f'{name}_sd']):.1f}" if row[name] else "-"


def interval(row: Row, middle: str, low: str, high: str) -> str:
    """A difference and its ends, or "" where there is none.

    >>> interval({"d": "-1.22", "low": "-2.06", "high": "0.31"}, "d", "low", "high")
    '-1.2 [-2.1, +0.3]'
    """
    if not row[middle]:
        return ""
    return f"{float(row[middle]):+.1f} [{float(row[low]):+.1f}, {float(row[high]):+.1f}]"


def bold(verdict: str) -> str:
    """A verdict, so that the decided ones stand out."""
    return verdict if verdict in ("", "undecided") else f"**{verdict}**"


def recipes(rows: list[Row]) -> str:
    """One row a recipe, over its seeds."""
    lines = []
    for name in dict.fromkeys(row["recipe"] for row in rows):
        runs = [row for row in rows if row["recipe"] == name]
        cells = [percent([r[k] for r in runs]) for k in ("map", "map_head", "map_medium", "map_tail", "cf1", "of1")]
        seconds = statistics.median(float(r["seconds"]) for r in runs)
        lines.append((f"`{name}`", str(len(runs)), *cells, runs[0]["expected"], f"{seconds:.0f}"))
    header = ("recipe", "seeds", "mAP", "head", "medium", "tail", "CF1", "OF1", "expected total / tail", "seconds")
    return markdown(header, lines)


def pairs(rows: list[Row]) -> str:
    """Differences of systems with intervals."""
    extra = ["data"] if "data" in rows[0] else []
    lines = []
    for row in rows:
        cells = [*(row[k] for k in extra), row["system"], row["against"], row["seeds"]]
        for name in ("total", "tail"):
            cells += [interval(row, f"delta_{name}", f"{name}_low", f"{name}_high"), bold(row[f"verdict_{name}"])]
        lines.append(cells)
    return markdown((*extra, "system", "against", "seeds", "all classes", "", "tail", ""), lines)


def claims(rows: list[Row]) -> str:
    """What the article claims, the arm that takes it away or adds it, and what was seen."""
    lines = []
    for row in rows:
        if row["claim"]:
            measure, expected = row["expected"].split() if row["expected"] else ("total", "")
            seen = interval(row, f"delta_{measure}", f"delta_{measure}_low", f"delta_{measure}_high")
            lines.append(
                (row["claim"], f"`{row['arm']}`", f"{expected}, {measure}", seen, f"**{row['claim_verdict']}**")
            )
    return markdown(("claim", "arm", "should", "seen, points of mAP", "the claim is"), lines)


def arms(rows: list[Row]) -> str:
    """Every arm of the ablation bench."""
    lines = []
    for row in rows:
        name = f"`{row['arm']}`" + (f" less `{row['against']}`" if row["against"] not in ("", "base") else "")
        cells = [row["section"], name, f"{float(row['lr']):g}" if row["lr"] else "-", spread(row, "test_total")]
        cells += [interval(row, "delta_total", "delta_total_low", "delta_total_high"), bold(row["verdict"])]
        cells += [spread(row, "test_tail"), interval(row, "delta_tail", "delta_tail_low", "delta_tail_high")]
        lines.append([*cells, bold(row["verdict_tail"])])
    header = ("section", "arm", "rate", "mAP", "less base", "", "tail", "less base", "")
    return markdown(header, lines)


def costs(rows: list[Row]) -> str:
    """What every arm of the ablation bench costs."""
    lines = []
    for row in rows:
        if row["against"] in ("", "base") and row["seconds_per_epoch"]:
            size = f"{int(row['parameters']):,}", f"{float(row['peak_mb']):.0f}"
            lines.append((f"`{row['arm']}`", row["seconds_per_epoch"], row["cpu_seconds_per_epoch"], *size))
    return markdown(("arm", "seconds an epoch", "CPU seconds an epoch", "parameters", "memory, MB"), lines)


def regimes(rows: list[Row]) -> str:
    """Seen / rare / harmonic mean by the photographs of a rare class."""
    shots = list(dict.fromkeys(row["shots"] for row in rows))
    found = {(row["arm"], row["shots"]): row for row in rows}
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [found.get((arm, k)) for k in shots]
        cells = [" / ".join(f"{float(r[n]):.1f}" for n in ("seen", "rare", "harmonic")) if r else "" for r in mine]
        lines.append((f"`{arm}`", *cells))
    return markdown(("system", *map(photos, shots)), lines)


def photos(number: str) -> str:
    return f"{number} photograph{'' if number == '1' else 's'}"


def rare_pairs(rows: list[Row]) -> str:
    """Differences of the rare classes' mAP, with intervals, by the photographs of a rare class."""
    rows = [row for row in rows if row["classes"] == "rare"]
    shots = list(dict.fromkeys(row["shots"] for row in rows))
    found = {(row["arm"], row["against"], row["shots"]): interval(row, "delta", "low", "high") for row in rows}
    sides = dict.fromkeys((row["arm"], row["against"]) for row in rows)
    lines = [(f"`{a}` less `{b}`", *(found.get((a, b, k), "") for k in shots)) for a, b in sides]
    return markdown(("rare classes, points of mAP", *map(photos, shots)), lines)


def interaction(rows: list[Row]) -> str:
    """What classes added at test time do to the seen ones."""
    lines = []
    for row in rows:
        change = f"{float(row['d_map_seen']):+.2f} ± {float(row['d_map_seen_sd']):.2f}"
        moved = f"{float(row['logit_change_in_sd']):.2f}", f"{float(row['top3_changed_percent']):.0f} %"
        lines.append((f"`{row['arm']}`", row["added"], change, *moved))
    return markdown(("system", "classes added", "seen mAP", "logits move by, sd", "photos with another top 3"), lines)


def pointing(rows: list[Row]) -> str:
    """The pointing game: one row a method and kind, over its seeds."""
    lines = []
    for method, kind in dict.fromkeys((row["method"], row["kind"]) for row in rows):
        runs = [row for row in rows if (row["method"], row["kind"]) == (method, kind)]
        cells = [percent([run[key] for run in runs]) for key in ("all", "predicted")]
        lines.append((f"`{method}`" if kind else method, kind, runs[0]["scenes"], runs[0]["labels"], *cells))
    return markdown(("method", "kind", "scenes", "labels", "all present", "predicted"), lines)


def plain(rows: list[Row]) -> str:
    """The CSV as it is."""
    header = tuple(k for k in rows[0] if k not in ABOUT)
    return markdown(header, [tuple(row[k] for k in header) for row in rows])


TABLES: dict[str, tuple[str, Callable[[list[Row]], str]]] = {
    "recipes": ("recipes", recipes),
    "flagship": ("flagship", recipes),
    "flagship-pairs": ("flagship-pairs", pairs),
    "finetune": ("finetune", recipes),
    "finetune-pairs": ("finetune-pairs", pairs),
    "ablation-claims": ("ablation", claims),
    "ablation-arms": ("ablation", arms),
    "ablation-costs": ("ablation", costs),
    "pointing": ("pointing", pointing),
    "regimes": ("regimes", regimes),
    "regimes-rare-pairs": ("regimes-paired", rare_pairs),
    "regimes-interaction": ("regimes-interaction", interaction),
}
"""Table -> the CSV it is made from, and how; a table not listed is its CSV as it is."""


def table(name: str) -> str:
    """The table of that name with where it was measured."""
    file, make = TABLES.get(name, (name, plain))
    path = RESULTS / f"{file}.csv"
    if not path.exists():
        return "No results yet.\n"
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return make(rows) + measured(rows[0])
