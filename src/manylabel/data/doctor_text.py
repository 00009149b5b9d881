"""`Findings` as text for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manylabel.data.doctor import ClassFinding, Findings

WIDTH, BAR, SHOWN, COUPLES, UNKNOWN_SHOWN = 100, 24, 40, 8, 12
MARKS = {"error": "✗", "warning": "!", "note": "·"}
KINDS = {"csv-narrow": "narrow CSV", "csv-wide": "wide CSV", "folder": "folder of classes"}


def render(findings: Findings) -> str:
    """The whole report: what was understood, parts, labels, classes, company, files, findings, advice."""
    sections = [
        _title(findings),
        _section("Understood", [*_points("·", findings.notes), "", *_first_rows(findings)]),
        _section("Parts", _parts(findings)),
        _section("Labels per image", _per_image(findings)),
        _section("Classes, by training positives", _classes(findings)),
        _section("Unknown cells", _unknown(findings)),
        _section("Which classes come together", _company(findings)),
        _section("Beside the labels", _beside(findings)),
        _section("Image files", _files(findings)),
        _section("Problems", _findings(findings, ("error", "warning")) or ["  none found"]),
        _section("Worth knowing", _findings(findings, ("note",))),
        _section("Advice", _points("→", findings.advice)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(findings: Findings) -> str:
    said = [
        KINDS.get(findings.kind, findings.kind),
        f"{findings.images:,} images",
        f"{len(findings.classes):,} classes",
    ]
    return f"{findings.source}\n{' · '.join(said)}"


def _section(title: str, lines: list[str]) -> str:
    """Title and lines; nothing where there are none."""
    if not lines:
        return ""
    return "\n".join([f"── {title} {'─' * (WIDTH - len(title) - 4)}", *lines])


def _points(mark: str, sentences: Sequence[str]) -> list[str]:
    """Sentences wrapped behind a mark."""
    return [
        textwrap.fill(
            sentence,
            WIDTH,
            initial_indent=f"  {mark} ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for sentence in sentences
    ]


def _first_rows(findings: Findings) -> list[str]:
    lines = []
    for row in findings.first_rows:
        place = f"row {row.line}" if row.line else "file"
        labels = ", ".join(row.present) or ("nothing known" if row.unknown == len(findings.classes) else "no label")
        unknown = f"  [{row.unknown} unknown]" if 0 < row.unknown < len(findings.classes) else ""
        line = f"  {place:<6} {_cut(row.image, 34):<34}  {row.part:<5}  {labels}{unknown}"
        lines.append(_cut(line, WIDTH))
    return lines


def _parts(findings: Findings) -> list[str]:
    lines = [f"  {'':<10}{'images':>10}{'positives':>12}{'classes shown':>16}"]
    for part, images in findings.parts.items():
        counts = [c.positives[part] for c in findings.classes]
        shown = f"{sum(n > 0 for n in counts):,} of {len(counts):,}"
        lines.append(f"  {part or 'no part':<10}{images:>10,}{sum(counts):>12,}{shown:>16}")
    return lines


def _per_image(findings: Findings) -> list[str]:
    per = findings.labels_per_image
    lines = [
        f"  mean {per['mean']:.1f}, median {per['median']:g}, most {per['most']:g};"
        f" {findings.without_label:,} images without a positive label;"
        f" {findings.unknown_share:.1%} of all cells unknown"
    ]
    counts = findings.histogram
    if len(counts) > 13:
        counts = [*counts[:12], sum(counts[12:])]
    most = max(counts, default=1)
    for k, n in enumerate(counts):
        name = f"{k}+" if k == 12 else str(k)
        lines.append(f"  {name:>4} {_bar(n, most):<{BAR}} {n:>9,}")
    return lines


def _classes(findings: Findings) -> list[str]:
    ordered = sorted(findings.classes, key=lambda c: -c.train_positives)
    groups = findings.groups
    lines = [
        f"  head (100 or more) {groups['head']}, medium (20 to 99) {groups['medium']}, tail (below 20) {groups['tail']}"
    ]
    parts = [part for part in findings.parts if part not in ("train", "")]
    heads = "".join(f"{part:>9}" for part in ["train", *parts])
    lines.append(f"  {'':<22}{'':<{BAR}} {heads}{'unknown':>9}")
    most = ordered[0].train_positives if ordered else 1
    shown = ordered if len(ordered) <= SHOWN else [*ordered[: SHOWN // 2], None, *ordered[-SHOWN // 2 :]]
    for one in shown:
        if one is None:
            lines.append(f"  … {len(ordered) - SHOWN:,} classes between")
        else:
            lines.append(_class_line(one, parts, most, findings.images))
    return lines


def _class_line(one: ClassFinding, parts: list[str], most: int, images: int) -> str:
    counts = "".join(f"{n:>9,}" for n in [one.train_positives, *(one.positives[part] for part in parts)])
    unknown = f"{one.unknown / images:>9.1%}" if one.unknown else f"{'-':>9}"
    return f"  {_cut(one.name, 21):<22}{_bar(one.train_positives, most):<{BAR}} {counts}{unknown}  {one.group}"


def _unknown(findings: Findings) -> list[str]:
    """Of the classes with most unknown cells, their share in each part."""
    parts = list(findings.parts)
    some = sorted((c for c in findings.classes if c.unknown), key=lambda c: -c.unknown)
    if not some:
        return []
    lines = [f"  {'':<34}" + "".join(f"{part or 'no part':>9}" for part in parts)]
    for one in some[:UNKNOWN_SHOWN]:
        shares = "".join(f"{one.unknown_in[part] / findings.parts[part]:>9.1%}" for part in parts)
        lines.append(f"  {_cut(one.name, 32):<34}{shares}")
    left = len(some) - UNKNOWN_SHOWN
    return [*lines, f"  … {left:,} more classes with unknown cells"] if left > 0 else lines


def _company(findings: Findings) -> list[str]:
    company = findings.company
    if not company.strongest:
        return []
    lines = ["  most often together, by the share of images with either that show both:"]
    for one in company.strongest[:COUPLES]:
        share = f"{one.share:>6.1%}  {one.together:,} images, {one.expected:,.0f} expected by chance"
        lines.append(_cut(f"    {_cut(one.one, 20):<20} + {_cut(one.other, 20):<20} {share}", WIDTH))
    return lines


def _beside(findings: Findings) -> list[str]:
    """A line on each of soft values, votes, candidates, boxes, reviewed, sizes, hierarchy, aliases, provenance."""
    lines = []
    for name, numbers in findings.beside.items():
        said = [
            f"{key.replace('_', ' ')} {value:,}" for key, value in numbers.items() if isinstance(value, (int, float))
        ]
        lines += _points("·", [f"{name}: {', '.join(said)}"])
    for one in findings.beside.get("votes", {}).get("each", [])[:COUPLES]:
        agrees = "-" if one["agreement"] is None else f"{one['agreement']:.1%}"
        lines.append(f"      {_cut(one['name'], 30):<30} agrees {agrees:>6} of {one['comparisons']:,} comparisons")
    return lines


def _findings(findings: Findings, severities: tuple[str, ...]) -> list[str]:
    chosen = [one for one in findings.findings if one.severity in severities]
    return [line for one in chosen for line in _points(MARKS[one.severity], [one.sentence])]


def _files(findings: Findings) -> list[str]:
    files = findings.files
    if files is None:
        return ["  not looked at"]
    lines = [f"  {files.read:,} of {findings.images:,} read whole; {len(files.damaged):,} damaged or missing"]
    if files.pixels:
        small, median, large = (f"{w} x {h}" for w, h in files.pixels)
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in files.formats.items())
        lines.append(f"  smallest {small}, median {median}, largest {large}; {kinds}")
    leaks = f"{len(files.leaks):,} of them across parts"
    lines.append(
        f"  {len(files.repeats):,} images occur more than once ({leaks}); {len(files.near):,} have near copies"
    )
    return lines


def _bar(n: int, most: int) -> str:
    """At least a sliver where there is anything at all."""
    eighths = max(round(8 * BAR * n / max(most, 1)), 1) if n else 0
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
