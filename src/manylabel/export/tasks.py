"""What a labelling tool asks a person about an image: predictions, or labels that are likely wrong.

Neither is a label. Every task carries a line of text, `Task.note`, that comes back with whatever the tool exports, so
that it is known which image was meant, which labels were shown and what was suggested (`export.returned`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manylabel.audits.findings import WORDS, Finding
from manylabel.labels import ABSENT, PRESENT, LabelTable, ManylabelError
from manylabel.prediction import Prediction

SIGN = "manylabel "  # before the JSON of a note: without it a CSV's reader would take the cell for an answer
BAR = "\\u007c"  # texts of one image's tasks are joined by bars
HALF = 0.5  # the threshold of rules that have none
OF_FINDING = ("rank", "given", "confidence", "image_quality", "reasons", "category", "severity")


@dataclass(frozen=True)
class Asked:
    """One label that is suggested.

    Arguments:
        label: its name.
        suggested: "present" or "absent".
        probability: of the model that it is present, in [0, 1]; NaN where it is not known.
        unsure: whether a person should look at this label first.
        finding: the suspected error that it is, where it is one.
    """

    label: str
    suggested: str
    probability: float = float("nan")
    unsure: bool = False
    finding: Finding | None = None

    @property
    def said(self) -> str:
        """For the annotator."""
        if self.finding is not None:
            verb = "add" if self.suggested == WORDS[PRESENT] else "remove"
            return f"{verb} {self.label}? {self.finding.reasons} ({self.finding.category}, {self.finding.severity})"
        return f"{self.label} {100 * self.probability:.0f} %"

    def as_dict(self) -> dict[str, Any]:
        """What of it must come back."""
        own: dict[str, Any] = {"label": self.label, "suggested": self.suggested}
        if self.finding is None:
            return {**own, "probability": round(self.probability, 6)}
        whole = asdict(self.finding)
        return {**own, **{name: whole[name] for name in OF_FINDING}}


@dataclass(frozen=True)
class Task:
    """One image to be looked at.

    Arguments:
        image: its id, as the labels or the command line call it.
        path: its file.
        given: its present labels; None where there are none to speak of: not given, or nobody judged it.
        asked: what is suggested.
        certainty: in [0, 1]; the lower, the sooner a person should look.
    """

    image: str
    path: str
    given: tuple[str, ...] | None
    asked: tuple[Asked, ...]
    certainty: float

    @property
    def proposed(self) -> list[str]:
        """The labels of the image if every suggestion is right."""
        wrong = {one.label for one in self.asked if one.suggested == WORDS[ABSENT]}
        right = [one.label for one in self.asked if one.suggested == WORDS[PRESENT]]
        return list(dict.fromkeys([*(name for name in self.given or () if name not in wrong), *right]))

    @property
    def said(self) -> str:
        """For the annotator: what to look at first, and why."""
        if any(one.finding for one in self.asked):
            parts = [one.said for one in self.asked]
        else:
            unsure, sure = ([one.said for one in self.asked if one.unsure is this] for this in (True, False))
            parts = [f"Look first: {', '.join(unsure)}"] if unsure else []
            parts += [f"Predicted: {', '.join(sure)}"] if sure else []
        parts += [] if self.given is None else [f"Labels so far: {', '.join(self.given) or 'none'}"]
        return ". ".join(parts) or "Nothing predicted"

    @property
    def note(self) -> str:
        """One line that says all of it to `read_note`."""
        given = None if self.given is None else list(self.given)
        about = {"image": self.image, "given": given, "asked": [one.as_dict() for one in self.asked]}
        return SIGN + json.dumps(about, ensure_ascii=False).replace("|", BAR)


@dataclass(frozen=True)
class Note:
    """What a task said, as it came back: see `Task`."""

    image: str
    given: tuple[str, ...] | None
    asked: tuple[Asked, ...]


def read_note(text: str) -> Note | None:
    """What `Task.note` wrote, of all tasks of the image; None where the text is none.

    >>> task = Task("a.jpg", "a.jpg", ("cat",), (Asked("dog", "present", 0.75),), 1.0)
    >>> read_note(task.note) == Note("a.jpg", ("cat",), task.asked), read_note("sunny")
    (True, None)
    """
    try:
        notes = [_note(json.loads(part.removeprefix(SIGN))) for part in text.split("|") if part.startswith(SIGN)]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ManylabelError(f"what manylabel wrote of a task was changed and cannot be read: {text[:80]!r}") from None
    if not notes:
        return None
    given = [one.given for one in notes if one.given is not None]
    asked = {one.label: one for note in notes for one in note.asked}
    return Note(notes[0].image, given[-1] if given else None, tuple(asked.values()))


def _note(about: dict[str, Any]) -> Note:
    image, given = str(about["image"]), about["given"]
    asked = tuple(_asked(image, one) for one in about["asked"])
    return Note(image, None if given is None else tuple(map(str, given)), asked)


def _asked(image: str, one: dict[str, Any]) -> Asked:
    if one["suggested"] not in (WORDS[PRESENT], WORDS[ABSENT]):
        raise ValueError(one["suggested"])
    if "rank" not in one:
        return Asked(str(one["label"]), one["suggested"], float(one["probability"]))
    return _suspected(
        Finding(image=image, label=str(one["label"]), suggested=one["suggested"], **{k: one[k] for k in OF_FINDING})
    )


def of_prediction(
    prediction: Prediction, *, path: str = "", margin: float = 0.2, given: Sequence[str] | None = None
) -> Task:
    """The named labels of an image, and those that nearly were or nearly were not.

    Arguments:
        prediction: of an image that could be read.
        path: its file, by default its name.
        margin: share of the way from the threshold to 0 or 1 within which a probability leaves its label uncertain.
            A share, for thresholds of rare classes are small, and what is far below them is certain all the same.
        given: the present labels it has already.

    >>> one = Prediction("a.jpg", ("cat",), {"cat": 0.9, "dog": 0.45}, {"cat": 0.5, "dog": 0.5})
    >>> task = of_prediction(one)
    >>> task.proposed, task.said, round(task.certainty, 2)
    (['cat'], 'Look first: dog 45 %. Predicted: cat 90 %', 0.1)
    """
    named = set(prediction.labels)
    sure = {n: certainty(p, prediction.thresholds.get(n, HALF)) for n, p in prediction.probabilities.items()}
    asked = [
        Asked(name, WORDS[PRESENT if name in named else ABSENT], p, sure[name] <= margin)
        for name, p in prediction.probabilities.items()
        if name in named or sure[name] <= margin
    ]
    own = None if given is None else tuple(given)
    return Task(prediction.image, path or prediction.image, own, tuple(asked), min(sure.values(), default=1.0))


def certainty(probability: float, threshold: float) -> float:
    """How far a probability lies from its threshold, as a share of the way to 0 or 1: 0 at it, 1 at the end.

    >>> certainty(0.75, 0.5), certainty(0.5, 0.5), certainty(0.0, 0.02), certainty(1.0, 1.0)
    (0.5, 0.0, 1.0, 1.0)
    """
    way = threshold if probability < threshold else 1 - threshold
    return abs(probability - threshold) / way if way > 0 else 1.0


def of_findings(found: Iterable[Finding], table: LabelTable, paths: Mapping[str, str]) -> list[Task]:
    """A task for each image with suspected errors, the strongest first.

    Arguments:
        found: from `audits.findings.find`.
        table: the labels that were audited.
        paths: image -> its file, where that is known.
    """
    by_image: dict[str, list[Finding]] = {}
    for one in sorted(found, key=lambda finding: finding.rank):
        by_image.setdefault(one.image, []).append(one)
    rows = {image: row for row, image in enumerate(table.ids)}
    state = table.state
    return [
        Task(image, paths.get(image, image), present(table.names, state[rows[image]]),
             tuple(map(_suspected, own)), own[0].confidence)
        for image, own in by_image.items()
    ]  # fmt: skip


def _suspected(finding: Finding) -> Asked:
    p = finding.confidence if finding.given == WORDS[PRESENT] else 1 - finding.confidence
    return Asked(finding.label, finding.suggested, p, unsure=True, finding=finding)


def present(names: Sequence[str], state: Any) -> tuple[str, ...] | None:
    """The present ones of classes whose states (C,) are given; None where nobody judged any."""
    return tuple(names[c] for c in (state == PRESENT).nonzero()[0]) if state.any() else None


def by_certainty(tasks: Iterable[Task]) -> list[Task]:
    """The least certain first; equals stay in their order."""
    return sorted(tasks, key=lambda task: task.certainty)


@contextmanager
def json_list(file: Path, before: str, after: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A JSON file that is a list between `before` and `after`; gives what appends an element, one a line.

    Names of files may be no text: what of them is none is written as JSON's escapes.
    """
    with file.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(before)
        starts = itertools.chain(["\n"], itertools.repeat(",\n"))

        def append(element: dict[str, Any]) -> None:
            stream.write(next(starts) + json.dumps(element, ensure_ascii=False))

        try:
            yield append
        finally:
            stream.write(f"\n{after}\n")
