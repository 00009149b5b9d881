"""`doctor --report`: the findings as one page that opens offline, with pictures, below 3 MB."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from manylabel.data.dataset import Dataset
from manylabel.data.doctor import Fault, Findings
from manylabel.data.doctoring import charts
from manylabel.data.doctoring.charts import listed, short
from manylabel.data.doctoring.copies import Repeat
from manylabel.data.doctoring.counts import states_of
from manylabel.data.doctoring.finding import SEVERITIES, SHOWN, Finding, many
from manylabel.data.doctoring.pictures import CLASSES, Pictures, samples, thumbnails
from manylabel.labels import PRESENT

LIMIT = 2_950_000
"""Bytes a page may have; the promise is below 3 MB."""
GROUPS, MEMBERS, FAULTS, LABELS, NOTES, LONGEST = 40, 4, 48, 12, 60, 1000


def write(path: str | Path, dataset: Dataset, findings: Findings) -> Path:
    """Write the page of `findings` to `path` (UTF-8, below 3 MB), whole or not at all, making its folder.

    Arguments:
        dataset: what was examined; image files are read again for those shown, if they were examined.

    >>> import tempfile
    >>> from manylabel import data
    >>> from manylabel.data.doctor import examine
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "labels.csv").write_text("image,labels\\na.jpg,cat|dog\\nb.jpg,cat\\n")
    ...     read = data.read(Path(folder, "labels.csv"))
    ...     page = write(Path(folder, "doctor.html"), read, examine(read, images=False))
    ...     page.name, page.stat().st_size < 3_000_000
    ('doctor.html', True)
    """
    path = Path(path)
    text = render(dataset, findings)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode("utf-8", "replace"))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def render(dataset: Dataset, findings: Findings) -> str:
    """The whole page as text: first without pictures, then with as many as there is room for."""
    view = _View(dataset, findings)
    bare = view.page()
    if findings.files is not None:
        view.pictures = thumbnails(dataset, view.wanted(), room=LIMIT - len(bare.encode("utf-8", "replace")) - 4096)
        bare = view.page()
    return bare


class _View:
    """One page being made: the rows it shows are found once, and drawn with and without pictures."""

    def __init__(self, dataset: Dataset, findings: Findings) -> None:
        self.dataset, self.findings, self.pictures = dataset, findings, Pictures()
        files = findings.files
        self.groups = [] if files is None else _gravest(files.repeats, files.near)
        self.faults = [] if files is None else _interleaved(
            files.odd, files.blank, files.wrong_type, files.modes, files.moving, files.resized, files.damaged
        )  # fmt: skip
        self.samples = samples(dataset.labels, [sum(c.positives.values()) for c in findings.classes])
        shown = {name for group in self.groups for name in group.images} | {fault.image for fault in self.faults}
        self.rows = {name: row for row, name in enumerate(dataset.labels.ids) if name in shown}

    def wanted(self) -> list[int]:
        """Rows in the order in which they deserve a picture, each as often as it is shown."""
        copies = [self.rows[name] for group in self.groups for name in group.images[:MEMBERS]]
        odd = [self.rows[fault.image] for fault in self.faults]
        return [*copies, *odd, *(row for k in range(3) for _, rows in self.samples for row in rows[k : k + 1])]

    def page(self) -> str:
        findings = self.findings
        folder = resources.files("manylabel.data.doctoring")
        script = (folder / "page.js").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
        return Template((folder / "page.html").read_text("utf-8")).substitute(
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
            style=(folder / "page.css").read_text("utf-8"), script=script, title=short(Path(findings.source).name),
            summary=self.summary(), severities=_severities(findings),
            findings="".join(map(_finding, findings.findings)) or '<p class="quiet">Nothing was found.</p>',
            copies=self.copies(), files=self.odd(), tail=charts.tail_curve(findings.classes),
            tail_lead=_tail_lead(findings), class_table=charts.class_table(findings),
            matrix=charts.matrix(findings), couples=charts.couples(findings), together_lead=_together_lead(findings),
            unknown=charts.unknown_map(findings), unknown_lead=f"{findings.unknown_share:.1%} of cells are unknown.",
            samples=self.strips(), samples_lead=self.samples_lead(), advice=listed([*map(short_of, findings.advice)]),
            understood=self.understood(),
        )  # fmt: skip

    def summary(self) -> str:
        findings = self.findings
        said = [f"{findings.images:,} images", f"{len(findings.classes):,} classes", short(findings.kind)]
        said += [f"{part or 'no part'} {n:,}" for part, n in findings.parts.items()]
        said.append(f"{findings.labels_per_image['mean']:.1f} labels an image")
        if findings.files is not None:
            said.append(f"{findings.files.read:,} images read whole")
        return " · ".join(said)

    def copies(self) -> str:
        if self.findings.files is None:
            return NOT_OPENED
        if not self.groups:
            return '<p class="quiet">No image occurs twice.</p>'
        total = len(self.findings.files.repeats) + len(self.findings.files.near)
        left = total - len(self.groups)
        more = f'<p class="quiet">{left:,} more groups are in the JSON.</p>' if left > 0 else ""
        return f'<div class="groups">{"".join(map(self.group, self.groups))}</div>{more}'

    def group(self, repeat: Repeat) -> str:
        said = "labels contradict each other" if repeat.disagree else "labels agree"
        parts = f"; in {', '.join(repeat.parts)}" if len(repeat.parts) > 1 else ""
        figures = "".join(
            f"<figure>{self.picture(name)}<figcaption>{self.caption(name, line)}"
            f"<p>{self.labels(self.rows[name], set(repeat.disagree))}</p></figcaption></figure>"
            for name, line in list(zip(repeat.images, repeat.lines))[:MEMBERS]
        )
        number = len(repeat.images)
        more = f", {MEMBERS} of them shown" if number > MEMBERS else ""
        return f'<div class="group"><h3>{number} images{more}: {said}{parts}</h3><div>{figures}</div></div>'

    def odd(self) -> str:
        files = self.findings.files
        if files is None:
            return NOT_OPENED
        cards = "".join(
            f"<li>{self.picture(fault.image)}{self.caption(fault.image, fault.line)}<p>{short(fault.reason)}</p></li>"
            for fault in self.faults
        )
        return f'<ul class="cards">{cards}</ul>' if cards else '<p class="quiet">All files are sound.</p>'

    def picture(self, name: str) -> str:
        return self.pictures.tag(self.rows[name], short(name))

    def caption(self, name: str, line: int) -> str:
        part = str(self.dataset.split[self.rows[name]])
        place = " · ".join(word for word in (f"{self.dataset.unit} {line}" if line else "", part) if word)
        return f'<p class="id"><b>{short(name)}</b> <span class="quiet">{place}</span></p>'

    def labels(self, row: int, disputed: set[str]) -> str:
        classes, states = states_of(self.dataset.labels, np.array([row]))
        names = [self.dataset.labels.names[c] for c in classes[states[0] == PRESENT]]
        chips = [
            f'<span class="chip{" against" if n in disputed else ""}">{short(n, 40)}'
            f'{"<span class=sr> (disputed)</span>" if n in disputed else ""}</span>'
            for n in names[:LABELS]
        ]  # fmt: skip
        more = f" and {len(names) - LABELS:,} more" if len(names) > LABELS else ""
        return "".join(chips) + more or '<span class="quiet">no label</span>'

    def strips(self) -> str:
        if self.findings.files is None:
            return NOT_OPENED
        return "".join(map(self.strip, self.samples))

    def strip(self, sample: tuple[int, list[int]]) -> str:
        one = self.findings.classes[sample[0]]
        ids = self.dataset.labels.ids
        figures = "".join(
            f"<figure>{self.pictures.tag(row, short(ids[row]))}<figcaption>{short(ids[row])}</figcaption></figure>"
            for row in sample[1]
        )
        number = many(sum(one.positives.values()), "image", "images")
        head = f"{short(one.name)} <span class=quiet>{number}</span>"
        return f'<h3>{head}</h3><div class="strip">{figures}</div>'

    def samples_lead(self) -> str:
        said = [f"The {min(CLASSES, len(self.samples))} rarest classes that have positives."]
        if self.pictures.left_out:
            said.append(f"{self.pictures.left_out:,} pictures are left out to keep this page below 3 MB.")
        return " ".join(said)

    def understood(self) -> str:
        notes = [short_of(note) for note in self.findings.notes[:NOTES]]
        beside = [f"{name}: {short_of(_numbers(said))}" for name, said in self.findings.beside.items()]
        return listed([*notes, *beside])


NOT_OPENED = '<p class="quiet">Image files were not opened (--no-images).</p>'


def short_of(text: str) -> str:
    """A sentence, escaped."""
    return short(text, LONGEST)


def _numbers(said: dict[str, object]) -> str:
    numbers = {key.replace("_", " "): value for key, value in said.items() if isinstance(value, (int, float))}
    return ", ".join(f"{key} {value:,}" for key, value in numbers.items())


def _gravest(equal: list[Repeat], near: list[Repeat]) -> list[Repeat]:
    """Contradicting labels first, then copies across parts, then the rest; equal files before near copies."""
    ranked = sorted([*equal, *near], key=lambda one: (not one.disagree, len(one.parts) < 2))
    return ranked[:GROUPS]


def _interleaved(*lists: list[Fault]) -> list[Fault]:
    """Some of each kind, kinds in order, as many as are shown."""
    each = max(FAULTS // max(sum(bool(faults) for faults in lists), 1), 1)
    return [fault for faults in lists for fault in faults[:each]]


def _severities(findings: Findings) -> str:
    counts = {word: sum(one.severity == word for one in findings.findings) for word in SEVERITIES}
    return "".join(
        f'<label><input type="checkbox" name="severity" value="{word}" checked> {word}s ({n})</label>'
        for word, n in counts.items()
    )


def _finding(one: Finding) -> str:
    examples = [short(str(example), 400) for example in one.examples[:SHOWN]]
    more = [f"and {one.count - len(examples):,} more"] if examples and one.count > len(examples) else []
    places = f"<ul>{''.join(f'<li>{text}</li>' for text in [*examples, *more])}</ul>" if examples else ""
    do = f"<p>{short_of(one.do)}</p>" if one.do else ""
    return (
        f'<article class="finding {one.severity}" data-severity="{one.severity}" data-kind="{one.kind}">'
        f'<h3><span class="severity">{one.severity}</span>{short(one.text, 300)}</h3>{places}{do}</article>'
    )


def _tail_lead(findings: Findings) -> str:
    groups = findings.groups
    return (
        f"{groups['head']:,} classes in the head, {groups['medium']:,} medium, {groups['tail']:,} in the tail;"
        f" {len(findings.without_positives):,} without a positive. The scale is logarithmic."
    )


def _together_lead(findings: Findings) -> str:
    shown, total = len(findings.company.classes), len(findings.classes)
    return f"The {shown} most frequent of {total:,} classes are shown." if shown < total else ""
