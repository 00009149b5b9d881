"""An exported file beside the model it came from, on photographs: the largest differences, and the speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError
from manylabel.model import Model, Photo

LIMIT = 1e-4  # of a probability
BATCH = 8

Run = Callable[[NDArray[np.uint8]], Sequence[Any]]


@dataclass(frozen=True)
class Difference:
    """What differs over `images` photographs and `classes` classes.

    Arguments:
        logits, probabilities: the largest absolute differences.
        decisions: how many cells are decided otherwise.
        seconds: of the model and of the file, both on all cores.
    """

    images: int
    classes: int
    logits: float
    probabilities: float
    decisions: int
    seconds: tuple[float, float]

    @property
    def same(self) -> bool:
        """Whether no probability differs by more than `LIMIT` and no decision at all."""
        return self.probabilities <= LIMIT and not self.decisions

    def __str__(self) -> str:
        ours, theirs = (self.images / seconds for seconds in self.seconds)
        decided = f"{self.decisions:,} decisions differ" if self.decisions else "all decisions the same"
        return (
            f"{self.images:,} photographs x {self.classes:,} classes: largest difference {self.logits:.1e} in logits,"
            f" {self.probabilities:.1e} in probabilities; {decided}; {theirs:.0f} images/s, PyTorch {ours:.0f}"
        )


def compare(model: Model, run: Run, photos: Sequence[Photo]) -> Difference:
    """What `run` (images (B, S, S, 3) to logits, probabilities, decisions) makes of photographs, beside the model.

    Raises ManylabelError where no photograph can be read.
    """
    images = [read for photo in photos if not isinstance(read := model.attempt(photo), str)]
    if not images:
        raise ManylabelError("not one of the photographs to verify on can be read")
    batches = [np.stack(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    spent, (logits,) = _timed(lambda batch: (model.network.scores(batch),), batches)
    took, answers = _timed(run, batches)
    p, decided = model.classes.probabilities(logits), model.classes.decide(logits)
    return Difference(
        len(images), len(model.classes), _largest(answers[0], logits), _largest(answers[1], p),
        int((np.asarray(answers[2], bool) != decided).sum()), (spent, took),
    )  # fmt: skip


def _timed(run: Run, batches: Sequence[NDArray[np.uint8]]) -> tuple[float, list[NDArray[Any]]]:
    """Seconds and answers of all batches; the first is run once before, for what is made on first use."""
    run(batches[0])
    start = time.perf_counter()
    answers = [run(batch) for batch in batches]
    spent = time.perf_counter() - start
    return spent, [np.concatenate([np.asarray(a) for a in part]) for part in zip(*answers)]


def _largest(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(np.abs(one.astype(np.float64) - other).max())
