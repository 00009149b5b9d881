"""Names of many files in one text, as WebDataset writes its shards: `train-{000..146}.tar`, `{train,val}-0.tar`."""

from __future__ import annotations

import re
from itertools import product

from manylabel.labels import ManylabelError

GROUP = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
MOST = 1_000_000  # files


def expanded(pattern: str) -> list[str]:
    """The names that a pattern stands for, in its order; a range keeps the zeros before its numbers.

    Raises ManylabelError for braces that hold neither a range nor a list, and for more than a million names.

    >>> expanded("{train,val}-{08..10}.tar")[2:5]
    ['train-10.tar', 'val-08.tar', 'val-09.tar']
    """
    pieces = GROUP.split(pattern)
    groups = [_group(text, pattern) for text in pieces[1::2]]
    total = 1
    for group in groups:
        total *= len(group)
    if total > MOST:
        raise ManylabelError(f"{pattern} stands for {total:,} files, which are more than {MOST:,}")
    fixed = pieces[::2]
    return ["".join(map("".join, zip(fixed, (*words, "")))) for words in product(*groups)]


def _group(text: str, pattern: str) -> list[str]:
    found = RANGE.fullmatch(text)
    if found:
        first, last = int(found[1]), int(found[2])
        if abs(last - first) >= MOST:
            raise ManylabelError(f"{pattern} stands for {abs(last - first) + 1:,} files, which are more than {MOST:,}")
        step = 1 if first <= last else -1
        wide = max(map(len, found.groups())) if any(one.startswith("0") for one in found.groups()) else 0
        return [f"{k:0{wide}}" for k in range(first, last + step, step)]
    if "," in text:
        return text.split(",")
    raise ManylabelError(f"{pattern}: expected a range such as {{000..146}} or a list in the braces, got {{{text}}}")
