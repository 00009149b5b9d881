"""Findings to sentences: what to mend before training, and what to train with, each with its reason."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manylabel.data.doctor import Fault, Findings, Repeat

FEW_IMAGES, FEW_VAL, LONG_TAIL = 5_000, 5, 50.0


def problems(findings: Findings) -> list[str]:
    """What is wrong, the gravest first."""
    said = _file_problems(findings) if findings.files is not None else []
    for a, b, how in findings.near_names[:20]:
        cure = f"if they are one class, join them with --rename {shlex.quote(f'{a}={b}')}"
        said.append(f"Class names {a!r} and {b!r} differ in {how} only; {cure}.")
    if len(findings.near_names) > 20:
        said.append(f"{len(findings.near_names) - 20} more pairs of class names are nearly equal.")
    if findings.without_positives:
        n = len(findings.without_positives)
        said.append(
            f"{_many(n, 'class has', 'classes have')} no positive: {_some(findings.without_positives)}. Nothing can be"
            " learnt or measured for them; metrics leave them out."
        )
    for part in [p for p in findings.parts if p]:
        lost = [c.name for c in findings.classes if not c.positives[part] and any(c.positives.values())]
        if lost:
            said.append(f"{part} shows no positive of {_many(len(lost), 'class', 'classes')}: {_some(lost)}.")
    if findings.nothing_known:
        said.append(
            f"{_many(findings.nothing_known, 'image has', 'images have')} only unknown labels; they teach nothing to"
            " methods that learn from labels."
        )
    if not any(c.absent for c in findings.classes):
        said.append(
            "No label is known to be absent. If what is not listed or blank means absent, say so"
            " (--unlisted absent, or 0 in the cells): without negatives a classifier learns to say yes always."
        )
    return said


def _file_problems(findings: Findings) -> list[str]:
    files, said = findings.files, []
    assert files is not None
    if files.damaged:
        said.append(
            f"{len(files.damaged):,} of {findings.images:,} images cannot be read: {_faults(files.damaged)}. Mend them,"
            " remove their rows, or train with --skip-damaged."
        )
    if files.root_hint:
        said.append(f"Files of these names are in {files.root_hint}: give --root {shlex.quote(files.root_hint)}.")
    if files.leaks:
        said.append(
            f"{_many(len(files.leaks), 'image lies', 'images lie')} in more than one part, so that results on held-out"
            f" images are too good: {_repeats(files.leaks)}. Remove all but one."
        )
    if files.disagreeing:
        repeat = files.disagreeing[0]
        said.append(
            f"{_many(len(files.disagreeing), 'image occurs', 'images occur')} several times with contradicting labels:"
            f" {_repeats([repeat])} on {_some(repeat.disagree)}. Correct one of them."
        )
    same = len(files.repeats) - len(files.leaks)
    if same:
        said.append(f"{_many(same, 'image occurs', 'images occur')} several times in one part, under other names.")
    if files.odd:
        said.append(f"{_many(len(files.odd), 'image is', 'images are')} of extreme size: {_faults(files.odd)}.")
    return said


def advice(findings: Findings) -> list[str]:
    """What to train with and why."""
    return [*_method(findings), *_loss(findings), *_thresholds(findings)]


def _method(findings: Findings) -> list[str]:
    training = findings.parts.get("train", 0) + findings.parts.get("", 0)
    counts = [c.train_positives for c in findings.classes if c.train_positives]
    said = []
    if training < FEW_IMAGES:
        said.append(
            f"Method: begin with ridge. It is solved in closed form in seconds, and with {training:,} training images"
            " methods with more to fit have little to learn from."
        )
    else:
        said.append(
            f"Method: begin with linear or mlp on frozen features; {training:,} training images are enough for them."
        )
    if counts and findings.groups["tail"] and max(counts) / min(counts) >= LONG_TAIL:
        said.append(
            f"Method: compare cprfl. The counts are long-tailed ({max(counts):,} to {min(counts):,} positives,"
            f" {findings.groups['tail']} classes below 20), and its class prompts carry over from frequent to rare"
            " classes by the meaning of their names (--text)."
        )
    return said


def _loss(findings: Findings) -> list[str]:
    said = []
    cells = findings.images * max(len(findings.classes), 1)
    positives = sum(sum(c.positives.values()) for c in findings.classes)
    if findings.unknown_share:
        said.append(
            f"Loss: {findings.unknown_share:.1%} of the cells are unknown; they are left out of losses and metrics."
        )
    if len(findings.classes) >= 10 and positives / max(cells, 1) < 0.1:
        said.append(
            f"Loss: binary cross-entropy first. Only {positives / max(cells, 1):.1%} of the cells are positive, which"
            " is when the asymmetric loss (asl) may help, above all where the encoder is trained too."
        )
    return said


def _thresholds(findings: Findings) -> list[str]:
    if "val" not in findings.parts:
        return ["Thresholds: the file has no validation part; one is made of training images, by a stratified split."]
    few = [c.name for c in findings.classes if 0 < c.positives["val"] < FEW_VAL]
    if not few:
        return ["Thresholds: fit one per class on the validation part, which has positives enough."]
    return [
        f"Thresholds: {_many(len(few), 'class has', 'classes have')} fewer than {FEW_VAL} validation positives"
        f" ({_some(few)}); a threshold fitted to so few is chance."
    ]


def _many(n: int, one: str, several: str) -> str:
    return f"{n:,} {one if n == 1 else several}"


def _some(words: Sequence[str], most: int = 8) -> str:
    return ", ".join(words[:most]) + (f", and {len(words) - most:,} more" if len(words) > most else "")


def _faults(faults: Sequence[Fault], most: int = 5) -> str:
    return _some([f"{'' if not f.line else f'row {f.line} '}{f.image} ({f.reason})" for f in faults], most)


def _repeats(repeats: Sequence[Repeat], most: int = 3) -> str:
    return _some([" = ".join(r.images[:3]) + f" ({', '.join(r.parts) or 'one part'})" for r in repeats], most)
