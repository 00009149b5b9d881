"""What people decided in a labelling tool, image by image: an export read beside what its tasks had said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.findings import STATES, WORDS
from manylabel.data.dataset import Dataset, tidy
from manylabel.data.formats import fiftyone, label_studio
from manylabel.data.formats._fiftyone_labels import is_label, of_field
from manylabel.data.formats._fiftyone_write import FIELD
from manylabel.data.formats._label_studio_csv import is_export, lines
from manylabel.data.formats._label_studio_said import who
from manylabel.data.json_items import elements
from manylabel.data.source import Source
from manylabel.export.fiftyone import SUGGESTED
from manylabel.export.tasks import Asked, Note, read_note
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.scores.join import IMAGES, match

VERDICTS = {"accept": "accept", "accepted": "accept", "reject": "reject", "rejected": "reject", "unknown": "unknown"}
"""Tags of FiftyOne that decide, in any capitals."""


@dataclass(frozen=True)
class Answer:
    """What was decided of one image.

    Arguments:
        image: its id in the export, or as the task called it.
        asked: what was suggested.
        decided: label -> state; "unknown" too is a decision.
        who: by whom, for the reasons; "" where nobody has looked at the image.
        contested: labels on which as many people said yes as no.
        given: labels that were shown as present.
    """

    image: str
    asked: tuple[Asked, ...]
    decided: dict[str, int]
    who: str
    contested: frozenset[str] = frozenset()
    given: tuple[str, ...] = ()


def tool_of(path: Path) -> str | None:
    """ "Label Studio" or "FiftyOne" where a file or folder is an export of it."""
    if not path.exists():
        return None
    source = Source(path)
    if label_studio.clue(source) is not None:
        return "Label Studio"
    return "FiftyOne" if fiftyone.clue(source) is not None else None


def of_label_studio(path: Path, export: Dataset, labels: LabelTable) -> Iterator[Answer]:
    """Where a person annotated, what was chosen is present, what was shown and not chosen absent.

    Arguments:
        path: the file that `export` was read from.
        labels: those of before, for tasks that say nothing of what they showed.
    """
    people, names, reviewed = _people(path, export), export.labels.names, export.beside.reviewed
    columns, state = {name: c for c, name in enumerate(names)}, export.labels.state
    for row, note in enumerate(_notes(export, labels)):
        if reviewed is not None and not reviewed[row]:
            yield Answer(note.image, note.asked, {}, "")
            continue
        chosen, contested = ([names[c] for c in np.flatnonzero(state[row] == s)] for s in (PRESENT, UNKNOWN))
        shown = [*(note.given or ()), *(one.label for one in note.asked)]
        left = [name for name in shown if name not in columns or state[row, columns[name]] == ABSENT]
        decided = dict.fromkeys(chosen, PRESENT) | dict.fromkeys(left, ABSENT)
        by = " and ".join(people.get(row, ())) or "the annotator"
        yield Answer(note.image, note.asked, decided, f"{by} in Label Studio", frozenset(contested))


def _notes(export: Dataset, labels: LabelTable) -> Iterator[Note]:
    """What each image's task said; of tasks that others made, that the present labels were shown.

    Of those only what the export has a class for: a class that nobody could choose was not judged.
    """
    cells = export.columns.get("asked", np.full(len(export), ""))
    rows, there = match(export.labels.ids, labels.ids, IMAGES)[0], set(export.labels.names)
    state = labels.state
    for image, text, row in zip(export.labels.ids, cells.tolist(), rows.tolist()):
        shown = () if row < 0 else (labels.names[c] for c in np.flatnonzero(state[row] == PRESENT))
        yield read_note(text) or Note(image, tuple(name for name in shown if name in there), ())


def _people(path: Path, export: Dataset) -> dict[int, list[str]]:
    """Row -> who annotated it."""
    found: dict[int, dict[str, None]] = {}
    votes = export.beside.votes
    for row, (voter, _) in zip(votes.rows.tolist(), votes.values.tolist()) if votes is not None else ():
        found.setdefault(row, {})[export.beside.annotators[voter]] = None
    source, rows = Source(path), {line: row for row, line in enumerate(export.lines)}
    tasks = [source.json] if "data" in source.top else elements(path) if source.looks_json else ()
    for number, task in lines(path, leave=False) if is_export(source) else enumerate(tasks, 1):
        row = rows.get(number, -1)
        if row >= 0 and row not in found:
            found[row] = dict.fromkeys(_annotators(task))
    return {row: [f"annotator {n}" if n.isdigit() else n for n in people] for row, people in found.items()}


def _annotators(task: dict[str, Any]) -> Iterator[str]:
    annotations = task.get("annotations") or task.get("completions") or []
    if "annotation_id" in task:
        annotations = [{"completed_by": task.get("annotator")}]
    for k, one in enumerate(annotations, 1):
        if not one.get("was_cancelled") and not one.get("skipped"):
            yield who(one, k)


def of_fiftyone(path: Path, export: Dataset, labels: LabelTable) -> Iterator[Answer]:
    """What tags of samples and suggestions decide, and what of the ground truth is no longer what was written.

    Arguments are those of `of_label_studio`.
    """
    file = path / "samples.json" if path.is_dir() else path
    notes, rows = list(_notes(export, labels)), {line: row for row, line in enumerate(export.lines)}
    names, states = export.labels.names, export.labels.state
    for number, sample in enumerate(elements(file, "samples"), 1):
        if number not in rows:
            continue
        row = rows[number]
        note, where = notes[row], f"{file}, sample {number}"
        judged = export.beside.reviewed is None or export.beside.reviewed[row]
        decided = _edited(names, states[row], note) if judged else {}
        for name, state in _tagged(sample, note, where).items():
            if decided.setdefault(name, state) != state:
                raise ManylabelError(
                    f"{where}: by its tag {name!r} is {WORDS[state]}, by the ground truth {WORDS[decided[name]]};"
                    " keep one of them"
                )
        who = "the annotator in FiftyOne" if decided else ""
        yield Answer(note.image, note.asked, decided, who, given=note.given or ())


def _edited(names: Sequence[str], state: NDArray[np.int8], note: Note) -> dict[str, int]:
    """What was added to the ground truth of a sample, whose states (C,) are given, and taken from it."""
    before = note.given or ()
    here, gone = ({names[c] for c in np.flatnonzero(state == s).tolist()} for s in (PRESENT, ABSENT))
    gone |= set(before) - set(names)
    return dict.fromkeys(sorted(here - set(before)), PRESENT) | {n: ABSENT for n in before if n in gone}


def _tagged(sample: dict[str, Any], note: Note, where: str) -> dict[str, int]:
    """What tags say of labels; a sample's are for all that is suspected or predicted and has no tag of its own.

    To accept a label is to say that it is there, unless the label is suspected not to be. One of the ground truth that
    is rejected is not there.
    """
    own = dict(verdict for name in SUGGESTED for verdict in _verdicts(sample, name, where))
    whole, decided = _verdict(sample.get("tags"), where), {}
    for asked in note.asked:
        suggested = PRESENT if asked.finding is None else STATES[asked.suggested]
        if verdict := own.get(asked.label) or (whole if STATES[asked.suggested] == suggested else ""):
            decided[asked.label] = {"accept": suggested, "reject": -suggested, "unknown": UNKNOWN}[verdict]
    for name, verdict in _verdicts(sample, FIELD, where):
        state = {"accept": PRESENT, "reject": ABSENT, "unknown": UNKNOWN}[verdict] if verdict else None
        if state is not None and decided.setdefault(name, state) != state:
            raise ManylabelError(
                f"{where}: {name!r} is {WORDS[state]} by its tag in the ground truth, {WORDS[decided[name]]} by that of"
                " the suggestion; keep one of them"
            )
    return decided


def _verdicts(sample: dict[str, Any], field: str, where: str) -> Iterator[tuple[str, str]]:
    """The label and verdict of each label of a field; the verdict is "" where no tag decides."""
    for one in of_field(sample[field]) if is_label(sample.get(field)) else ():
        label = tidy(str(one.get("label")))
        yield label, _verdict(one.get("tags"), f"{where}, {field}, {label!r}")


def _verdict(tags: Any, where: str) -> str:
    words = [tag.strip().lower() for tag in tags or () if isinstance(tag, str)]
    found = {VERDICTS[word] for word in words if word in VERDICTS}
    if len(found) > 1:
        raise ManylabelError(f"{where}: the tags {' and '.join(sorted(found))} contradict each other; keep one")
    return next(iter(found), "")
