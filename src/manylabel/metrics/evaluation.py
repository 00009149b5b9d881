"""All numbers of one score file, as `metrics.json` holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.checks import check
from manylabel.labels import UNKNOWN, ManylabelError
from manylabel.metrics.bootstrap import basic_interval, resamples, weighted_average_precision, weighted_counts
from manylabel.metrics.counting import Counts, precision_recall_f1
from manylabel.metrics.groups import GROUPS, frequency_groups
from manylabel.metrics.judged import Judged
from manylabel.metrics.more import METRICS, number

HEADLINE = ("map", "map_head", "map_medium", "map_tail", "cf1", "of1", "cp", "cr", "op", "or")
INTERVALS = HEADLINE[:6]
OWN = "grouping:"
Progress = Callable[[int], object]
METHOD = (
    "basic (reversed percentile) bootstrap over images, classes and thresholds fixed; a class is left out of the"
    " resamples that hold none of its positives"
)


@dataclass(frozen=True)
class Settings:
    """How `evaluate` groups classes and resamples images.

    Arguments:
        head, tail: bounds of `frequency_groups`.
        resamples: bootstrap resamples; 0 gives no intervals.
        level: coverage aimed at, in (0, 1).
        seed: of the resampling.
    """

    head: int = 100
    tail: int = 20
    resamples: int = 1000
    level: float = 0.95
    seed: int = 0


def evaluate(
    scores: NDArray[np.floating],
    labels: NDArray[np.int8],
    *,
    names: Sequence[str],
    train_counts: ArrayLike | None = None,
    decisions: NDArray[np.bool_] | None = None,
    thresholds: ArrayLike | None = None,
    probabilities: NDArray[np.floating] | None = None,
    train_images: int = 0,
    grouping: Sequence[str | None] | None = None,
    settings: Settings = Settings(),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every headline number, its interval and the table per class, ready for JSON.

    Arguments:
        scores: (N, C) finite, any scale.
        labels: (N, C) int8 of ABSENT, UNKNOWN, PRESENT.
        names: C class names.
        train_counts: (C,) training positives, for head, medium and tail; None leaves those null.
        decisions: (N, C) bool, for F1, precision and recall.
        thresholds: (C,) or one number: listed per class and, where `decisions` is None, applied as
            score >= threshold. With neither, everything that needs decisions is null: no threshold is guessed.
        probabilities: (N, C) in [0, 1], for the calibration metrics, which are null without them.
        train_images: number of training images, for the propensity-scored metrics, which need `train_counts` too.
        grouping: (C,) any group of each class, None for none, beside head, medium and tail.
        progress: called with the number of resamples just done, for tables that take minutes.

    Returns:
        Every key of `metrics.more.METRICS`, and images, classes, classes_without_positives (their number),
        classes_map_averaged, unknown_share, map, map_head, map_medium, map_tail, cf1, of1, cp, cr, op, or,
        intervals (name -> [low, high] or None), bootstrap (how they were made), groups (bounds and sizes), grouping
        (group -> classes, averaged, map and its interval; None without) and per_class (name, train_positives,
        test_positives, test_known, ap, threshold, f1, group).

    >>> labels = np.array([[1, -1], [-1, 0], [1, -1]], np.int8)
    >>> scores = np.array([[0.9, 0.1], [0.5, 0.2], [0.4, 0.3]])
    >>> result = evaluate(scores, labels, names=["cat", "dog"], thresholds=0.45)
    >>> round(result["map"], 3), result["classes_without_positives"], result["of1"]
    (0.833, 1, 0.5)
    """
    scores = check(scores, labels)
    _check_names(names, scores.shape[1])
    limits = None if thresholds is None else np.broadcast_to(np.asarray(thresholds, np.float64), (len(names),))
    if decisions is None and limits is not None:
        decisions = scores >= limits
    counts = None if train_counts is None else np.asarray(train_counts)
    group = None if counts is None else frequency_groups(counts, head=settings.head, tail=settings.tail)
    judged = Judged(scores, labels, decisions, probabilities, counts, train_images)
    ap, decided = judged.ap, judged.classes
    facts = Facts(len(scores), names, judged.positives, (labels != UNKNOWN).sum(axis=0), counts, group, grouping)
    numbers = headline(ap, facts.masks, decided)
    values = _further(judged)
    resampled = _resampled(judged, facts.masks, settings, progress)
    intervals = _intervals(numbers, resampled, settings.level) | mean_intervals(values, settings)
    return told(facts, numbers, values, intervals, ap, None if decided is None else decided.f1, limits, settings)


@dataclass(frozen=True)
class Facts:
    """What was judged: how many images, and of each class its name, positives and known cells, here and in training."""

    images: int
    names: Sequence[str]
    positives: NDArray[np.int64]
    known: NDArray[np.int64]
    train_counts: NDArray[np.int64] | None
    group: NDArray[np.str_] | None
    grouping: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        if self.grouping is not None and len(self.grouping) != len(self.names):
            raise ManylabelError(f"grouping must hold a group or None for each of {len(self.names)} classes")

    @cached_property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """(C,) the classes of each mean AP by its key: map_head, ..., and `OWN` with the name of any other group."""
        found = {} if self.group is None else {f"map_{name}": self.group == name for name in GROUPS}
        own = np.array([name or "" for name in self.grouping or []], np.str_)
        return found | {OWN + name: own == name for name in dict.fromkeys(own.tolist()) if name}

    @property
    def unknown_share(self) -> float:
        """Share of unknown cells, 0 where there are no cells."""
        cells = self.images * len(self.names)
        return 1 - float(self.known.sum()) / cells if cells else 0.0


def told(
    facts: Facts, numbers: Mapping[str, Any], values: Mapping[str, Any], intervals: dict[str, list[float] | None],
    ap: NDArray[np.float64], f1: NDArray[np.float64] | None, limits: NDArray[np.float64] | None, settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """The dictionary that `evaluate` returns, from what was measured."""
    counts, group = facts.train_counts, facts.group
    return {
        "images": facts.images,
        "classes": len(facts.names),
        "classes_without_positives": int((facts.positives == 0).sum()),
        "classes_map_averaged": int((facts.positives > 0).sum()),
        "unknown_share": facts.unknown_share,
        **{key: _plain(numbers[key]) if key in numbers else None for key in HEADLINE},
        **{metric.key: _plain(number(values.get(metric.key))) for metric in METRICS},
        "intervals": {key: pair for key, pair in intervals.items() if not key.startswith(OWN)},
        "bootstrap": {
            "method": METHOD,
            "resamples": settings.resamples,
            "level": settings.level,
            "seed": settings.seed,
        },
        "groups": _group_sizes(group, facts.positives > 0, settings),
        "grouping": None if facts.grouping is None else _own_groups(facts, numbers, intervals),
        "per_class": [
            {
                "name": str(name),
                "train_positives": None if counts is None else int(counts[c]),
                "test_positives": int(facts.positives[c]),
                "test_known": int(facts.known[c]),
                "ap": _plain(ap[c]),
                "threshold": None if limits is None or np.isinf(limits[c]) else float(limits[c]),
                "f1": None if f1 is None else _plain(f1[c]),
                "group": None if group is None else str(group[c]),
            }
            for c, name in enumerate(facts.names)
        ],
    }


def _own_groups(facts: Facts, numbers: Mapping[str, Any], intervals: Mapping[str, Any]) -> dict[str, Any]:
    """Of each group of the user's its classes, how many of them have an AP, and the mean of those."""
    return {
        key.removeprefix(OWN): {
            "classes": int(mask.sum()), "averaged": int((mask & (facts.positives > 0)).sum()),
            "map": _plain(numbers[key]), "interval": intervals.get(key),
        }
        for key, mask in facts.masks.items() if key.startswith(OWN)
    }  # fmt: skip


def headline(
    ap: NDArray[np.float64], masks: Mapping[str, NDArray[np.bool_]], decided: Counts | None
) -> dict[str, NDArray[np.float64]]:
    """The headline numbers that can be had, from AP (..., C) and counts (..., C); the last axis is reduced.

    Mean AP is over all classes, then over those of each mask; classes without AP are left out.
    """
    means = {"map": _mean_known(ap)} | {key: _mean_known(ap[..., mask]) for key, mask in masks.items()}
    return means | ({} if decided is None else precision_recall_f1(decided))


def _resampled(
    judged: Judged, masks: Mapping[str, NDArray[np.bool_]], settings: Settings, progress: Progress | None
) -> dict[str, list[NDArray[np.float64]]]:
    """Each mean AP and, where there are decisions, CF1 and OF1 of every resample."""
    drawn: dict[str, list[NDArray[np.float64]]] = {key: [] for key in (*INTERVALS, *masks)}
    for weights in resamples(len(judged.scores), settings.resamples, settings.seed):
        ap = weighted_average_precision(judged.scores, judged.labels, weights)
        decided = None if judged.decisions is None else weighted_counts(judged.decisions, judged.labels, weights)
        found = headline(ap, masks, decided)
        for key, values in drawn.items():
            values.append(found.get(key, np.zeros(0)))
        if progress is not None:
            progress(len(weights))
    return drawn


def _intervals(
    numbers: Mapping[str, NDArray[np.float64]], resampled: Mapping[str, list[NDArray[np.float64]]], level: float
) -> dict[str, list[float] | None]:
    """[low, high] of each number that was resampled."""
    return {
        key: basic_interval(float(numbers[key]), np.concatenate(values), level) if key in numbers and values else None
        for key, values in resampled.items()
    }


def _further(judged: Judged) -> dict[str, Any]:
    """The value of every further metric: an array per image where it is a mean over images, else one number."""
    values = {metric.key: metric.value(judged) for metric in METRICS}
    return {
        metric.key: values[metric.key] if metric.per == "image" else number(values[metric.key]) for metric in METRICS
    }


def mean_intervals(values: dict[str, Any], settings: Settings) -> dict[str, list[float] | None]:
    """[low, high] of each mean over images; those that cannot be judged are left out of every resample."""
    arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
    if not arrays:
        return {}
    table = np.stack(list(arrays.values()), axis=1)  # (N, M)
    known, filled = ~np.isnan(table), np.nan_to_num(table)
    drawn = []
    for weights in resamples(len(table), settings.resamples, settings.seed):
        with np.errstate(invalid="ignore"):
            drawn.append((weights @ filled) / (weights @ known.astype(np.float64)))
    means = np.concatenate(drawn) if drawn else np.zeros((0, len(arrays)))
    return {
        key: basic_interval(number(value), means[:, m], settings.level, highest=np.inf)
        for m, (key, value) in enumerate(arrays.items())
    }


def _mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    known = (~np.isnan(values)).sum(axis=-1)
    return np.nansum(values, axis=-1) / np.where(known > 0, known, np.nan)


def _group_sizes(
    group: NDArray[np.str_] | None, judged: NDArray[np.bool_], settings: Settings
) -> dict[str, Any] | None:
    """The bounds, and of each group how many classes it has and how many of them its mean AP averages."""
    if group is None:
        return None
    sizes = {
        name: {"classes": int((group == name).sum()), "averaged": int(((group == name) & judged).sum())}
        for name in GROUPS
    }
    return {"head_from": settings.head, "tail_below": settings.tail, **sizes}


def _plain(value: Any) -> float | None:
    """A Python float, None for NaN: JSON has no NaN."""
    return None if np.isnan(value) else float(value)


def _check_names(names: Sequence[str], classes: int) -> None:
    if len(names) != classes:
        raise ManylabelError(f"{len(names)} class names for scores of {classes} classes")
