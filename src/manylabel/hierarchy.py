"""Hierarchies of classes: a label implies its ancestors, in decisions as in scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError

Parents = Sequence[Sequence[int]]
"""Of each class the indices of its parents: none for a root, several where the hierarchy is no tree."""


def from_pairs(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> list[list[int]]:
    """The parents of each class from pairs of (class, parent), several where a class has several.

    Names that are no class of `names` pass on what lies above them: with (cat, feline) and (feline, animal), and no
    feline among the classes, animal is above cat.

    Raises ManylabelError for a class that is its own ancestor.

    >>> from_pairs([("cat", "feline"), ("feline", "animal"), ("dog", "animal")], ["animal", "cat", "dog"])
    [[], [0], [0]]
    """
    pairs = list(pairs)
    every = list(dict.fromkeys([*names, *(name for pair in pairs for name in pair)]))
    place = {name: c for c, name in enumerate(every)}
    direct: list[list[int]] = [[] for _ in every]
    for child, parent in pairs:
        direct[place[child]].append(place[parent])
    try:
        above = ancestors(direct)[: len(names), : len(names)] & ~np.eye(len(names), dtype=bool)
    except ManylabelError:
        raise ManylabelError(f"a class lies above itself: {' above '.join(_circle(direct, every))}") from None
    nearest = above & ~(above.astype(np.int64) @ above > 0)  # what is above a parent need not be said again
    return [np.flatnonzero(row).tolist() for row in nearest]


def _circle(parents: Parents, names: Sequence[str]) -> list[str]:
    """The names of a circle, each above the next, the first once more at the end."""
    for start in range(len(parents)):
        below, waiting = dict.fromkeys(parents[start], start), list(parents[start])
        while waiting and start not in below:
            c = waiting.pop(0)
            waiting += [parent for parent in parents[c] if parent not in below]
            below |= {parent: c for parent in parents[c] if parent not in below}
        if start in below:
            path = [start, below[start]]
            while path[-1] != start:
                path.append(below[path[-1]])
            return [names[c] for c in path]
    raise AssertionError("no class lies above itself")


def ancestors(parents: Parents) -> NDArray[np.bool_]:
    """(C, C) bool: entry [c, a] says whether a is c or an ancestor of c; an error names a class in a circle.

    >>> ancestors([[], [0], [1]]).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]])
    """
    number = len(parents)
    closure = np.eye(number, dtype=np.bool_)
    state = np.zeros(number, np.int8)  # 0 not visited, 1 being visited, 2 done
    for root in range(number):
        stack = [(root, False)]
        while stack:
            c, leaving = stack.pop()
            if leaving:
                for parent in parents[c]:
                    closure[c] |= closure[parent]
                state[c] = 2
            elif state[c] == 0:
                state[c] = 1
                stack.append((c, True))
                for parent in parents[c]:
                    if not 0 <= parent < number:
                        raise ManylabelError(f"class {c} has the parent {parent}; there are {number} classes")
                    if state[parent] == 1:
                        raise ManylabelError(f"class {c} is its own ancestor: its parent {parent} lies below it")
                    stack.append((parent, False))
    return closure


def close_up(decisions: NDArray[np.bool_], parents: Parents) -> NDArray[np.bool_]:
    """(N, C) decisions with the ancestors of every present class present too.

    >>> close_up(np.array([[False, False, True]]), [[], [0], [1]])
    array([[ True,  True,  True]])
    """
    return np.asarray(np.asarray(decisions, np.float32) @ ancestors(parents).astype(np.float32) > 0)


def close_down(decisions: NDArray[np.bool_], parents: Parents) -> NDArray[np.bool_]:
    """(N, C) decisions without the classes one of whose ancestors is absent.

    >>> close_down(np.array([[True, False, True]]), [[], [0], [1]])
    array([[ True, False, False]])
    """
    missing = ~np.asarray(decisions, np.bool_)
    return np.asarray(missing.astype(np.float32) @ ancestors(parents).T.astype(np.float32) == 0)


def coherent(scores: NDArray[np.floating], parents: Parents) -> NDArray[np.floating]:
    """(N, C) scores raised so that no class exceeds its ancestors: each the highest of itself and its descendants.

    The max constraint module of Giunchiglia and Lukasiewicz (NeurIPS 2020): one threshold then respects the hierarchy.

    >>> coherent(np.array([[0.2, 0.1, 0.9]]), [[], [0], [1]])
    array([[0.9, 0.9, 0.9]])
    """
    above = ancestors(parents)
    result = np.array(scores, copy=True)
    for a in range(above.shape[1]):
        below = np.flatnonzero(above[:, a])
        result[:, a] = np.asarray(scores)[:, below].max(axis=1)
    return result
