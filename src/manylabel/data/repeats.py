"""Several rows about one image become one: the known wins over the unknown, and 1 against 0 is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ABSENT, PRESENT, ManylabelError

CONFLICTS = ("error", "unknown")
DISAGREE = "Rows of one image disagree"


def groups(keys: Sequence[str]) -> list[list[int]]:
    """The rows of each key, keys in order of first appearance."""
    found: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        found.setdefault(key, []).append(row)
    return list(found.values())


def merge_labels(
    state: NDArray[np.int8], grouped: list[list[int]]
) -> tuple[NDArray[np.int8], list[tuple[list[int], NDArray[np.intp]]]]:
    """((M, C) one row per group, and for each group in conflict its rows and the classes).

    A known cell wins over an unknown one; present against absent is a conflict and left unknown.
    """
    merged = state[[rows[0] for rows in grouped]]
    conflicts = []
    for g, rows in enumerate(grouped):
        if len(rows) > 1:
            present, absent = (state[rows] == PRESENT).any(axis=0), (state[rows] == ABSENT).any(axis=0)
            merged[g] = present.astype(np.int8) - absent  # +1, -1, or 0 for neither and for both
            if (present & absent).any():
                conflicts.append((rows, np.flatnonzero(present & absent)))
    return merged, conflicts


def settle(source: Path, conflicts: list[str], *, rule: str) -> list[str]:
    """Raise on conflicts, or with rule "unknown" the note that says which cells were made unknown."""
    if not conflicts:
        return []
    said = "; ".join(conflicts[:5]) + (f"; and {len(conflicts) - 5} more images" if len(conflicts) > 5 else "")
    if rule == "error":
        raise ManylabelError(
            f"{source}: rows of one image disagree, one says present and another absent: {said}."
            ' Correct the file, or make these cells unknown with --conflicts unknown (Python: conflicts="unknown")'
        )
    return [f"{DISAGREE}; the cells were made unknown: {said}."]


def merge_text(cells: list[str], grouped: list[list[int]]) -> tuple[list[str], int]:
    """One text per group: the rows' different values joined by |; and in how many groups they differed."""
    joined, differing = [], 0
    for rows in grouped:
        values = list(dict.fromkeys(cells[r] for r in rows)) if len(rows) > 1 else [cells[rows[0]]]
        differing += len(values) > 1
        joined.append("|".join(values))
    return joined, differing
