"""Long tail: fewer images, so that the classes follow a Pareto curve of a given ratio.

Wu et al., "Distribution-balanced loss for multi-label classification in long-tailed datasets" (ECCV 2020): COCO-LT and
VOC-LT, whose class counts follow a Pareto density x^-(alpha + 1) with alpha 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.data.conditions import _check
from manylabel.data.conditions._change import positives, told, touched
from manylabel.data.conditions._draw import Draws, lowest_of, share_of
from manylabel.data.conditions._pick import Shown, pick
from manylabel.data.dataset import Dataset
from manylabel.labels import ManylabelError

NAME = "long_tail"
NEAR = 1.25  # a ratio further off than this is remarked on
HEAD, TAIL = 100, 20  # head from 100 training positives on, tail below 20


def apply(
    dataset: Dataset,
    *,
    seed: int = 0,
    ratio: float = 100.0,
    alpha: float = 6.0,
    most: int | None = None,
    parts: str = "train",
) -> Dataset:
    """Pareto long tail (Wu et al., ECCV 2020): images are left out until class counts follow the curve.

    Arguments:
        ratio: > 1, positives of the most frequent class over those of the rarest.
        alpha: > 0, the Pareto exponent; see `curve`.
        most: positives of the most frequent class; by default as many as there are, or as few as leave the rarest 1.
        parts: see `_change.touched`; images of other parts all stay.

    Classes keep their order by frequency (ties by name). Images show several classes, so counts follow the curve as
    nearly as the images allow: images are taken, those of rare classes first, while that lowers the sum over classes of
    (count / target - 1)^2, then exchanged while it helps. Images without positives stay in the share of the
    others. Lists (`SparseLabels`) do too. The note says the ratio reached and how many classes are head (100 positives
    or more), medium and tail (below 20).

    >>> from manylabel.data.conditions import example
    >>> found = apply(example(3000), ratio=10)
    >>> found.rows(found.split == "train").labels.counts.tolist(), found.notes[-1]
    ([1015, 345, 122], 'long_tail: ...; ratio 8.3; 3 head, 0 medium, 0 tail classes.')
    """
    _check.number("ratio", ratio, least=1)
    _check.number("alpha", alpha, least=1e-6)
    rows, draws = touched(dataset, parts), Draws(dataset, NAME, seed)
    shown = Shown.of(dataset.labels, rows)
    counts = shown.counts()
    if not counts.any():
        raise ManylabelError(f"{dataset.source}: there are no positives in {parts}, so no class counts to shape")
    target = targets(counts, dataset.labels.names, ratio, alpha, most)
    kept = ~rows
    kept[shown.rows] = pick(shown, target, draws.images()[shown.rows])
    kept |= _empty(dataset, rows, kept, draws)
    found = dataset.rows(kept)
    left = shown.counts(kept[shown.rows])
    given = {"ratio": float(ratio), "alpha": float(alpha), "most": most, "parts": parts, "seed": seed}
    said = f"{int((kept & rows).sum()):,} of {int(rows.sum()):,} images stay; {_groups(left[counts > 0], ratio)}"
    return told(found, NAME, given, said)


def curve(classes: int, ratio: float, alpha: float = 6.0) -> NDArray[np.float64]:
    """(C,) the Pareto density x^-(alpha + 1) at C equal steps of x from 1 to where it has fallen to 1 / ratio.

    >>> (100 * curve(3, 100)).round(1).tolist()
    [100.0, 6.9, 1.0]
    """
    end = ratio ** (1 / (alpha + 1))
    found: NDArray[np.float64] = np.linspace(1, end, classes) ** -(alpha + 1)
    return found


def targets(
    counts: NDArray[np.int64], names: tuple[str, ...], ratio: float, alpha: float, most: int | None
) -> NDArray[np.float64]:
    """(C,) positives wanted of each class, at least 1 and at most what there is; 1 of classes that have none."""
    order = np.array(sorted(range(len(counts)), key=lambda c: (-counts[c], names[c])))
    order = order[counts[order] > 0]
    shape = curve(len(order), ratio, alpha)
    highest = (counts[order] / shape).min() if most is None else _check.whole("most", most)
    wanted = np.ones(len(counts))
    wanted[order] = np.clip(np.rint(highest * shape), 1, counts[order])
    return wanted


def _empty(dataset: Dataset, rows: NDArray[np.bool_], kept: NDArray[np.bool_], draws: Draws) -> NDArray[np.bool_]:
    """(N,) the images without positives that stay: the share that stays of the others."""
    shows = np.zeros(len(rows), bool)
    shows[positives(dataset.labels, rows)[0]] = True
    none = np.flatnonzero(rows & ~shows)
    number = share_of(float(kept[shows].mean()), [len(none)])
    stay = np.zeros(len(rows), bool)
    stay[none] = lowest_of(draws.images(1)[none], np.zeros(len(none), np.int64), number)
    return stay


def _groups(counts: NDArray[np.int64], asked: float) -> str:
    head, tail = int((counts >= HEAD).sum()), int((counts < TAIL).sum())
    if not counts.min():
        reached = "some classes have no positive left"
    else:
        reached = f"ratio {counts.max() / counts.min():.1f}"
        if not asked / NEAR < counts.max() / counts.min() < asked * NEAR:
            reached += f", {asked:g} was asked for: classes share images, a smaller most may come nearer"
    return f"{reached}; {head} head, {len(counts) - head - tail} medium, {tail} tail classes."
