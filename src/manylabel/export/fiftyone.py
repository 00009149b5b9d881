"""A FiftyOne data set of suggestions: what is predicted or suspected beside the labels, never among them.

The layout is that of `data.formats.fiftyone`, whose reader takes `ground_truth` for the labels; that field is always
there, null where no labels are given, so that predictions are never read in its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manylabel.audits.findings import WORDS
from manylabel.data.formats._fiftyone_write import FIELD, NUMBER, TEXT, labels_of, metadata
from manylabel.export.tasks import Asked, Task, json_list
from manylabel.labels import PRESENT, ManylabelError
from manylabel.parts.files import drafted

PREDICTIONS, UNCERTAIN, SUSPECTED = "predictions", "uncertain", "suspected"
SUGGESTED = (PREDICTIONS, UNCERTAIN, SUSPECTED)


@contextmanager
def writing(
    folder: Path, classes: Sequence[str], *, source: str, errors: bool = False
) -> Iterator[Callable[[Task], None]]:
    """Write metadata.json and samples.json; gives what adds a task.

    Photographs stay where they are and are named relative to the folder. An error leaves no folder; after Ctrl-C it
    holds the samples that were added.

    Arguments:
        folder: to make.
        classes: all there are.
        source: what made the suggestions, noted in the data set's `info`.
        errors: whether suspected errors are suggested (field `suspected`), or predictions (`predictions`, the named
            labels, and `uncertain`, those that nearly were).

    Raises ManylabelError where it exists.
    """
    check(folder)
    fields = (FIELD, SUSPECTED) if errors else (FIELD, PREDICTIONS, UNCERTAIN)
    extra = {"said": TEXT, "priority": NUMBER, "asked": TEXT}
    about = metadata(folder.name, dict.fromkeys(fields, "Classifications"), extra, classes)
    about["info"] = {"suggestions": source}
    with drafted(folder) as draft:
        draft.mkdir(exist_ok=True)
        (draft / "metadata.json").write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")
        with json_list(draft / "samples.json", '{"samples": [', "]}") as append:
            yield lambda task: append(_sample(task, folder.absolute(), errors))


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
