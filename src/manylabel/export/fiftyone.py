"""A FiftyOne data set of suggestions: what is predicted or suspected beside the labels, never among them.

The layout is that of `data.formats.fiftyone`, whose reader takes `ground_truth` for the labels; that field is always
there, null where no labels are given, so that predictions are never read in its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from manylabel.audits.findings import WORDS
from manylabel.data.formats._fiftyone_write import FIELD, NUMBER, TEXT, labels_of, metadata
from manylabel.export.tasks import Asked, Task
from manylabel.labels import PRESENT, ManylabelError

PREDICTIONS, UNCERTAIN, SUSPECTED = "predictions", "uncertain", "suspected"
SUGGESTED = (PREDICTIONS, UNCERTAIN, SUSPECTED)


def write(
    folder: Path, tasks: Iterable[Task], classes: Sequence[str], *, source: str, errors: bool = False
) -> list[str]:
    """Write metadata.json and samples.json; photographs stay where they are and are named relative to the folder.

    Arguments:
        folder: to make.
        tasks: in the order in which the samples stand.
        classes: all there are.
        source: what made the suggestions, noted in the data set's `info`.
        errors: whether suspected errors are suggested (field `suspected`), or predictions (`predictions`, the named
            labels, and `uncertain`, those that nearly were).

    Returns a line on the folder. Raises ManylabelError where it exists.
    """
    check(folder)
    folder.mkdir(parents=True)
    fields = (FIELD, SUSPECTED) if errors else (FIELD, PREDICTIONS, UNCERTAIN)
    extra = {"said": TEXT, "priority": NUMBER, "asked": TEXT}
    about = metadata(folder.name, dict.fromkeys(fields, "Classifications"), extra, classes)
    about["info"] = {"suggestions": source}
    (folder / "metadata.json").write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")
    written = 0
    with (folder / "samples.json").open("x", encoding="utf-8") as stream:
        stream.write('{"samples": [')
        for written, task in enumerate(tasks, 1):
            sample = _sample(task, folder.absolute(), errors)
            stream.write(("\n" if written == 1 else ",\n") + json.dumps(sample, ensure_ascii=False))
        stream.write("\n]}\n")
    return [f"{written:,} samples for FiftyOne: {folder}"]


def check(folder: Path) -> None:
    """Nothing is ever written over."""
    if folder.exists():
        raise ManylabelError(f"{folder} exists already; give another name, or remove it first")


def _sample(task: Task, folder: Path, errors: bool) -> dict[str, Any]:
    path = os.path.relpath(Path(task.path).absolute(), folder).replace(os.sep, "/")
    tags = ["uncertain"] if not errors and any(one.unsure for one in task.asked) else []
    about = {"said": task.said, "priority": round(1 - task.certainty, 6), "asked": task.note}
    truth = None if task.given is None else labels_of("Classification", [{"label": name} for name in task.given])
    named = [one for one in task.asked if one.suggested == WORDS[PRESENT]]
    fields = {SUSPECTED: list(task.asked)} if errors else {
        PREDICTIONS: named, UNCERTAIN: [one for one in task.asked if one not in named],
    }  # fmt: skip
    made = {name: labels_of("Classification", [_label(one) for one in asked]) for name, asked in fields.items()}
    return {"filepath": path, "tags": tags, "metadata": None, **about, FIELD: truth, **made}


def _label(one: Asked) -> dict[str, Any]:
    own: dict[str, Any] = {"label": one.label, "confidence": round(one.probability, 6), "tags": []}
    if one.finding is None:
        return {**own, "unsure": one.unsure}
    return {**own, "suggested": one.suggested, "category": one.finding.category, "severity": one.finding.severity,
            "reasons": one.finding.reasons}  # fmt: skip
