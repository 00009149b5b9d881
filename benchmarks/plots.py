"""Forest plot of the ablation bench: each arm's difference from base with its interval.

python benchmarks/plots.py       # benchmarks/results/ablation.csv -> docs/images/ablation.png
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"helps": "#1a7f5a", "hurts": "#c0392b", "undecided": "#6b7280"}  # told apart by lightness too
INCHES, DPI = 9.0, 150  # 1,350 pixels wide, shown at about 900
ROW = 0.25  # inches
ARROW = 6  # points
MEASURES = (("total", "verdict", "all classes"), ("tail", "verdict_tail", "tail classes"))

Row = dict[str, str]


def read(file: Path) -> list[Row]:
    """Rows that have a difference, in the order of the file within their section."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("delta_total")]
    sections = list(dict.fromkeys(row["section"] for row in rows))
    return sorted(rows, key=lambda row: sections.index(row["section"]))


def places(rows: list[Row]) -> tuple[list[float], dict[str, float]]:
    """The height of each row, counted downwards, and of the heading above each section.

    >>> places([{"section": "a"}, {"section": "a"}, {"section": "b"}])
    ([1.0, 2.0, 4.5], {'a': 0.0, 'b': 3.5})
    """
    heights: list[float] = []
    headings: dict[str, float] = {}
    at = 0.0
    for row in rows:
        if row["section"] not in headings:
            at += 0.5 if headings else 0.0
            headings[row["section"]] = at
            at += 1
        heights.append(at)
        at += 1
    return heights, headings


def label(row: Row) -> str:
    """The arm, and what it is set against where that is not base."""
    return row["arm"] if row["against"] == "base" else f"{row['arm']} against {row['against']}"


def panel(axes: Axes, rows: list[Row], heights: list[float], measure: str, verdict: str) -> None:
    """One measure's intervals; an arrow stands where one leaves the frame, a number where its middle does."""
    frame = limits(rows, measure)
    for row, y in zip(rows, heights):
        interval(axes, y, tuple(float(row[f"delta_{measure}{end}"]) for end in ("_low", "", "_high")), frame,
                 COLOURS[row[verdict]])  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlim(*frame)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def interval(axes: Axes, y: float, ends: tuple[float, ...], frame: tuple[float, float], colour: str) -> None:
    """One arm at height `y`: its low end, middle and high end as far as the frame shows them."""
    low, middle, high = ends
    left, right = frame
    seen = [min(max(x, left), right) for x in (low, high)]
    axes.plot(seen, [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    if left <= middle <= right:
        axes.plot(middle, y, "o", color=colour, markersize=4.5)
    for edge, gone, inwards in ((left, low < left, 1), (right, high > right, -1)):
        if gone:
            place = offset_copy(axes.transData, axes.get_figure(root=True), x=inwards * ARROW / 2, units="points")
            axes.plot(edge, y, "<" if inwards > 0 else ">", color=colour, markersize=ARROW, transform=place)
    if middle < left or middle > right:
        side, inwards = ("left", 1) if middle < left else ("right", -1)
        inner = seen[1] if middle < left else seen[0]  # past what is left of the interval
        axes.annotate(
            f"{middle:+.1f}".replace("-", "−"), (inner, y), xytext=(inwards * (ARROW + 3), 0),
            textcoords="offset points", ha=side, va="center", fontsize=8, color=colour,
        )  # fmt: skip


def limits(rows: list[Row], measure: str, least: float = 1.0, most: float = 12.0) -> tuple[float, float]:
    """The frame: all intervals as far as `most` points, so that one collapsed arm does not squeeze the others.

    >>> row = {"delta_total_low": "-30", "delta_total_high": "2"}
    >>> limits([row], "total")
    (-12.0, 2.2)
    """
    low = min(float(row[f"delta_{measure}_low"]) for row in rows)
    high = max(float(row[f"delta_{measure}_high"]) for row in rows)
    return max(min(1.1 * low, -least), -most), min(max(1.1 * high, least), most)


def forest(rows: list[Row], out: Path) -> None:
    """Draw both measures side by side."""
    heights, headings = places(rows)
    tall = ROW * (heights[-1] + 1) + 1.1
    figure, both = plt.subplots(1, 2, figsize=(INCHES, tall), sharey=True, width_ratios=(1, 1))
    for axes, (measure, verdict, title) in zip(both, MEASURES):
        panel(axes, rows, heights, measure, verdict)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("difference from base, points of mAP", fontsize=9)
    first = both[0]
    first.set_yticks([*heights, *headings.values()], [*map(label, rows), *headings], fontsize=9)
    for tick in first.get_yticklabels()[len(heights) :]:
        tick.set_fontweight("bold")
    first.set_ylim(heights[-1] + 0.8, -0.8)
    handles = [Line2D([], [], color=colour, marker="o", label=word) for word, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="upper right", ncols=3, fontsize=9, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / tall))
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=DPI)
    plt.close(figure)
    print(f"written to {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "ablation.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "ablation.png")
    arguments = parser.parse_args()
    rows = read(arguments.results)
    if not rows:
        raise SystemExit(f"{arguments.results} holds no arm with a difference yet; run benchmarks/ablation.py")
    forest(rows, arguments.out)


if __name__ == "__main__":
    main()
