"""What a review is good for beside corrected labels: sets of accepted labels, and the slice of confirmed bad mistakes.

Vasudevan et al., When does dough become a bagel? (NeurIPS 2022): half of what looked like mistakes of good models were
labels nobody had given; a model is right where its answer is in the set of labels that people accept, and the images
on which it is badly wrong become a small test set of their own (ImageNet-Major) to be asked again for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from manylabel.audits.findings import STATES, Finding, apply
from manylabel.audits.severity import MAJOR
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError
from manylabel.scores import ScoreFile
from manylabel.scores.join import join


def accepted_accuracy(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> float:
    """Share of images whose highest-scored class is accepted, in [0, 1]; multi-label accuracy of the paper.

    Accepted is what `labels` say is present: those of a table after `findings.apply`. Each label accepted can only
    raise it. An image whose highest-scored class nobody judged is left out, as is one without a class; NaN where no
    image is left. Of equal scores the first class counts.

    Arguments:
        scores: (N, C) of any scale.
        labels: (N, C) int8.

    >>> scores = np.array([[0.9, 0.4], [0.2, 0.3], [0.8, 0.1]])
    >>> accepted_accuracy(scores, np.array([[1, -1], [1, -1], [0, 1]], np.int8))
    0.5
    >>> accepted_accuracy(scores, np.array([[1, -1], [1, 1], [0, 1]], np.int8))
    1.0
    """
    if np.shape(scores) != np.shape(labels):
        raise ManylabelError(f"scores and labels must have one shape, got {np.shape(scores)} and {np.shape(labels)}")
    if not np.size(labels):
        return float("nan")
    states = labels[np.arange(len(labels)), np.argmax(scores, axis=1)]
    judged = int((states != UNKNOWN).sum())
    return float((states == PRESENT).sum() / judged) if judged else float("nan")


def accepted_share(file: ScoreFile, table: LabelTable) -> float:
    """`accepted_accuracy` of a score file by the labels of a table, images and classes joined by name."""
    joined = join(file, table)
    assert joined.labels is not None
    return accepted_accuracy(joined.scores, joined.labels)


def is_major_mistake(finding: Finding) -> bool:
    """Whether the review confirmed that the model, not the label, was wrong, and badly.

    So it is where the suggestion was rejected, the severity is "major" and the model believed the label less than
    half. (An accepted suggestion is a mistake of the label.)
    """
    return finding.verdict == "reject" and finding.severity == MAJOR and finding.confidence < 0.5


def major_slice(table: LabelTable, findings: Iterable[Finding]) -> LabelTable:
    """The images on which the model made a confirmed major mistake, with their labels after the review.

    The model that was audited gets none of these images wholly right: its subset accuracy at probability 0.5 is 0 by
    construction, and that of later models shows what was won.

    Arguments:
        table: the labels that were audited.
        findings: the reviewed findings; `findings.apply` must take them.

    >>> table = LabelTable(np.array([[1, -1], [1, 1]], np.int8), ("cat", "dog"), ("a", "b"))
    >>> missed = Finding(1, "b", "dog", "present", "absent", 0.1, 0.1, "", "wrong label", "major", "reject")
    >>> major_slice(table, [missed]).ids
    ('b',)
    """
    reviewed = list(findings)
    corrected, _ = apply(table, reviewed)
    wrong = {finding.image for finding in reviewed if is_major_mistake(finding)}
    return corrected.rows(np.array([image in wrong for image in table.ids], bool))


def completed(table: LabelTable, findings: Iterable[Finding]) -> LabelTable:
    """Labels read from complete lists, with the classes that no list names but findings do: absent from every image.

    >>> missing = Finding(1, "a", "dog", "absent", "present", 0.1, 0.1, "", "missing label", "major")
    >>> completed(LabelTable(np.array([[1]], np.int8), ("cat",), ("a",)), [missing]).state.tolist()
    [[1, -1]]
    """
    new = sorted({one.label for one in findings if STATES[one.given] == ABSENT} - set(table.names))
    more = np.full((len(table), len(new)), ABSENT, np.int8)
    more[~table.known.any(axis=1)] = UNKNOWN
    return LabelTable(np.hstack([table.state, more]), (*table.names, *new), table.ids)
