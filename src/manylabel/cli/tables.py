"""Plain-text tables of numbers for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    return "\n".join(lines)


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
