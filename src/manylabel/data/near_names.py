"""Class names that may be one class spelt in two ways."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, product

SHORTEST = 5  # below this many letters one letter makes another word: car, cat


def near_names(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """(name, name, how they differ) for names alike but for capitals, blanks and hyphens, plural, or one letter.

    >>> near_names(["Dog", "dog", "hot dog", "hot_dog", "person", "persom", "room 1", "room 2"])
    [('Dog', 'dog', 'capitals'), ('hot dog', 'hot_dog', 'blanks or hyphens'), ('persom', 'person', 'one letter')]
    """
    found: dict[tuple[str, str], str] = {}
    _pair_by(names, lambda name: [name.casefold()], "capitals", found)
    _pair_by(names, lambda name: [_joined(name)], "blanks or hyphens", found)
    _pair_by(names, lambda name: [_singular(name)], "plural", found)
    long = [name for name in names if len(name) >= SHORTEST]
    _pair_by(long, _one_less, "one letter", found)
    return [(a, b, how) for (a, b), how in found.items()]


def _pair_by(
    names: Sequence[str], keys: Callable[[str], list[str]], how: str, found: dict[tuple[str, str], str]
) -> None:
    """Add the pairs of names that share a key, each name with the first of its kind."""
    first: dict[str, str] = {}
    shared: dict[str, list[str]] = {}
    for name in sorted(names):
        for key in dict.fromkeys(keys(name)):
            if first.setdefault(key, name) != name:  # most keys have one name: those need no list
                shared.setdefault(key, [first[key]]).append(name)
    for alike in shared.values():
        _pair(alike, how, found)


def _pair(alike: list[str], how: str, found: dict[tuple[str, str], str]) -> None:
    """Pair the names of one key, but not those that differ in a number, as room 1 and room 2 do on purpose."""
    by_word: dict[str, list[str]] = defaultdict(list)
    for name in alike:
        by_word[re.sub(r"\d+", "", name)].append(name)
    for one, other in combinations(by_word.values(), 2):
        for pair in product(one, other):
            found.setdefault((min(pair), max(pair)), how)


def _joined(name: str) -> str:
    return re.sub(r"[\s_\-./]+", "", name.casefold())


def _singular(name: str) -> str:
    return re.sub(r"(?<=[^s])s$", "", re.sub(r"ies$", "y", re.sub(r"(?<=[sxzh])es$", "", _joined(name))))


def _one_less(name: str) -> list[str]:
    """The name, and it without each of its letters: names one letter apart share one of these."""
    joined = _joined(name)
    return [joined, *(joined[:k] + joined[k + 1 :] for k in range(len(joined)))]


def same_but_case(names: Sequence[str]) -> list[str]:
    """A note for the class names that differ in capitals only; they stay apart, for Turkey is not turkey."""
    folded = Counter(name.casefold() for name in names)
    alike = [[n for n in names if n.casefold() == word] for word, times in folded.items() if times > 1]
    if not alike:
        return []
    said = "; ".join(" / ".join(group) for group in alike[:10])
    cure = f"--rename {shlex.quote(f'{alike[0][0]}={alike[0][1]}')} (Python: rename)"
    return [f"Class names that differ in capitals only are kept as different classes: {said}. Join them with {cure}."]
