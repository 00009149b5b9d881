"""Findings on image files: missing and damaged ones, copies, odd sizes and colours, names on disk."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from itertools import islice

from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.copies import Repeat
from manylabel.data.doctoring.files import MISSING, Fault, ImageFindings
from manylabel.data.doctoring.finding import KEPT, Example, Finding, many, some


def about_files(dataset: Dataset, files: ImageFindings) -> list[Finding]:
    """All findings on image files."""
    found = [*_unreadable(dataset, files), *_misnamed(files.misnamed), *_copies(files), *_kinds(files)]
    if files.root_hint:
        text, do = f"Files of these names are in {files.root_hint}", f"Give --root {shlex.quote(files.root_hint)}."
        found.insert(0, Finding("root", "error", text, len(files.damaged), [], do))
    if files.unnamed:
        text = f"{many(len(files.unnamed), 'image file is', 'image files are')} in the folders, but in no row"
        do = "Label them, or take them out of the folder; they are not used."
        examples = [Example(os.path.relpath(name, dataset.source.parent)) for name in files.unnamed[:KEPT]]
        found.append(Finding("unnamed_file", "note", text, len(files.unnamed), examples, do))
    return found


REASONS = (
    ("missing", MISSING, "missing", "Mend their rows, bring the files, or train with --skip-damaged."),
    ("empty", "the file is empty", "empty (0 bytes)", "Copy them again, or train with --skip-damaged."),
    ("bomb", "decompression bomb", "too large to be opened safely", "Shrink them, or remove their rows."),
    (
        "not_an_image",
        "not an image",
        "in no format that can be read",
        "Look what lies behind the name: often a saved web page or an error.",
    ),
    ("damaged", "", "damaged", "Copy them again, remove their rows, or train with --skip-damaged."),
)
"""Kind, what the reason holds, the words for it, what to do."""
STARTS = (r"b'\xff\xd8", r"b'\x89PNG", "b'GIF8", "b'RIFF", "b'BM", "b'II*", r"b'MM\x00*")
"""How a reason shows the first bytes of a JPEG, PNG, GIF, WebP, BMP or TIFF file."""


def _unreadable(dataset: Dataset, files: ImageFindings) -> list[Finding]:
    named = {fault.image for fault in files.misnamed}
    by_kind = {kind: list[Fault]() for kind, *_ in REASONS}
    for fault in files.damaged:
        if fault.image not in named:
            by_kind[_kind(fault.reason)].append(fault)
    found = []
    for kind, _, words, do in REASONS:
        if faults := by_kind[kind]:
            verb = "is" if len(faults) == 1 else "are"
            text = f"{len(faults):,} of {many(len(dataset), 'image', 'images')} {verb} {words}"
            bare = kind in ("missing", "empty")
            found.append(Finding(kind, "error", text, len(faults), _examples(faults, bare=bare), do))
    return found


def _kind(reason: str) -> str:
    """The kind of finding; a file that begins as an image does and ends in its header is damaged."""
    kind = next(kind for kind, part, *_ in REASONS if part in reason)
    return "damaged" if kind == "not_an_image" and any(start in reason for start in STARTS) else kind


def _misnamed(faults: list[Fault]) -> list[Finding]:
    if not faults:
        return []
    text = f"{many(len(faults), 'file is', 'files are')} named otherwise on disk (capitals, accents or ending)"
    examples = [Example(fault.image, fault.line, f"on disk: {fault.reason}") for fault in faults[:KEPT]]
    there, name = faults[0].reason, os.path.basename(faults[0].image)
    do = f"Write the file's name into the row, or rename the file: mv {shlex.quote(there)} {shlex.quote(name)}"
    return [Finding("other_name", "error", text, len(faults), examples, do)]


def _examples(faults: Sequence[Fault], *, bare: bool = False) -> list[Example]:
    return [Example(fault.image, fault.line, "" if bare else fault.reason) for fault in islice(faults, KEPT)]


def _copies(files: ImageFindings) -> list[Finding]:
    near_leaks = [one for one in files.near if len(one.parts) > 1]
    inside = [one for one in files.repeats if len(one.parts) < 2]
    near_inside = [one for one in files.near if len(one.parts) < 2]
    return [
        *_of_copies("leak", "error", files.leaks, "lies in more than one part", "lie in more than one part",
                    "Results on held-out images are too good: keep each in one part."),
        *_of_copies("near_leak", "warning", near_leaks, "has a near copy in another part",
                    "have near copies in another part",
                    "Results on held-out images are too good: keep all copies of an image in one part."),
        *_of_copies("conflicting_copies", "error", files.disagreeing, "occurs several times with contradicting labels",
                    "occur several times with contradicting labels", "Correct one of the rows."),
        *_of_copies("copies", "warning", inside, "occurs several times in one part, under other names",
                    "occur several times in one part, under other names",
                    "They count several times in losses and metrics: keep one row of each."),
        *_of_copies("near_copies", "note", near_inside, "has a near copy in its part", "have near copies in their part",
                    "Saved again, shrunk, or the next of a burst: keep them together when you split."),
        *_of_copies("near_copies_differ", "note", [one for one in files.near if one.disagree],
                    "has near copies with other labels", "have near copies with other labels",
                    "Look at them side by side (--report): one may be wrong, or they show different moments."),
    ]  # fmt: skip


def _of_copies(kind: str, severity: str, repeats: list[Repeat], one: str, several: str, do: str) -> list[Finding]:
    if not repeats:
        return []
    examples = [Example(r.images[0], r.lines[0], _said(r)) for r in repeats[:KEPT]]
    return [
        Finding(kind, severity, many(len(repeats), f"image {one}", f"images {several}"), len(repeats), examples, do)
    ]


def _said(repeat: Repeat) -> str:
    """The copies of the first image, the parts, and the classes in dispute."""
    others = [f"row {line} {name}" if line else name for name, line in zip(repeat.images[1:4], repeat.lines[1:4])]
    more = f" and {len(repeat.images) - 4:,} more" if len(repeat.images) > 4 else ""
    parts = f"; {', '.join(repeat.parts)}" if repeat.parts else ""
    return f"= {' = '.join(others)}{more}{parts}" + (f"; on {some(repeat.disagree, 4)}" if repeat.disagree else "")


def _kinds(files: ImageFindings) -> list[Finding]:
    return [
        *_of_faults("odd_size", "warning", files.odd, "of extreme size",
                    "Scaled to the model's square they show little; look at them, or remove their rows."),
        *_of_faults("blank", "warning", files.blank, "of one colour",
                    "They show nothing: photographs of a covered lens, or placeholders of a failed download."),
        *_of_faults("resized", "warning", files.resized, "of another size than the label file says",
                    "Boxes in pixels no longer fit, and the labels may be about another picture."),
        *_of_faults("wrong_type", "warning", files.wrong_type, "of another type than the name says",
                    "They are read as what they are; rename them for programs that trust the ending."),
        *_of_faults("mode", "note", files.modes, "not plain 8-bit RGB or grey",
                    "They are converted; if colours or brightness matter, convert them yourself."),
        *_of_faults("frames", "note", files.moving, "of several frames or pages",
                    "The first is used; labels about the others are wrong for it."),
    ]  # fmt: skip


def _of_faults(kind: str, severity: str, faults: list[Fault], what: str, do: str) -> list[Finding]:
    if not faults:
        return []
    text = f"{many(len(faults), 'image is', 'images are')} {what}"
    return [Finding(kind, severity, text, len(faults), _examples(faults), do)]
