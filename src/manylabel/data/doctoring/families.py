"""Labels against a hierarchy: a class that is present while one above it is known to be absent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.finding import KEPT, Finding, many, of_classes, of_rows
from manylabel.labels import ABSENT, LabelTable

Pairs = Sequence[tuple[str, str]]
Above = dict[str, set[str]]


def above_each(pairs: Pairs) -> tuple[Above, list[str]]:
    """Of each class all that lie above it, and the classes that lie above themselves.

    >>> above, circles = above_each([("cat", "feline"), ("feline", "animal")])
    >>> sorted(above["cat"]), circles
    (['animal', 'feline'], [])
    """
    direct: Above = defaultdict(set)
    for child, parent in pairs:
        direct[child].add(parent)
    above: Above = {}
    for child in list(direct):
        found, waiting = set[str](), list(direct[child])
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting += direct.get(parent, ())
        above[child] = found
    return above, sorted(child for child, found in above.items() if child in found)


def violations(table: LabelTable, above: Above) -> tuple[NDArray[np.int64], list[tuple[str, str]]]:
    """(V,) rows and (class, class above it) of each cell that is present although one above is absent, by row.

    As `audits.cooccurrence.hierarchy_violations`, for lists of labels too.
    """
    place = {name: c for c, name in enumerate(table.names)}
    steps = [(place[child], place[a]) for child, found in above.items() if child in place for a in found if a in place]
    rows, columns = table.positives
    wanted = np.isin(columns, [child for child, _ in steps])
    rows, columns = rows[wanted], columns[wanted]
    order = np.argsort(columns, kind="stable")
    rows, columns = rows[order], columns[order]
    found: list[tuple[int, int, int]] = []
    for child, parent in steps:
        own = rows[np.searchsorted(columns, child) : np.searchsorted(columns, child, side="right")]
        state = table.sparse.state(own, parent) if table.is_sparse else table.state[own, parent]
        found += [(int(row), child, parent) for row in own[state == ABSENT]]
    found.sort()
    said = [(table.names[child], table.names[parent]) for _, child, parent in found]
    return np.array([row for row, *_ in found], np.int64), said


def about_families(dataset: Dataset, pairs: Pairs) -> list[Finding]:
    """Findings on a hierarchy given as (class, parent) pairs, and on the labels that break it."""
    if not pairs:
        return []
    above, circles = above_each(pairs)
    found = []
    if circles:
        text = f"{many(len(circles), 'class lies', 'classes lie')} above themselves in the hierarchy"
        found.append(Finding("circle", "error", text, len(circles), of_classes(circles), "Take out one of the pairs."))
    rows, said = violations(dataset.labels, {c: parents - {c} for c, parents in above.items()})
    if len(rows):
        text = f"{many(len(rows), 'label contradicts', 'labels contradict')} the hierarchy"
        words = [f"{child} without {parent}" for child, parent in said[:KEPT]]
        do = "Add the broader class: manylabel convert DATA OUT --hierarchy FILE does so where absent means not listed."
        found.append(
            Finding("hierarchy", "warning", text, len(rows), of_rows(dataset, rows[:KEPT].tolist(), words), do)
        )
    names = set(dataset.labels.names)
    strange = sorted({name for pair in pairs for name in pair} - names - set(dataset.beside.aliases))
    if strange and len(names & set(above)) < len(above):
        text = f"{many(len(strange), 'name of the hierarchy is', 'names of the hierarchy are')} no class of the labels"
        do = "They pass on what lies above them; correct them if they are misspelt."
        found.append(Finding("hierarchy_names", "note", text, len(strange), of_classes(strange), do))
    return found
