"""What a report is made of, checked once, and the decisions and probabilities that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.decisions.platt import sigmoid
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError
from manylabel.report.models import Model, Other, check_names, check_shape


class Scored(Protocol):
    """The part of a score file the report reads: one row per image, one column per class, with labels."""

    @property
    def ids(self) -> Any: ...
    @property
    def names(self) -> Any: ...
    @property
    def scores(self) -> Any: ...
    @property
    def labels(self) -> Any: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything one page shows. Only the first three are needed; a section without its data says so.

    Arguments:
        title: the page's heading.
        scores: N images by C classes with `ids`, `names`, `scores`, `kind` ("logit" or "probability") and
            `labels` (N, C) of ABSENT, UNKNOWN, PRESENT: the part the numbers were measured on.
        metrics: the content of metrics.json: fractions in [0, 1], None where undefined, `per_class`, and
            optionally `part` (what was scored, "test" if not said), `intervals` (name -> [low, high]),
            `bootstrap` with the `level` of those, and `groups` with the bounds `head_from` and `tail_below`.
        thresholds: (C,) on the scores' own scale; a class is decided present where score >= threshold, never
            where the threshold is NaN. None: logit 0 or probability 0.5, and the page says so.
        temperatures, biases: (C,) each, calibrating as sigmoid(score / temperature + bias); both or neither.
        parts: "train", "val", "test" -> (n, C) label states.
        log: rows of log.csv; columns that hold no number are left out of the curves. With a column `system` each row
            is a trained system rather than an epoch, and they are listed.
        pictures: image id -> bytes of a small JPEG, PNG or WebP (about 160 px), or None where there is none.
        config: what the run was made with, nested as in config.json.
        command: the command that repeats the run.
        notes: sentences the reader should see first, such as damaged images or classes left out.
        name: of this model, beside others; "this model" if not said.
        others: other models' answers for the same images and classes, laid over this one's.
        decisions: (N, C) bool, what a rule without a threshold a class decided, such as `top_k`. None: score >=
            threshold.
        threshold_intervals: (C, 2) where most thresholds of resampled validation images lie, NaN for none.
        findings: suspected label errors in the order of their rank, such as `manylabel.audits.findings.find` gives:
            objects with `rank`, `image`, `label`, `given`, `suggested`, `confidence`, `reasons` and, if they have
            them, `verdict`, `category` and `severity`.
    """

    title: str
    scores: Scored
    metrics: Mapping[str, Any]
    thresholds: ArrayLike | None = None
    temperatures: ArrayLike | None = None
    biases: ArrayLike | None = None
    parts: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    log: Sequence[Mapping[str, Any]] | None = None
    pictures: Callable[[str], bytes | None] | None = None
    config: Mapping[str, Any] | None = None
    command: str = ""
    notes: Sequence[str] = ()
    name: str = ""
    others: Sequence[Other] = ()
    decisions: ArrayLike | None = None
    threshold_intervals: ArrayLike | None = None
    findings: Sequence[Any] = ()

    def __post_init__(self) -> None:
        shape = (len(self.scores.ids), len(self.scores.names))
        if self.scores.labels is None:
            raise ManylabelError(
                "a report compares scores with labels, and this score file has none: join labels first"
            )
        if self.scores.kind not in ("logit", "probability"):
            raise ManylabelError(f'kind must be "logit" or "probability", got {self.scores.kind!r}')
        for what, array in (("scores", self.scores.scores), ("labels", self.scores.labels)):
            if np.shape(array) != shape:
                raise ManylabelError(f"{what} must be (images, classes) = {shape}, got {np.shape(array)}")
        self._check_finite()
        for what in ("thresholds", "temperatures", "biases"):
            check_shape(what, getattr(self, what), shape[1:])
        check_shape("decisions", self.decisions, shape)
        check_shape("threshold_intervals", self.threshold_intervals, (shape[1], 2), "(classes, low and high)")
        if (self.temperatures is None) != (self.biases is None):
            raise ManylabelError("temperatures and biases calibrate together: give both or neither")
        for part, state in self.parts.items():
            if np.ndim(state) != 2 or np.shape(state)[1] != shape[1]:
                raise ManylabelError(f"part {part!r} must be (images, {shape[1]}), got {np.shape(state)}")
        for other in self.others:
            other.check(shape)
        check_names([self.model_name, *(other.name for other in self.others)])

    @property
    def systems(self) -> bool:
        """Whether the log's rows are systems that were trained in turn, rather than epochs."""
        return bool(self.log) and "system" in self.log[0]  # type: ignore[index]

    def _check_finite(self) -> None:
        bad = np.argwhere(~np.isfinite(np.asarray(self.scores.scores, np.float64)))
        if len(bad):
            row, column = bad[0]
            raise ManylabelError(
                f"{len(bad)} scores are not finite, the first for image {str(self.scores.ids[row])!r}, class"
                f" {str(self.scores.names[column])!r}: {self.scores.scores[row][column]}; score those images again"
            )

    @property
    def part(self) -> str:
        """The name of the scored part."""
        return str(self.metrics.get("part") or "test")

    @cached_property
    def all_parts(self) -> dict[str, NDArray[np.int8]]:
        """Every part's label states, the scored one included; training first, empty parts left out."""
        states = {name: np.asarray(state) for name, state in self.parts.items() if len(state)}
        states.setdefault(self.part, self.labels)
        first = [name for name in ("train", "val", "test") if name in states]
        return {name: states[name] for name in [*first, *sorted(set(states) - set(first))]}

    @cached_property
    def ids(self) -> list[str]:
        """Image ids as text."""
        return [str(i) for i in self.scores.ids]

    @cached_property
    def names(self) -> list[str]:
        """Class names as text."""
        return [str(n) for n in self.scores.names]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(N, C) scores on the file's own scale."""
        return np.asarray(self.scores.scores, np.float64).reshape(len(self.ids), len(self.names))

    @cached_property
    def labels(self) -> NDArray[np.int8]:
        """(N, C) ABSENT, UNKNOWN, PRESENT."""
        return np.asarray(self.scores.labels, np.int8).reshape(self.values.shape)

    @cached_property
    def cuts(self) -> NDArray[np.float64]:
        """(C,) threshold of each class; NaN where a class has none: never decided, or decided by another rule."""
        if self.thresholds is not None:
            return np.asarray(self.thresholds, np.float64)
        if self.decisions is not None:
            return np.full(len(self.names), np.nan)
        return np.full(len(self.names), 0.0 if self.scores.kind == "logit" else 0.5)

    @cached_property
    def decided(self) -> NDArray[np.bool_]:
        """(N, C) the decisions given, else score >= threshold; a NaN threshold decides nothing."""
        if self.decisions is not None:
            return np.asarray(self.decisions, np.bool_).reshape(self.values.shape)
        return self.values >= self.cuts

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, C) calibrated where temperatures are given, else the sigmoid of a logit, else the score itself."""
        if self.temperatures is not None and self.biases is not None:
            return sigmoid(self.values / np.asarray(self.temperatures, np.float64) + np.asarray(self.biases))
        return sigmoid(self.values) if self.scores.kind == "logit" else self.values

    @property
    def model_name(self) -> str:
        """What the legends call this model."""
        return self.name or "this model"

    @cached_property
    def models(self) -> list[Model]:
        """This model first, then the others."""
        scales = None
        if self.temperatures is not None and self.biases is not None:
            scales = np.stack([np.asarray(self.temperatures, np.float64), np.asarray(self.biases, np.float64)], 1)
        own = Model(self.model_name, self.scores.kind, self.values, self.cuts, self.decided, None, scales)
        return [own, *(other.model for other in self.others)]

    @property
    def groups(self) -> NDArray[np.str_]:
        """(C,) head, medium, tail or "" where it is not known."""
        return np.array([str(entry.get("group") or "") for entry in self.per_class], np.str_)

    @cached_property
    def per_class(self) -> list[Mapping[str, Any]]:
        """metrics.json's entry of each class, in the scores' order; empty where it has none."""
        found = {str(entry["name"]): entry for entry in self.metrics.get("per_class") or []}
        return [found.get(name, {}) for name in self.names]

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """(C,) classes by falling training positives, test positives where there is no training part."""
        test = (self.labels == PRESENT).sum(axis=0)
        return np.lexsort((-test, -self.training_positives))

    @cached_property
    def training_positives(self) -> NDArray[np.int64]:
        """(C,) from the train part, else from metrics.json, else zeros."""
        if "train" in self.parts:
            return (np.asarray(self.parts["train"]) == PRESENT).sum(axis=0, dtype=np.int64)
        return np.array([entry.get("train_positives") or 0 for entry in self.per_class], np.int64)

    @property
    def has_training_counts(self) -> bool:
        """Whether training positives are known at all."""
        return "train" in self.parts or any(e.get("train_positives") is not None for e in self.per_class)

    @property
    def extra(self) -> NDArray[np.bool_]:
        """(N, C) false positives: decided present, labelled absent; unknown cells are no error."""
        return self.decided & (self.labels == ABSENT)

    @property
    def missed(self) -> NDArray[np.bool_]:
        """(N, C) false negatives: labelled present, not decided."""
        return ~self.decided & (self.labels == PRESENT)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """(N, C) cells nobody judged."""
        return self.labels == UNKNOWN
