"""What an audit found, in lines of plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from manylabel.audits.bias import Mentions, annotation
from manylabel.audits.findings import Finding
from manylabel.audits.severity import MAJOR
from manylabel.labels import LabelTable

SHOWN, NAMED = 10, 20


def worst(found: Sequence[Finding]) -> list[str]:
    """The ten most suspicious labels, a line each."""
    return [
        f"{one.rank:>4}. {one.image}: {one.label} is {one.given}, likely {one.suggested}"
        f" ({one.severity}, {one.category}): {one.reasons}"
        for one in found[:SHOWN]
    ]


def kinds(found: Sequence[Finding]) -> str:
    """How many findings are major, and how many there are of each category, the most frequent first.

    >>> one = Finding(1, "a", "dog", "absent", "present", 0.1, 0.1, "", "confused with wolf", "minor")
    >>> kinds([one])
    '0 major, 1 minor; 1 confused with another class'
    """
    major = sum(one.severity == MAJOR for one in found)
    words = ["confused with another class" if "with" in one.category else one.category for one in found]
    listed = ", ".join(f"{number:,} {word}" for word, number in Counter(words).most_common())
    return f"{major:,} major, {len(found) - major:,} minor; {listed}"


def completeness(table: LabelTable) -> str:
    """A line on how much is known."""
    whole = annotation(table)
    return (
        f"{whole.mean:.2f} positive labels per image; {100 * table.unknown_share:.1f} % of cells unknown;"
        f" {100 * whole.single:.1f} % of images with one positive and nothing else known"
    )


def forgotten(names: Sequence[str], found: Mentions) -> list[tuple[str, ...]]:
    """Rows of a table, header first, of the ten classes that annotators forget most; empty where there is none."""
    rows = [
        (
            names[c], f"{found.positives[c]:,}", f"{found.expected[c]:,.0f}",
            f"{100 * found.share[c]:.0f} % [{100 * found.low[c]:.0f}, {100 * found.high[c]:.0f}]",
        )
        for c in found.forgotten(SHOWN)
    ]  # fmt: skip
    return [("class", "given", "missing", "share given"), *rows] if rows else []


def some(words: Sequence[str]) -> str:
    """The first twenty of many words.

    >>> some(["a", "b"])
    'a; b'
    """
    return "; ".join(words[:NAMED]) + (f"; and {len(words) - NAMED:,} more" if len(words) > NAMED else "")
