"""The page's pictures of numbers: the tail curve as SVG, heat maps as tables that a screen reader can read."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from manylabel.data.doctor import ClassFinding, Findings

WIDTH, HEIGHT, LEFT, BOTTOM = 1080, 250, 46, 18
COLUMNS = 1080  # classes beyond which several share a column of the tail curve
BOUNDS = (20, 100)  # of tail and head
UNKNOWN_ROWS, COUPLES, CLASS_ROWS = 60, 15, 1500


def short(text: str, most: int = 120) -> str:
    """Escaped for HTML, cut where it is very long."""
    return escape(text if len(text) <= most else text[: most - 1] + "…")


def tail_curve(classes: Sequence[ClassFinding]) -> str:
    """Training positives of every class, most frequent first, on a logarithmic scale.

    >>> tail_curve([])
    '<p class="quiet">There are no classes.</p>'
    """
    if not classes:
        return '<p class="quiet">There are no classes.</p>'
    ordered = sorted(classes, key=lambda c: -c.train_positives)
    if len(ordered) > COLUMNS:
        ordered = [ordered[k] for k in np.linspace(0, len(ordered) - 1, COLUMNS).astype(int)]
    most, step = max(ordered[0].train_positives, 1), (WIDTH - LEFT) / len(ordered)
    bars = []
    for k, one in enumerate(ordered):
        top = _height(one.train_positives, most)
        title = f"{short(one.name)}: {one.train_positives:,}"
        bars.append(
            f'<rect class="{one.group}" x="{LEFT + k * step:.2f}" y="{HEIGHT - BOTTOM - top:.1f}"'
            f' width="{max(step * 0.86, 0.6):.2f}" height="{max(top, 0.8):.1f}"><title>{title}</title></rect>'
        )
    said = f"Training positives of {len(classes):,} classes, from {most:,} to {ordered[-1].train_positives:,}"
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Tail curve">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}; the numbers stand in the table below">'
        f"{_scale(most)}{''.join(bars)}</svg></div>"
        '<p class="key"><i class="head"></i>head, 100 or more<i class="medium"></i>medium, 20 to 99'
        '<i class="tail"></i>tail, below 20</p>'
    )


def _height(number: int, most: int) -> float:
    return float((HEIGHT - BOTTOM - 14) * np.log10(1 + number) / np.log10(1 + most))


def _scale(most: int) -> str:
    lines = []
    for number in (0, *(10**k for k in range(10) if 10**k <= most), *(b for b in BOUNDS if b == 20 and b <= most)):
        y = HEIGHT - BOTTOM - _height(number, most)
        kind = "bound" if number in BOUNDS else "line"
        lines.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" />'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number:,}</text>'
        )
    return "".join(lines)


def class_table(findings: Findings) -> str:
    """Counts of every class, the most frequent first."""
    parts = list(findings.parts)
    ordered = sorted(findings.classes, key=lambda c: -c.train_positives)
    shown = ordered if len(ordered) <= CLASS_ROWS else [*ordered[: CLASS_ROWS // 2], *ordered[-CLASS_ROWS // 2 :]]
    heads = "".join(f'<th scope="col" class="n">{part or "no part"}</th>' for part in parts)
    rows = "".join(
        f'<tr><th scope="row">{short(one.name)}</th><td>{one.group}</td>'
        + "".join(f'<td class="n">{one.positives[part]:,}</td>' for part in parts)
        + f'<td class="n">{one.absent:,}</td><td class="n">{one.unknown:,}</td></tr>'
        for one in shown
    )
    left = len(ordered) - len(shown)
    more = f"; {left:,} classes between are left out" if left else ""
    return (
        f"<table><caption>Positives by part, absent and unknown images{more}</caption><thead><tr>"
        f'<th scope="col">class</th><th scope="col">group</th>{heads}<th scope="col" class="n">absent</th>'
        f'<th scope="col" class="n">unknown</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def matrix(findings: Findings) -> str:
    """P(column | row) of the most frequent classes, in percent."""
    names, counts = findings.company.classes, np.array(findings.company.matrix, np.float64)
    if len(names) < 2:
        return '<p class="quiet">There are not two classes with positives.</p>'
    share = counts / np.maximum(np.diag(counts)[:, None], 1)
    heads = "".join(f'<th scope="col"><span title="{short(name)}">{short(name, 40)}</span></th>' for name in names)
    rows = []
    for a, name in enumerate(names):
        cells = "".join(
            f'<td style="--v:{share[a, b]:.2f}" title="{short(name)} with {short(names[b])}: {counts[a, b]:,.0f}'
            f' of {counts[a, a]:,.0f} images">{100 * share[a, b]:.0f}</td>'
            if a != b
            else "<td>·</td>"
            for b in range(len(names))
        )
        rows.append(f'<tr><th scope="row" title="{short(name)}">{short(name, 40)}</th>{cells}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Which classes come together"><table class="map">'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def couples(findings: Findings) -> str:
    """The strongest pairs, those that never meet, and those inside each other."""
    company = findings.company
    strong = [
        f"{short(one.one)} + {short(one.other)}: {one.share:.0%} of the images with either show both"
        f" ({one.together:,} images, {one.expected:,.0f} expected by chance)"
        for one in company.strongest[:COUPLES]
    ]
    never = [
        f"{short(one.one)} and {short(one.other)}: {one.expected:,.0f} images expected, none found"
        for one in company.never[:COUPLES]
    ]
    within = [f"{short(a)} never without {short(b)} ({n:,} images)" for a, b, n in company.within[:COUPLES]]
    titles = (("Most often together", strong), ("Never together", never), ("Never without", within))
    return "".join(f"<h3>{title}</h3>{listed(items)}" for title, items in titles if items)


def listed(items: Sequence[str]) -> str:
    """Items that are HTML already, as a list."""
    return f'<ul class="plain">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def unknown_map(findings: Findings) -> str:
    """The share of unknown cells by class and part, of the classes with most of them."""
    some = sorted((c for c in findings.classes if c.unknown), key=lambda c: -c.unknown)
    if not some:
        return '<p class="quiet">Every cell is known.</p>'
    parts = list(findings.parts)
    heads = "".join(f'<th scope="col">{part or "no part"}</th>' for part in parts)
    rows = []
    for one in some[:UNKNOWN_ROWS]:
        shares = [one.unknown_in[part] / max(findings.parts[part], 1) for part in parts]
        cells = "".join(f'<td style="--v:{share:.3f}">{share:.1%}</td>' for share in shares)
        rows.append(f'<tr><th scope="row">{short(one.name, 40)}</th>{cells}</tr>')
    left = len(some) - UNKNOWN_ROWS
    more = f'<p class="quiet">{left:,} more classes have unknown cells.</p>' if left > 0 else ""
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Share of unknown cells by class and part">'
        f'<table class="map parts"><thead><tr><td></td>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f"{more}"
    )
