"""The review of an audit: findings, what was decided of them, and the files it leaves. Knows nothing of HTTP."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.audits import corrected, findings
from manylabel.audits.findings import Finding
from manylabel.data.dataset import Dataset
from manylabel.labels import PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.web.journal import Journal

COLUMNS = ("finding", "image", "label", "verdict", "action", "time", "source")
VERDICTS = ("accept", "reject", "unknown", "skip", "")
WRITTEN = (".csv", ".changes.csv", ".major.csv", ".findings.csv")
NEAR, WHERE = "near-identical to ", ", where it is "


@dataclass(frozen=True)
class Sift:
    """Which findings are wanted; "" is all. `seen` is "open", "skip", or a verdict."""

    label: str = ""
    category: str = ""
    severity: str = ""
    seen: str = ""
    search: str = ""


class Reviewing:
    """Findings under review.

    Every verdict is a row of NAME.verdicts.csv beside the findings, on the disk before it is answered; whoever starts
    again goes on where that file ends. The findings file itself is not written to.

    Arguments:
        path: the findings, from `manylabel audit`.
        dataset: the labels that were audited.
        unlisted: as they were read, see `audits.corrected.audited`.
        out: the corrected labels to write; LABELS.corrected.csv beside the findings unless given.

    Raises ManylabelError where findings and labels do not belong together, and where `out` or a file that goes beside
    it is one of those that are read.
    """

    def __init__(self, path: Path, dataset: Dataset, *, unlisted: str = "absent", out: Path | None = None) -> None:
        self.path, self.dataset = path, dataset
        self.findings = findings.read(path)
        audited = corrected.audited(dataset, self.findings, unlisted=unlisted)
        self.table = LabelTable(audited.state, audited.names, audited.ids)
        findings.apply(self.table, self.findings)
        self.out = out or path.with_name(f"{dataset.source.stem or 'labels'}.corrected.csv")
        verdicts = path.with_suffix(".verdicts.csv")
        written = {self.out.with_suffix(end).resolve() for end in WRITTEN}
        if self.out.suffix != ".csv" or written & {one.resolve() for one in (dataset.source, path, verdicts)}:
            raise ManylabelError(
                f"{self.out}: give a new .csv for the corrected labels (--corrected NEW.csv); the original, the"
                f" findings and their verdicts are never touched, and {', '.join(WRITTEN)} are all written"
            )
        self.verdicts = [finding.verdict for finding in self.findings]
        self.history: list[tuple[int, str]] = []
        self.source = f"manylabel serve {metadata.version('manylabel')}"
        self._lock = threading.Lock()
        self.journal = Journal(verdicts, COLUMNS, "file of verdicts")
        self._replay()

    def __len__(self) -> int:
        return len(self.findings)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each image."""
        return {name: row for row, name in enumerate(self.table.ids)}

    @cached_property
    def suspects(self) -> dict[int, list[int]]:
        """Row -> numbers of its findings."""
        found: dict[int, list[int]] = {}
        for number, finding in enumerate(self.findings):
            found.setdefault(self.rows[finding.image], []).append(number)
        return found

    def _replay(self) -> None:
        """Carry out what the journal holds."""
        for row in self.journal.rows():
            number = int(row["finding"]) - 1 if row["finding"].isdecimal() else -1
            known = self.findings[number] if 0 <= number < len(self) else None
            if known is None or (known.image, known.label) != (row["image"], row["label"]):
                raise ManylabelError(
                    f"{self.journal.path} holds verdicts on other findings than {self.path.name}: move it away, or"
                    " review the findings it was made with"
                )
            if row["action"] == "undo":
                self._forget(number)
            else:
                self.history.append((number, self.verdicts[number]))
            self.verdicts[number] = row["verdict"] if row["verdict"] in VERDICTS else ""

    def judge(self, number: int, verdict: str) -> None:
        """Keep a verdict, on the disk when this returns; the one that a finding has already is not kept twice."""
        with self._lock:
            if self.verdicts[number] == verdict:
                return
            self._keep(number, verdict, "verdict")
            self.history.append((number, self.verdicts[number]))
            self.verdicts[number] = verdict

    def undo(self, number: int | None = None) -> int | None:
        """Take the last verdict back, or the last on a finding; the number of its finding, None where none is left."""
        with self._lock:
            last = [one for one in self.history if number in (None, one[0])][-1:]
            if not last:
                return None
            found, before = last[0]
            self._keep(found, before, "undo")
            self._forget(found)
            self.verdicts[found] = before
            return found

    def _forget(self, number: int) -> None:
        """Take the last verdict on a finding out of the history; others may have been given since."""
        place = next((k for k in reversed(range(len(self.history))) if self.history[k][0] == number), None)
        if place is not None:
            del self.history[place]

    def _keep(self, number: int, verdict: str, action: str) -> None:
        finding = self.findings[number]
        self.journal.append({
            "finding": number + 1, "image": finding.image, "label": finding.label, "verdict": verdict,
            "action": action, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "source": self.source,
        })  # fmt: skip

    def reviewed(self) -> list[Finding]:
        """The findings with their verdicts; what was skipped has none."""
        return [replace(f, verdict="" if v == "skip" else v) for f, v in zip(self.findings, self.verdicts)]

    def save(self) -> list[str]:
        """Write the corrected labels with what goes beside them, and the findings with their verdicts.

        As `manylabel audit FINDINGS LABELS --apply --out OUT` does. A line on each file.
        """
        with self._lock:
            done = self.reviewed()
            split = dict(zip(self.table.ids, self.dataset.split.tolist()))
            lines = corrected.write_review(
                self.out, self.table, done, split=split, findings=str(self.path), labels=str(self.dataset.source)
            )
            written = findings.write(self.out.with_suffix(".findings.csv"), done)
            return [*lines, f"findings with verdicts, for audit --apply: {written}"]

    def counts(self) -> dict[str, int]:
        """How many findings have each verdict; those of none are "open"."""
        found = Counter(verdict or "open" for verdict in self.verdicts)
        return {word: found[word] for word in ("open", "accept", "reject", "unknown", "skip")}

    def matching(self, sift: Sift) -> Iterator[int]:
        """Numbers of the findings wanted, in their order."""
        search = sift.search.casefold()
        for number, (finding, verdict) in enumerate(zip(self.findings, self.verdicts)):
            if (
                sift.label in ("", finding.label)
                and sift.category in ("", finding.category)
                and sift.severity in ("", finding.severity)
                and sift.seen in ("", verdict or "open")
                and (search in finding.image.casefold() or search in finding.label.casefold())
            ):
                yield number

    def choices(self) -> dict[str, dict[str, int]]:
        """Of each attribute to sift by its values, with how many findings have it."""
        found = {name: Counter(getattr(f, name) for f in self.findings) for name in ("label", "category", "severity")}
        return {name: dict(sorted(values.items())) for name, values in found.items()}

    def told(self, number: int) -> dict[str, Any]:
        """All that the page shows of a finding."""
        finding = self.findings[number]
        row = self.rows[finding.image]
        state, names = self.table.state[row], self.table.names
        return {
            "number": number, "rank": finding.rank, "image": finding.image, "label": finding.label,
            "given": finding.given, "suggested": finding.suggested, "confidence": finding.confidence,
            "image_quality": finding.image_quality, "reasons": [r for r in finding.reasons.split("; ") if r],
            "category": finding.category, "severity": finding.severity, "verdict": self.verdicts[number], "row": row,
            "place": self.dataset.place(row), "present": [names[c] for c in np.flatnonzero(state == PRESENT)],
            "unknown": int((state == UNKNOWN).sum()), "neighbours": self.neighbours(finding),
            "others": [n for n in self.suspects[row] if n != number],
        }  # fmt: skip

    def neighbours(self, finding: Finding) -> list[dict[str, Any]]:
        """The images that a finding's reasons call near-identical, where the labels know them."""
        told = (reason for reason in finding.reasons.split("; ") if reason.startswith(NEAR))
        places = (reason.removeprefix(NEAR).rpartition(WHERE) for reason in told)
        return [
            {"image": image, "row": self.rows[image], "state": after.partition(" ")[0]}
            for image, _, after in places
            if image in self.rows
        ]
