"""All numbers of lists of the highest classes, where classes are too many for a table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.metrics import sets
from manylabel.metrics.at_k import inverse_propensities
from manylabel.metrics.bootstrap import basic_interval, resamples
from manylabel.metrics.counting import Counts, precision_recall_f1
from manylabel.metrics.evaluation import Facts, Settings, headline, mean_intervals, told
from manylabel.metrics.groups import frequency_groups
from manylabel.metrics.judged import PLACES
from manylabel.metrics.more import DEEP
from manylabel.metrics.sparse import (
    average_precision_sparse,
    count_images_sparse,
    count_sparse,
    count_top_sparse,
    deepest,
    global_average_precision_sparse,
    top_sparse,
)
from manylabel.sparse import SparseLabels, TopScores

Array = NDArray[np.float64]


def evaluate_lists(
    scores: TopScores, labels: SparseLabels, *, names: Sequence[str], train_counts: ArrayLike | None = None,
    thresholds: ArrayLike | None = None, train_images: int = 0, grouping: Sequence[str | None] | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
) -> dict[str, Any]:  # fmt: skip
    """As `evaluate`, from lists: every number equals that of the table in which what is not listed is scored below all
    that is, and tied.

    Undefined (None) is what lists cannot tell: calibration, the order of all classes (AUROC, LRAP, ranking loss,
    coverage error, micro mAP), and what looks deeper than the lists of all images go. CF1 and OF1 have no intervals.

    Arguments:
        scores: the K highest classes of N images; labels: of the same images and C classes.
        names, train_counts, thresholds, train_images, grouping, settings: as of `evaluate`; what is not listed is
            decided absent.

    >>> scores = TopScores([[2, 0], [1, 2]], [[0.9, 0.4], [0.8, 0.1]], classes=3)
    >>> labels = SparseLabels.from_lists([[2], [2]], classes=3)
    >>> result = evaluate_lists(scores, labels, names=["a", "b", "c"], thresholds=0.5)
    >>> result["map"], result["p@1"], result["of1"], result["auroc"]
    (1.0, 0.5, 0.5, None)
    """
    counts = None if train_counts is None else np.asarray(train_counts)
    group = None if counts is None else frequency_groups(counts, head=settings.head, tail=settings.tail)
    limits = None if thresholds is None else np.broadcast_to(np.asarray(thresholds, np.float64), (len(names),))
    ap = average_precision_sparse(scores, labels)
    decided = None if limits is None else count_sparse(scores, labels, limits)
    facts = Facts(len(scores), names, labels.counts, labels.known_images, counts, group, grouping)
    numbers = headline(ap, facts.masks, decided)
    values = _at_k(scores, labels, counts, train_images) | _of_classes(decided) | _pooled(scores, labels, ap)
    if limits is not None:
        values |= _of_images(count_images_sparse(scores, labels, limits), labels)
    intervals = mean_intervals(values, settings) | _map_intervals(numbers, scores, labels, facts, settings)
    return told(facts, numbers, values, intervals, ap, None if decided is None else decided.f1, limits, settings)


def _at_k(scores: TopScores, labels: SparseLabels, counts: Any, images: int) -> dict[str, Any]:
    """Arrays per image of what is measured at k, for each k that the lists reach."""
    places = [k for k in PLACES if k <= scores.columns.shape[1]]
    if not places or not len(scores):
        return {}
    weights = None if counts is None or images < 3 else inverse_propensities(counts, images)
    top = top_sparse(scores, labels, places[-1], weights=weights)
    kinds = {"p": top.precision, "r": top.recall, "rp": top.r_precision, "ndcg": top.ndcg}
    values: dict[str, Any] = {f"{key}@{k}": array[:, k - 1] for key, array in kinds.items() for k in places}
    values["one_error"] = np.where(top.judged, 1 - top.hits[:, 0], np.nan)
    if weights is not None:
        values |= {f"psp@{k}": float(top.ps_precision[k - 1]) for k in places}
        values |= {f"psndcg@{k}": float(top.ps_ndcg[k - 1]) for k in places}
    return values


def _of_classes(decided: Counts | None) -> dict[str, float]:
    if decided is None:
        return {}
    there = decided.positives > 0
    parts = (decided.true_positives, decided.false_positives, decided.positives)
    total = Counts(*(part.sum(keepdims=True) for part in parts))

    def mean(values: Array) -> float:
        return float(values[there].mean()) if there.any() else np.nan

    return {
        "f1_macro": mean(sets.f_beta(decided)), "f2_macro": mean(sets.f_beta(decided, 2.0)),
        "jaccard_macro": mean(sets.jaccard(decided)), "jaccard_micro": float(sets.jaccard(total)[0]),
    }  # fmt: skip


def _pooled(scores: TopScores, labels: SparseLabels, ap: Array) -> dict[str, float]:
    """What takes all classes together."""
    there = labels.counts > 0
    weighted = float((ap[there] * labels.counts[there]).sum() / labels.counts.sum()) if there.any() else np.nan
    values = {"map_weighted": weighted, f"gap@{DEEP}": global_average_precision_sparse(scores, labels, DEEP)}
    if deepest(scores, labels) >= 3:
        numbers = precision_recall_f1(count_top_sparse(scores, labels, 3))
        values |= {f"{key}_top3": float(value) for key, value in numbers.items()}
    return values


def _of_images(counts: Counts, labels: SparseLabels) -> dict[str, Array]:
    """What is measured of each image's decided set."""
    known = labels.known.astype(np.float64)
    wrong = counts.false_positives + counts.positives - counts.true_positives
    share = np.divide(wrong, known, out=np.full(len(known), np.nan), where=known > 0)
    return {
        "f1_samples": sets.f_beta(counts), "jaccard_samples": sets.jaccard(counts), "hamming_loss": share,
        "subset_accuracy": np.where(known > 0, (wrong == 0).astype(np.float64), np.nan),
    }  # fmt: skip


def _map_intervals(
    numbers: dict[str, Array], scores: TopScores, labels: SparseLabels, facts: Facts, settings: Settings
) -> dict[str, list[float] | None]:
    """[low, high] of each mean AP."""
    drawn: dict[str, list[Array]] = {key: [] for key in ("map", *facts.masks)}
    for weights in resamples(len(scores), settings.resamples, settings.seed):
        found = headline(average_precision_sparse(scores, labels, weights), facts.masks, None)
        for key, values in drawn.items():
            values.append(found[key])
    return {
        key: basic_interval(float(numbers[key]), np.concatenate(values), settings.level) if values else None
        for key, values in drawn.items()
    }
