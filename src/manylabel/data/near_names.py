"""Class names that may be one class spelt in two ways."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

SHORTEST = 5  # below this many letters one letter makes another word: car, cat
SLIP = 20  # times as often as a misspelt name the right one occurs
FEW = 5  # images up to which a name may be a slip that occurs half as often


def near_names(names: Sequence[str], counts: Sequence[int] | NDArray[np.int64] = ()) -> list[tuple[str, str, str]]:
    """(name, name, how they differ) for names alike but for capitals, blanks and hyphens, accents, plural, two letters
    that changed places, or one letter.

    Arguments:
        counts: positives of each class. Names one letter apart are both words as a rule (horse and house); they are
            taken for one only where the one is rare beside the other. Without counts nobody can tell, and none are.

    >>> near_names(["Dog", "dog", "hot dog", "hot_dog", "chair", "chiar", "room 1", "room 2"])
    [('Dog', 'dog', 'capitals'), ('hot dog', 'hot_dog', 'blanks or hyphens'), ('chair', 'chiar', 'swapped letters')]
    >>> near_names(["horse", "house", "person", "persom"], [90, 70, 200, 2])
    [('persom', 'person', 'one letter')]
    """
    found: dict[tuple[str, str], str] = {}
    _pair_by(names, lambda name: [name.casefold()], "capitals", found)
    _pair_by(names, lambda name: [_joined(name)], "blanks or hyphens", found)
    _pair_by(names, lambda name: [_plain(name)], "accents", found)
    _pair_by(names, lambda name: [_singular(name)], "plural", found)
    long = [name for name in names if len(name) >= SHORTEST]
    _pair_by(long, lambda name: ["".join(sorted(_joined(name)))], "swapped letters", found, _swapped)
    if len(counts):
        often = dict(zip(names, (int(n) for n in counts), strict=True))
        _pair_by(long, _one_less, "one letter", found, lambda a, b: _one_apart(a, b) and _rare(often[a], often[b]))
    return [(a, b, how) for (a, b), how in found.items()]


def _rare(one: int, other: int) -> bool:
    """Whether one of two classes is so rare beside the other that it may be a slip of the pen."""
    low, high = sorted((one, other))
    return high >= SLIP * max(low, 1) or (low <= FEW and high >= 2 * low + 2)


def _pair_by(
    names: Sequence[str], keys: Callable[[str], list[str]], how: str, found: dict[tuple[str, str], str],
    fits: Callable[[str, str], bool] = lambda one, other: True,
) -> None:  # fmt: skip
    """Add the pairs of names that share a key and fit together."""
    first: dict[str, str] = {}
    shared: dict[str, list[str]] = {}
    for name in sorted(names):
        for key in dict.fromkeys(keys(name)):
            if first.setdefault(key, name) != name:  # most keys have one name: those need no list
                shared.setdefault(key, [first[key]]).append(name)
    for alike in shared.values():
        _pair(alike, how, found, fits)


def _pair(alike: list[str], how: str, found: dict[tuple[str, str], str], fits: Callable[[str, str], bool]) -> None:
    """Pair the names of one key, but not those that differ in a number, as room 1 and room 2 do on purpose."""
    by_word: dict[str, list[str]] = defaultdict(list)
    for name in alike:
        by_word[re.sub(r"\d+", "", name)].append(name)
    for one, other in combinations(by_word.values(), 2):
        for pair in product(one, other):
            if fits(*pair):
                found.setdefault((min(pair), max(pair)), how)


def _joined(name: str) -> str:
    return re.sub(r"[\s_\-./]+", "", name.casefold())


def _plain(name: str) -> str:
    """Without accents and without blanks."""
    return "".join(sign for sign in unicodedata.normalize("NFD", _joined(name)) if not unicodedata.combining(sign))


def _swapped(one: str, other: str) -> bool:
    """Whether two letters changed places, and nothing else did."""
    return sum(a != b for a, b in zip(_joined(one), _joined(other), strict=True)) == 2


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter more, less or another makes one name of the other."""
    a, b = sorted((_joined(one), _joined(other)), key=len)
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b)) == 1
    return len(b) - len(a) == 1 and any(b[:k] + b[k + 1 :] == a for k in range(len(b)))


def _singular(name: str) -> str:
    return re.sub(r"(?<=[^s])s$", "", re.sub(r"ies$", "y", re.sub(r"(?<=[sxzh])es$", "", _joined(name))))


def _one_less(name: str) -> list[str]:
    """The name, and it without each of its letters: all names one letter apart share one of these."""
    joined = _joined(name)
    return [joined, *(joined[:k] + joined[k + 1 :] for k in range(len(joined)))]


def same_but_case(names: Sequence[str]) -> list[str]:
    """A note for the class names that differ in capitals only; they stay apart, for Turkey is not turkey."""
    folded: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folded[name.casefold()].append(name)
    alike = [group for group in folded.values() if len(group) > 1]
    if not alike:
        return []
    said = "; ".join(" / ".join(group) for group in alike[:10])
    cure = f"--rename {shlex.quote(f'{alike[0][0]}={alike[0][1]}')} (Python: rename)"
    return [f"Class names that differ in capitals only are kept as different classes: {said}. Join them with {cure}."]
