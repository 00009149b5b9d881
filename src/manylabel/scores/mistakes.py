"""What is wrong with a file of scores, said once for each kind of mistake, with where it was seen first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manylabel.labels import ManylabelError, did_you_mean

CHOICES = ("error", "leave")
SHOWN = 3


class Mistakes:
    """Mistakes found while a file is read; either they end the reading, or what they spoil is left out and noted.

    Arguments:
        path: the file, for messages.
        rule: "error" or "leave".

    >>> found = Mistakes(Path("s.csv"), "leave")
    >>> for line in (3, 5, 8, 9):
    ...     found.add("cell without a score", "cells without a score", f"line {line}")
    >>> found.notes()
    ['4 cells without a score, left out: line 3; line 5; line 8; and 1 more']
    """

    def __init__(self, path: Path, rule: str) -> None:
        if rule not in CHOICES:
            raise ManylabelError(f"mistakes cannot be {rule!r}.{did_you_mean(rule, CHOICES)}")
        self.path, self.rule = path, rule
        self._found: dict[tuple[str, str], list[str]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, one: str, many: str, where: str, number: int = 1) -> None:
        """One more mistake of a kind, which is called `one` or, of several, `many`; an error if the rule says so."""
        if self.rule == "error":
            raise ManylabelError(f"{self.path}: {where}")
        seen = self._found.setdefault((one, many), [])
        if len(seen) < SHOWN:
            seen.append(where)
        self._counts[one, many] = self._counts.get((one, many), 0) + number

    def notes(self) -> list[str]:
        """A sentence for each kind."""
        return [_sentence(kind, self._counts[kind], seen) for kind, seen in self._found.items()]


def _sentence(kind: tuple[str, str], number: int, seen: Sequence[str]) -> str:
    more = f"; and {number - len(seen):,} more" if number > len(seen) else ""
    return f"{number:,} {kind[number != 1]}, left out: {'; '.join(seen)}{more}"
