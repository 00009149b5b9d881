"""What comes back from a labelling tool, as a review of the labels there are.

A cell that nobody was shown and nobody chose stays as it was: an annotator who was not asked about a class has not
said that it is absent. (`manylabel convert` reads an export the other way: what was not chosen is absent.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manylabel import data
from manylabel.audits import told
from manylabel.audits.findings import WORDS, Finding
from manylabel.audits.severity import MINOR
from manylabel.data.dataset import Dataset
from manylabel.export.answers import Answer, of_fiftyone, of_label_studio, tool_of
from manylabel.export.tasks import Asked
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.scores.join import CLASSES, IMAGES, match


@dataclass(frozen=True)
class Review:
    """A review as `audits.corrected.write_review` takes it.

    Arguments:
        table: the labels, with the images and classes that came back and were not among them.
        findings: suggestions with their verdicts, and what else was changed.
        lines: what came back, in words.
    """

    table: LabelTable
    findings: list[Finding]
    lines: list[str]


def review(path: Path, dataset: Dataset, *, unlisted: str = "absent") -> Review:
    """An export of a labelling tool as a review of labels.

    Arguments:
        path: the export, of tasks that `export.label_studio` or `export.fiftyone` wrote, or of others.
        dataset: the labels as they are now.
        unlisted: as they were read; new classes are absent where their lists are complete, else unknown.

    Raises ManylabelError where it is no export, or none of its images is among the labels.
    """
    tool = tool_of(path)
    if tool is None:
        raise ManylabelError(f"{path} is no export of Label Studio or FiftyOne")
    export = data.read(path)
    reader = of_fiftyone if tool == "FiftyOne" else of_label_studio
    answers, notes = _named(list(reader(path, export, dataset.labels)), dataset.labels, path)
    complete = dataset.kind != "csv-wide" and unlisted == "absent"
    table = widened(dataset.labels, answers, ABSENT if complete else UNKNOWN)
    return Review(table, list(_findings(answers, table)), [*notes, *_told(answers, dataset.labels, table)])


def _named(answers: list[Answer], labels: LabelTable, path: Path) -> tuple[list[Answer], list[str]]:
    """The answers with images and classes called as the labels call them."""
    names = list(dict.fromkeys(n for one in answers for n in (*one.decided, *(asked.label for asked in one.asked))))
    images, by_rule = match([one.image for one in answers], labels.ids, IMAGES)
    if not (images >= 0).any():
        raise ManylabelError(
            f"{path}: none of its images is among the labels: it has {answers[0].image!r}, they have {labels.ids[0]!r}."
            " To take its labels alone, use `manylabel convert`"
        )
    columns, by_name = match(names, labels.names, CLASSES)
    called = {name: labels.names[c] if c >= 0 else name for name, c in zip(names, columns.tolist())}
    renamed = [
        replace(
            one, image=labels.ids[row] if row >= 0 else one.image,
            asked=tuple(_called(asked, called[asked.label]) for asked in one.asked),
            decided={called[name]: state for name, state in one.decided.items()},
            contested=frozenset(called.get(name, name) for name in one.contested),
            given=tuple(called.get(name, name) for name in one.given),
        )
        for one, row in zip(answers, images.tolist())
    ]  # fmt: skip
    return renamed, [*(f"note: images: {n}" for n in by_rule), *(f"note: classes: {n}" for n in by_name)]


def _called(asked: Asked, name: str) -> Asked:
    finding = None if asked.finding is None else replace(asked.finding, label=name)
    return replace(asked, label=name, finding=finding)


def widened(labels: LabelTable, answers: Sequence[Answer], unlisted: int) -> LabelTable:
    """The labels with a row for each new image, all unknown, and a column for each new class.

    Arguments:
        unlisted: state of a new class in the images that were judged: ABSENT or UNKNOWN.
    """
    suspected = (asked.label for one in answers for asked in one.asked if asked.finding)
    decided = (name for one in answers for name in one.decided)
    ids = list(dict.fromkeys([*labels.ids, *(one.image for one in answers if one.decided)]))
    names = list(dict.fromkeys([*labels.names, *suspected, *decided]))
    state = np.full((len(ids), len(names)), UNKNOWN, np.int8)
    old = labels.state
    state[: len(old), : old.shape[1]] = old
    state[: len(old), old.shape[1] :] = np.where((old != UNKNOWN).any(axis=1), unlisted, UNKNOWN)[:, None]
    return LabelTable(state, tuple(names), tuple(ids))


def _findings(answers: Sequence[Answer], table: LabelTable) -> Iterator[Finding]:
    """Suspected errors with their verdicts, then every other cell that is decided otherwise than it was."""
    rows, columns = ({name: k for k, name in enumerate(names)} for names in (table.ids, table.names))
    rank = 0
    for one in answers:
        for finding in (asked.finding for asked in one.asked if asked.finding):
            rank = max(rank, finding.rank)
            yield _reviewed(finding, one)
    for one in answers:
        suspected = {asked.label for asked in one.asked if asked.finding}
        for name, state in one.decided.items():
            before = int(table.state[rows[one.image], columns[name]])
            if name not in suspected and state != before:
                rank += 1
                yield _change(one, rank, name, before, state)


def _reviewed(finding: Finding, one: Answer) -> Finding:
    """A suspected error with what was decided of it, and by whom."""
    verdict = _judged(one.decided[finding.label], finding.suggested) if finding.label in one.decided else ""
    said = {"accept": "accepted", "reject": "rejected", "unknown": "called unknown"}.get(verdict)
    reasons = f"{finding.reasons}; {said} by {one.who}" if said else finding.reasons
    return replace(finding, image=one.image, reasons=reasons, verdict=verdict)


def _judged(state: int, suggested: str) -> str:
    return "unknown" if state == UNKNOWN else "accept" if WORDS[state] == suggested else "reject"


def _change(one: Answer, rank: int, name: str, before: int, state: int) -> Finding:
    """A cell that a person changed, as a finding that was accepted."""
    asked = {asked.label: asked for asked in one.asked}.get(name)
    said = "" if asked is None else f"; predicted with {100 * asked.probability:.0f} %"
    what = {PRESENT: "chosen", ABSENT: "shown and not chosen", UNKNOWN: "called unknown"}[state]
    suggested, verdict = (WORDS[state], "accept") if state != UNKNOWN else (WORDS[-before], "unknown")
    return Finding(
        rank, one.image, name, WORDS[before], suggested, float("nan"), float("nan"), f"{what} by {one.who}{said}",
        "annotator", MINOR, verdict,
    )  # fmt: skip


def _told(answers: Sequence[Answer], before: LabelTable, table: LabelTable) -> Iterator[str]:
    """What came back, in words."""
    verdicts = Counter(
        _judged(one.decided[asked.label], asked.suggested) if asked.label in one.decided else "untouched"
        for one in answers
        for asked in one.asked
    )
    looked = [one for one in answers if one.who]
    yield (
        f"{len(looked):,} of {len(answers):,} images were looked at; suggestions: {verdicts['accept']:,} accepted,"
        f" {verdicts['reject']:,} rejected, {verdicts['unknown']:,} called unknown, {verdicts['untouched']:,} untouched"
    )
    rows = {image: row for row, image in enumerate(table.ids)}
    state = table.state
    kept = sum(
        table.names[c] not in one.decided and table.names[c] not in one.given
        for one in looked
        if one.image in rows
        for c in np.flatnonzero(state[rows[one.image]] == PRESENT).tolist()
    )
    if kept:
        yield f"{kept:,} labels of these images were neither shown nor chosen and stay"
    if contested := sum(len(one.contested) for one in answers):
        yield f"{contested:,} labels on which as many people say yes as no stay as they were"
    for what, old, new in (("images", before.ids, table.ids), ("classes", before.names, table.names)):
        if more := new[len(old) :]:
            yield f"{len(more):,} {what} are new: {told.some(more)}"
