"""Findings that need the labels only: classes, parts, single images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.data.dataset import Dataset
from manylabel.data.doctoring.counts import Counts
from manylabel.data.doctoring.finding import Example, Finding, many, of_classes, of_rows
from manylabel.data.doctoring.together import MOST_COUPLES, Company
from manylabel.data.repeats import DISAGREE

PARTS = 3  # a set without parts will have train, val and test
JUDGED = 10  # known images below which a class cannot be said to be the same everywhere
SPREADS, ALL_OF = 8.0, 6  # far above the usual number of labels; fewest classes of which nobody shows all
LITTLE = 0.1  # share of known cells below which a class was hardly looked for


def about_labels(dataset: Dataset, counts: Counts, company: Company) -> list[Finding]:
    """All findings on the labels of `dataset`."""
    said = [
        *_left_out(dataset),
        *_contradictions(dataset),
        *_classes(dataset, counts),
        *_parts(dataset, counts),
        *_images(dataset, counts),
        *_company(company),
    ]
    if not (counts.known_images - counts.totals).any():
        said.append(
            Finding(
                "no_absent",
                "warning",
                "No label is known to be absent",
                len(dataset),
                [],
                "If what is not listed or blank means absent, say so (--unlisted absent, or 0 in the cells): without"
                " negatives a classifier learns to say yes always.",
            )
        )
    return said


def _left_out(dataset: Dataset) -> list[Finding]:
    if not dataset.mistakes:
        return []
    text = "Some of the label file could not be read and is left out"
    examples = [Example(said=mistake) for mistake in dataset.mistakes]
    return [Finding("left_out", "error", text, len(dataset.mistakes), examples, "Correct these in the label file.")]


def _contradictions(dataset: Dataset) -> list[Finding]:
    """Rows of one image that disagree, where reading was told to make their cells unknown."""
    said = [note.rstrip(".") for note in dataset.notes if note.startswith(DISAGREE)]
    return [Finding("rows_disagree", "error", text, 1, [], "Correct one of the rows.") for text in said]


def _classes(dataset: Dataset, counts: Counts) -> list[Finding]:
    names, total, known = dataset.labels.names, counts.totals, counts.known_images
    parts = max(len([p for p in counts.parts if p]), 1)
    parts = PARTS if parts == 1 else parts
    rare = (total > 0) & (total < parts)
    always = (total == known) & (known >= JUDGED) & (known > total).any()  # else no label at all is absent
    return [
        *_on_classes("unjudged_class", "warning", names, known == 0, "known in no image",
                     "Nobody looked for them: fill the column, or leave it out."),
        *_on_classes("no_positives", "warning", names, (total == 0) & (known > 0), "no positive",
                     "Nothing can be learnt or measured for them; metrics leave them out. Add images that show them."),
        *_on_classes("always_present", "warning", names, always & (len(dataset) > total),
                     "nothing but positives where it is known",
                     "Judge some images as absent (0), or nothing tells the class from its opposite."),
        *_on_classes("constant", "warning", names, (total == len(dataset)) & (known >= JUDGED),
                     "a positive in every image",
                     "It says nothing about any image: take it out, or correct its column."),
        *_on_classes("too_rare", "warning", names, rare, f"fewer positives than there are parts ({parts})",
                     "No split can put one into each part, so some part cannot train or measure them. Find more images,"
                     " or join them with a broader class: --rename RARE=BROADER.", total),
        *_on_classes("hardly_judged", "note", names, (known > 0) & (known < LITTLE * len(dataset)),
                     "known in fewer than a tenth of the images",
                     "Metrics of them rest on few images; judge more before you compare models."),
    ]  # fmt: skip


def _on_classes(
    kind: str, severity: str, names: tuple[str, ...], chosen: NDArray[np.bool_], what: str, do: str,
    total: NDArray[np.int64] | None = None,
) -> list[Finding]:  # fmt: skip
    where = np.flatnonzero(chosen)
    if not len(where):
        return []
    verb = "is" if what.startswith("known") else "has"
    text = f"{many(len(where), 'class ' + verb, 'classes ' + ('are' if verb == 'is' else 'have'))} {what}"
    said = [f"{names[c]} ({total[c]})" if total is not None else names[c] for c in where]
    return [Finding(kind, severity, text, len(where), of_classes(said), do)]


def _parts(dataset: Dataset, counts: Counts) -> list[Finding]:
    names, found = dataset.labels.names, []
    for p, part in enumerate(counts.parts):
        lost = np.flatnonzero((counts.positives[p] == 0) & (counts.totals > 0)) if part else ()
        if len(lost):
            text = f"{part} shows no positive of {many(len(lost), 'class', 'classes')}"
            do = "Split anew, by labels; results of these classes cannot be measured there."
            do = do if part != "train" else "Split anew, by labels; these classes cannot be learnt."
            found.append(Finding("missing_in_part", "warning", text, len(lost), of_classes(names[c] for c in lost), do))
    if "" in counts.parts and len(counts.parts) > 1:
        rows = np.flatnonzero(dataset.split == "")
        text = f"{many(len(rows), 'image has', 'images have')} no part, though others have one"
        do = "They count as training images; write train, val or test into their rows if that is not meant."
        found.append(Finding("no_part", "warning", text, len(rows), of_rows(dataset, rows.tolist()), do))
    return found


def _images(dataset: Dataset, counts: Counts) -> list[Finding]:
    found = []
    blind = np.flatnonzero(counts.known == 0)
    if len(blind):
        text = f"{many(len(blind), 'image has', 'images have')} only unknown labels"
        do = "They teach nothing to methods that learn from labels; judge them first."
        found.append(Finding("nothing_known", "warning", text, len(blind), of_rows(dataset, blind.tolist()), do))
    crowded = _crowded(counts.labels, len(dataset.labels.names))
    if len(crowded):
        text = f"{many(len(crowded), 'image has', 'images have')} an implausible number of labels"
        said = [f"{counts.labels[row]} labels" for row in crowded]
        do = f"The usual number is {np.median(counts.labels):g}; look whether a list was filled in by mistake."
        found.append(
            Finding("many_labels", "warning", text, len(crowded), of_rows(dataset, crowded.tolist(), said), do)
        )
    return found


def _crowded(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Rows with labels far beyond the usual number, by 8 robust standard deviations or more, or with all there are.

    Of very many images the luckiest lies far out by chance: of N normal ones at about sqrt(2 ln N) deviations.

    >>> _crowded(np.array([2, 3, 2, 4, 3, 40, 2]), 80).tolist()
    [5]
    """
    if not len(labels):
        return labels
    median = float(np.median(labels))
    spread = max(1.0, 1.4826 * float(np.median(np.abs(labels - median))))
    every = (labels == classes) & (classes >= ALL_OF) & (median <= classes / 2)
    far = max(SPREADS, 2 * float(np.sqrt(2 * np.log(len(labels)))))
    rows = np.flatnonzero((labels > median + far * spread) | every)
    return rows[np.argsort(-labels[rows], kind="stable")]


def _company(company: Company) -> list[Finding]:
    found = []
    if company.equal:
        text = f"{many(len(company.equal), 'pair of classes', 'pairs of classes')} in the very same images"
        said = [f"{a} = {b}, {n} images" for a, b, n in company.equal]
        a, b, _ = company.equal[0]
        do = f"If they are one class, join them, such as with --rename '{a}={b}'; else one was filled in from another."
        found.append(Finding("same_images", "warning", text, len(company.equal), of_classes(said), do))
    if company.within:
        text = f"{many(len(company.within), 'time', 'times')} a class never occurs without another"
        said = [f"{a} never without {b}, {n} images" for a, b, n in company.within]
        do = "If the second is the broader class, write that into a CSV with columns class,parent for --hierarchy."
        found.append(Finding("never_without", "note", text, len(company.within), of_classes(said), do))
    if company.never:
        more = " or more" if len(company.never) == MOST_COUPLES else ""  # the list is no longer than that
        text = f"{len(company.never)}{more} pairs of frequent classes never share an image"
        said = [f"{one.one} and {one.other}, {one.expected:,.0f} images expected" for one in company.never]
        do = "If both can be seen in one photograph, annotators may have stopped after the first label."
        found.append(Finding("never_together", "note", text, len(company.never), of_classes(said), do))
    return found
