"""What lies beside the table, summed up, and what is wrong with it: soft values, votes, candidates, boxes, reviewed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.beside import Cells
from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.agreement import Agreement, agreement
from manylabel.data.doctoring.counts import Counts
from manylabel.data.doctoring.finding import KEPT, Example, Finding, many, of_classes, of_rows
from manylabel.labels import ABSENT, LabelTable

SLACK = 1e-3  # share of an image by which a box may stand out: a rounding of pixels
LOW, GAP, ENOUGH = 0.2, 0.15, 20  # alpha of chance, share below the others, comparisons
Json = dict[str, Any]


def summary(dataset: Dataset) -> Json:
    """Numbers on what lies beside the table, by the names of `Beside`; {} where there is nothing."""
    beside, said = dataset.beside, Json()
    if (soft := beside.soft) is not None:
        counts = np.histogram(np.clip(soft.values.astype(float), 0, 1), 10, (0, 1))[0]
        said["soft"] = {"cells": len(soft), "mean": _round(soft.values.mean()), "histogram": counts.tolist()}
    if (votes := beside.votes) is not None:
        found = agreement(votes, beside.annotators, len(dataset.labels.names))
        said["votes"] = {"votes": len(votes), "annotators": len(beside.annotators), **found.as_dict()}
    if (candidates := beside.candidates) is not None:
        each = np.bincount(candidates.rows, minlength=len(dataset))
        said["candidates"] = {
            "cells": len(candidates), "images": int((each > 0).sum()), "mean": _round(each[each > 0].mean())
        }  # fmt: skip
    if (boxes := beside.boxes) is not None:
        said["boxes"] = {
            "boxes": len(boxes), "images": len(np.unique(boxes.rows)), "classes": len(np.unique(boxes.columns))
        }  # fmt: skip
    if beside.reviewed is not None:
        said["reviewed"] = {"reviewed": int(beside.reviewed.sum()), "not_reviewed": int((~beside.reviewed).sum())}
    if beside.sizes is not None:
        said["sizes"] = {"images": int((beside.sizes > 0).all(axis=1).sum())}
    for name in ("parents", "aliases", "provenance"):
        if len(part := getattr(beside, name)):
            said[name] = {"entries": len(part)}
    return said


def _round(value: Any) -> float:
    return round(float(value), 4)


def about_beside(dataset: Dataset, counts: Counts) -> list[Finding]:
    """All findings on what lies beside the table."""
    beside, found = dataset.beside, list[Finding]()
    if beside.soft is not None:
        found += _soft(dataset, beside.soft)
    if beside.votes is not None:
        found += _votes(dataset, beside.votes)
    if beside.candidates is not None:
        found += _candidates(dataset, beside.candidates, counts)
    if beside.boxes is not None:
        found += _boxes(dataset, beside.boxes)
    if beside.reviewed is not None:
        found += _reviewed(dataset, beside.reviewed, counts)
    both = sorted(set(beside.aliases) & set(dataset.labels.names))
    if both:
        text = f"{many(len(both), 'class is', 'classes are')} said to be another name of another class"
        said = [f"{name} is {beside.aliases[name]}" for name in both]
        found.append(Finding("alias", "warning", text, len(both), of_classes(said), "Join them with --rename OLD=NEW."))
    return found


def states_at(table: LabelTable, cells: Cells) -> NDArray[np.int8]:
    """(E,) the table's state at each fact."""
    if table.is_sparse:
        return table.sparse.state(cells.rows, cells.columns)
    state: NDArray[np.int8] = table.state[cells.rows, cells.columns]
    return state


def _of_cells(
    dataset: Dataset, cells: Cells, chosen: NDArray[np.bool_], kind: str, severity: str, words: tuple[str, str, str]
) -> list[Finding]:
    """A finding on some facts; `words` are what one is, what several are, and what to do."""
    where = np.flatnonzero(chosen)
    if not len(where):
        return []
    said = [dataset.labels.names[cells.columns[k]] for k in where[:KEPT]]
    examples = of_rows(dataset, (int(cells.rows[k]) for k in where[:KEPT]), said)
    return [Finding(kind, severity, many(len(where), *words[:2]), len(where), examples, words[2])]


def _soft(dataset: Dataset, soft: Cells) -> list[Finding]:
    values = soft.values.astype(np.float64)
    return _of_cells(dataset, soft, ~((values >= 0) & (values <= 1)), "soft_range", "error",
                     ("soft value is outside 0 ... 1", "soft values are outside 0 ... 1",
                      "They are shares: divide percentages by 100."))  # fmt: skip


def _votes(dataset: Dataset, votes: Cells) -> list[Finding]:
    table, names = dataset.labels, dataset.beside.annotators
    found = agreement(votes, names, len(table.names))
    states = np.asarray(votes.values)[:, 1].astype(np.int64)
    key, place = np.unique(votes.rows * len(table.names) + votes.columns, return_inverse=True)
    sums = np.bincount(place, weights=states, minlength=len(key))
    voters = np.bincount(place, weights=states != 0, minlength=len(key))
    cell = Cells(key // len(table.names), key % len(table.names), np.zeros((len(key), 0)))
    outvoted = (voters > 0) & (np.abs(sums) == voters) & (np.sign(sums) == -states_at(table, cell))
    said = _of_cells(dataset, cell, outvoted, "against_votes", "warning",
                     ("label is against all its votes", "labels are against all their votes",
                      "Correct them, or say in the file why the votes were overruled."))  # fmt: skip
    return [*said, *_annotators(found)]


def _annotators(found: Agreement) -> list[Finding]:
    said = []
    if found.alpha is not None and found.alpha < LOW and found.comparisons >= ENOUGH:
        text = f"Annotators agree hardly more than by chance (Krippendorff's alpha {found.alpha:.2f})"
        do = "Say more clearly what counts as present, and let them judge some images again."
        said.append(Finding("disagreement", "warning", text, found.comparisons, [], do))
    apart = [
        Example(said=f"{name} agrees in {share:.0%} of {n:,} comparisons")
        for name, share, n in found.annotators
        if share is not None and n >= ENOUGH and found.share is not None and share < found.share - GAP
    ]
    if apart:
        text = f"{many(len(apart), 'annotator agrees', 'annotators agree')} less with the others than those do"
        do = f"All together agree in {found.share:.0%}; look at the votes of these before you count them."
        said.append(Finding("annotator", "warning", text, len(apart), apart, do))
    return said


def _candidates(dataset: Dataset, candidates: Cells, counts: Counts) -> list[Finding]:
    each = np.bincount(candidates.rows, minlength=len(dataset))
    alone = np.flatnonzero((each == 1) & (counts.labels == 0))
    if not len(alone):
        return []
    text = f"{many(len(alone), 'image has', 'images have')} a single candidate"
    do = "At least one candidate is present, so this one is: write it as present."
    return [Finding("single_candidate", "note", text, len(alone), of_rows(dataset, alone.tolist()), do)]


def _boxes(dataset: Dataset, boxes: Cells) -> list[Finding]:
    x, y, width, height = np.asarray(boxes.values, np.float64).T
    flat = ~((width > 0) & (height > 0))
    outside = ~flat & ~((x >= -SLACK) & (y >= -SLACK) & (x + width <= 1 + SLACK) & (y + height <= 1 + SLACK))
    whole = np.column_stack([boxes.rows, boxes.columns, np.asarray(boxes.values, np.float64)])
    first = np.unique(whole, axis=0, return_index=True)[1]
    again = np.ones(len(boxes), bool)
    again[first] = False
    absent = states_at(dataset.labels, boxes) == ABSENT
    each: Iterable[tuple[NDArray[np.bool_], str, str, tuple[str, str, str]]] = (
        (flat, "flat_box", "error", ("box has no area", "boxes have no area", "Draw or remove them.")),
        (outside, "box_outside", "warning", ("box stands out of its image", "boxes stand out of their images",
         "Look whether they were drawn on a picture of another size.")),
        (again, "same_box", "note", ("box is there twice", "boxes are there twice", "Remove the copies.")),
        (absent, "box_absent", "error", ("box is of a class that is absent", "boxes are of classes that are absent",
         "Correct the label, or remove the box.")),
    )  # fmt: skip
    return [one for chosen, kind, grave, words in each for one in _of_cells(dataset, boxes, chosen, kind, grave, words)]


def _reviewed(dataset: Dataset, reviewed: NDArray[np.bool_], counts: Counts) -> list[Finding]:
    waiting = np.flatnonzero(~reviewed)
    if not len(waiting):
        return []
    text = f"{many(len(waiting), 'image is', 'images are')} not yet reviewed"
    do = "That they have no label does not mean that nothing is there; label them, or leave them unknown."
    found = [Finding("not_reviewed", "note", text, len(waiting), of_rows(dataset, waiting.tolist()), do)]
    sure = waiting[(counts.known[waiting] == len(dataset.labels.names)) & (counts.labels[waiting] == 0)]
    if len(sure):
        text = f"{many(len(sure), 'image', 'images')} nobody reviewed, with every class known to be absent"
        do = "Nobody looked, so nothing is known: make these cells unknown (blank)."
        found.append(Finding("absent_unreviewed", "error", text, len(sure), of_rows(dataset, sure.tolist()), do))
    return found
