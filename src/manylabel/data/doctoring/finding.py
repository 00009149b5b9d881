"""One thing that is wrong with labels or images, or worth knowing: what, how often, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from manylabel.data.dataset import Dataset

SEVERITIES = ("error", "warning", "note")
KEPT, SHOWN = 1000, 5


@dataclass(frozen=True)
class Example:
    """One place where it is so.

    Arguments:
        image: the image as the label file names it, a file on disk, or "" where it is about a class.
        line: row of the label file (the header is 1), 0 where there is none.
        said: what is there; the name of the class where it is about one.
    """

    image: str = ""
    line: int = 0
    said: str = ""

    def __str__(self) -> str:
        place = f"{f'row {self.line} ' if self.line else ''}{self.image}"
        return f"{place} ({self.said})" if place and self.said else place or self.said


@dataclass(frozen=True)
class Finding:
    """One finding.

    Arguments:
        kind: one word for programs, such as "missing"; docs/doctor.md lists them all.
        severity: "error" (results will be wrong, or training stops), "warning" (probably a mistake), "note".
        text: one line, without a full stop.
        count: how many images, classes or cells it is about.
        examples: the first `KEPT` of them; text and page show the first `SHOWN`.
        do: what to do, a sentence; often a command.

    >>> Finding("missing", "error", "1 image file is missing", 1, [Example("a.jpg", 2)], "Mend its row.").sentence
    '1 image file is missing: row 2 a.jpg. Mend its row.'
    """

    kind: str
    severity: str
    text: str
    count: int
    examples: list[Example] = field(default_factory=list)
    do: str = ""

    @property
    def sentence(self) -> str:
        """All of it in one paragraph."""
        shown = [str(one) for one in self.examples[:SHOWN]]
        more = [f"and {self.count - len(shown):,} more"] if shown and self.count > len(shown) else []
        where = f": {'; '.join([*shown, *more])}" if shown else ""
        return f"{self.text}{where}.{f' {self.do}' if self.do else ''}"


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first, else as they came."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def of_rows(dataset: Dataset, rows: Iterable[int], said: Sequence[str] | str = "") -> list[Example]:
    """Examples of rows (from 0); `said` of each, or of all."""
    kept = list(rows)[:KEPT]
    words = [said] * len(kept) if isinstance(said, str) else said
    return [Example(dataset.labels.ids[row], dataset.lines[row], word) for row, word in zip(kept, words)]


def of_classes(names: Iterable[str]) -> list[Example]:
    """Examples of classes."""
    return [Example(said=name) for name in list(names)[:KEPT]]


def many(n: int, one: str, several: str) -> str:
    """A number with its noun.

    >>> many(1, "class", "classes"), many(2000, "class", "classes")
    ('1 class', '2,000 classes')
    """
    return f"{n:,} {one if n == 1 else several}"


def some(words: Sequence[str], most: int = 8) -> str:
    """The first few words, and how many more there are.

    >>> some(["a", "b", "c"], most=2)
    'a, b, and 1 more'
    """
    return ", ".join(words[:most]) + (f", and {len(words) - most:,} more" if len(words) > most else "")
