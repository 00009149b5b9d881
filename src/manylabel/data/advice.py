"""Findings to sentences: what to train with, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manylabel.data.doctoring.finding import many, some

if TYPE_CHECKING:
    from manylabel.data.doctor import Findings

FEW_IMAGES, FEW_VAL, LONG_TAIL = 5_000, 5, 50.0
FEW_SHOTS, VERY_MANY = 16, 5_000
PARTIAL, SINGLE = 0.02, 0.95


def advice(findings: Findings) -> list[str]:
    """What to train with and why."""
    return [
        *_method(findings), *_many_classes(findings), *_hierarchy(findings), *_loss(findings), *_incomplete(findings),
        *_beside(findings), *_thresholds(findings),
    ]  # fmt: skip


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
    if counts and max(counts) <= FEW_SHOTS:
        said.append(
            f"Method: no class has more than {max(counts)} training positives (few shots). Keep the encoder frozen,"
            " prefer closed forms (ridge, kernel_ridge), and repeat with several seeds: one draw says little."
        )
    elif counts and findings.groups["tail"] and max(counts) / min(counts) >= LONG_TAIL:
        said.append(
            f"Method: compare cprfl. The counts are long-tailed ({max(counts):,} to {min(counts):,} positives,"
            f" {findings.groups['tail']} classes below 20), and its class prompts carry over from frequent to rare"
            " classes by the meaning of their names (--text)."
        )
    return said


def _many_classes(findings: Findings) -> list[str]:
    if len(findings.classes) < VERY_MANY:
        return []
    return [
        f"Method: {len(findings.classes):,} classes are too many for a score of each in every file; keep the highest"
        " of each image (lists of scores), measure precision at k, and begin with linear, whose cost grows least."
    ]


def _hierarchy(findings: Findings) -> list[str]:
    if not findings.hierarchy:
        return []
    return [
        "Hierarchy: complete the labels first (manylabel convert DATA OUT --hierarchy FILE): parents follow from their"
        " children, and where annotators stopped at a coarse class its children are unknown, not absent."
    ]


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


def _incomplete(findings: Findings) -> list[str]:
    """Labels that say less than they seem to: single positives, no negatives, unknown by class."""
    histogram, said = findings.histogram, []
    single = histogram[1] if len(histogram) > 1 else 0
    if findings.images and len(findings.classes) > 2 and single >= SINGLE * findings.images:
        told = (
            "unknown, not absent: read them with --unlisted unknown" if findings.unknown_share < PARTIAL else "unknown"
        )
        said.append(
            f"Loss: {single / findings.images:.0%} of the images have exactly one label. If images show more than one"
            f" class, the other cells are {told}; a loss for single positives is then needed, for with negatives taken"
            " for granted a classifier unlearns what was never listed."
        )
    elif findings.unknown_share >= PARTIAL:
        worst = max(findings.classes, key=lambda c: c.unknown)
        said.append(
            f"Loss: labels are partial, most of all for {worst.name} ({worst.unknown / findings.images:.0%} unknown)."
            " Compare counting unknown cells as nothing (the default) with counting them as absent: which wins depends"
            " on how rare positives are among them, and only known cells of a test set can tell."
        )
    return said


def _beside(findings: Findings) -> list[str]:
    """What votes, soft values, candidates and unseen images call for."""
    said, beside = [], findings.beside
    if "votes" in beside:
        votes = beside["votes"]
        agree = "" if votes["agreement"] is None else f", who agree in {votes['agreement']:.0%} of comparisons"
        said.append(
            f"Noise: {votes['annotators']} annotators or sources{agree}. Train on the majority first, leave ties"
            " unknown, and let audit look at the cells on which they differ."
        )
    if "soft" in beside:
        said.append(
            f"Noise: {beside['soft']['cells']:,} soft values lie beside the table, where their cells are unknown. They"
            " can be targets of a cross-entropy; metrics need labels of 0 and 1."
        )
    if "candidates" in beside:
        said.append(
            f"Loss: {beside['candidates']['images']:,} images have candidates (about"
            f" {beside['candidates']['mean']:.1f} each) of which at least one is present. They are unknown in the"
            " table, and the classes that are no candidates are known to be absent: that alone is much to learn from."
        )
    if beside.get("reviewed", {}).get("not_reviewed"):
        said.append(
            f"Labels: {beside['reviewed']['not_reviewed']:,} images are not yet reviewed; score them and label those"
            " first of which the model is least sure."
        )
    return said


def _thresholds(findings: Findings) -> list[str]:
    if "val" not in findings.parts:
        return ["Thresholds: the file has no validation part; one is made of training images, by a stratified split."]
    few = [c.name for c in findings.classes if 0 < c.positives["val"] < FEW_VAL]
    if not few:
        return ["Thresholds: fit one per class on the validation part, which has positives enough."]
    return [
        f"Thresholds: {many(len(few), 'class has', 'classes have')} fewer than {FEW_VAL} validation positives"
        f" ({some(few)}); a threshold fitted to so few is chance."
    ]
