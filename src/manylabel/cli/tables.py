"""Plain-text tables of numbers for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

SHOWN = 10  # classes of a comparison that lost most
ROWS = (
    ("map", "mAP"), ("map_head", "  head"), ("map_medium", "  medium"), ("map_tail", "  tail"), ("cf1", "CF1"),
    ("of1", "OF1"), ("cp", "CP"), ("cr", "CR"), ("op", "OP"), ("or", "OR"),
)  # fmt: skip


def headline(numbers: Mapping[str, Any]) -> str:
    """The headline metrics in percent, with their intervals.

    >>> print(headline({"images": 2, "classes": 1, "map": 0.5, "intervals": {"map": [0.25, 0.75]}, "map_tail": None}))
    2 images, 1 classes
    mAP        50.0  [25.0, 75.0]
      tail        -
    """
    lines = [f"{numbers['images']:,} images, {numbers['classes']:,} classes" + _asides(numbers)]
    for key, name in ROWS:
        if key in numbers:
            value, interval = numbers[key], (numbers.get("intervals") or {}).get(key)
            shown = f"{100 * value:6.1f}" if value is not None else "     -"
            around = f"  [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval and value is not None else ""
            lines.append(f"{name:<9}{shown}{around}")
    lines += [own_group(name, group) for name, group in (numbers.get("grouping") or {}).items()]
    if tree := numbers.get("hierarchical"):
        parts = [f"{key} {'-' if tree[key] is None else format(100 * tree[key], '.1f')}" for key in ("hp", "hr", "hf")]
        lines.append(f"with the hierarchy  {', '.join(parts)}")
    return "\n".join(lines)


def own_group(name: str, group: Mapping[str, Any]) -> str:
    """mAP of one of the user's groups.

    >>> own_group("animals", {"map": 0.5, "interval": [0.4, 0.6], "classes": 9, "averaged": 8})
    'mAP of animals  50.0  [40.0, 60.0]  8 of 9 classes'
    """
    shown = "-" if group["map"] is None else f"{100 * group['map']:.1f}"
    around = "  [{:.1f}, {:.1f}]".format(*(100 * end for end in group["interval"])) if group["interval"] else ""
    return f"mAP of {name}  {shown}{around}  {group['averaged']} of {group['classes']} classes"


def further(numbers: Mapping[str, Any]) -> str:
    """Every further metric that is defined, as fractions, with its interval; what is undefined on a line of its own."""
    from manylabel.metrics.more import METRICS

    lines, undefined = [], []
    for metric in METRICS:
        value, interval = numbers[metric.key], numbers["intervals"].get(metric.key)
        if value is None:
            undefined.append(metric.key)
        else:
            around = f"  [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
            lines.append(f"{metric.key:<16}{value:8.4f}{around}{'' if metric.higher else '  lower is better'}")
    if undefined:
        lines.append(f"undefined here (no decisions, probabilities, training counts or labels): {', '.join(undefined)}")
    return "\n".join(lines)


def _asides(numbers: Mapping[str, Any]) -> str:
    parts = []
    if numbers.get("classes_without_positives"):
        parts.append(f"{numbers['classes_without_positives']} without positives, left out of mAP")
    if numbers.get("unknown_share"):
        parts.append(f"{100 * numbers['unknown_share']:.1f} % of cells unknown, left out")
    return f" ({'; '.join(parts)})" if parts else ""


def columns(rows: list[tuple[str, ...]]) -> str:
    """Left-aligned columns, the last one free.

    >>> print(columns([("linear", "baseline"), ("cprfl", "prompts")]))
    linear  baseline
    cprfl   prompts
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[-1]]) for row in rows)


def compared(before: str, after: str, result: dict[str, Any], names: list[str]) -> str:
    """The table for the terminal."""
    lines = [f"\n{after} against {before}", f"{'':<12}before   after  difference"]
    for key, row in result["numbers"].items():
        low, high = (100 * end for end in row["interval"])
        lines.append(
            f"{key:<10}{100 * row['before']:8.1f}{100 * row['after']:8.1f}{100 * row['difference']:+8.1f}"
            f"  [{low:+.1f}, {high:+.1f}]  {row['verdict']}"
        )
    cells = result["cells"]
    gained, lost = int(cells.gained.sum()), int(cells.lost.sum())
    lines.append(f"cells: {gained:,} got right, {lost:,} got wrong, churn {100 * cells.churn:.2f} %")
    change = result["classes"]["difference"]
    worst = [c for c in np.argsort(change) if change[c] < 0 and not np.isnan(change[c])][:SHOWN]
    for c in worst:
        low, high = (100 * end for end in result["classes"]["interval"][c])
        lines.append(
            f"  AP {100 * change[c]:+6.1f} [{low:+.1f}, {high:+.1f}]  {names[c]}"
            f" (got right {cells.gained[c]}, wrong {cells.lost[c]}, p {cells.p[c]:.3f})"
        )
    if result["calibration"] is not None:
        means = {key: [float(np.nanmean(side)) for side in pair] for key, pair in result["calibration"].items()}
        lines.append("; ".join(f"{key} {one:.4f} -> {other:.4f}" for key, (one, other) in means.items()))
    return "\n".join(lines)
