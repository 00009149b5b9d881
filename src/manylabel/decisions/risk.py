"""One threshold with a guarantee: recall or precision of at least so much on images to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.checks import check
from manylabel.decisions._cuts import NEVER
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

Array = NDArray[np.float64]

METHODS, PROMISES = ("crc", "ltt"), ("recall", "precision")
LEVELS = 1000  # thresholds that learn-then-test tries


class Risk:
    """A threshold for all classes whose recall or precision on new images is guaranteed, if they are exchangeable.

    Recall is the mean, over images with a positive, of the share of its positives that are decided present; precision
    the mean over images of the share of what is decided present that is right, 1 where nothing is. Only known cells
    count; images that `fit` cannot judge are left out, and the guarantee is for images like the others.

    - Recall by conformal risk control (`method="crc"`, Angelopoulos et al., ICLR 2024): the highest threshold with
      (n (1 - recall) + 1) / (n + 1) <= 1 - wanted. Then the expected recall of a new image is at least `wanted`, over
      the draw of both the images fitted on and the new one. Precision is not monotone, so this method cannot give it.
    - Either by learn-then-test (`method="ltt"`, Angelopoulos et al., 2021): thresholds are tested one after the other
      from the safe end, each with the Hoeffding-Bentkus p-value, until one fails at `delta`. With probability
      1 - delta over the images fitted on, the mean recall or precision of all new images is at least `wanted`. The
      thresholds tried are quantiles of the scores fitted on, without their labels. To the letter the theory wants
      them fixed beforehand; our tests of coverage see no difference.

    Scores must compare across classes: calibrate them first. Where no threshold will do, recall falls back on deciding
    everything present and precision on nothing, which both keep the promise.

    Arguments:
        wanted: in (0, 1).
        of: "recall" or "precision".
        method: "crc" or "ltt"; by default the first for recall, the second for precision.
        delta: of learn-then-test, in (0, 1).

    Attributes after `fit`:
        threshold: on the scale of the scores; -infinity decides everything, infinity nothing.
        images: how many images the guarantee rests on.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.where(rng.random((400, 5)) < 0.3, 1, -1).astype(np.int8)
    >>> scores = rng.normal(size=labels.shape) + labels
    >>> rule = Risk(0.9).fit(scores, labels)
    >>> rule.images, round(rule.threshold, 1)
    (331, -0.2)
    """

    threshold: float
    images: int

    def __init__(
        self, wanted: float = 0.9, *, of: str = "recall", method: str | None = None, delta: float = 0.1
    ) -> None:
        if not 0 < wanted < 1:
            raise ManylabelError(f"the wanted {of} must lie between 0 and 1, got {wanted}")
        if of not in PROMISES:
            raise ManylabelError(f"a guarantee is of recall or precision, not {of!r}.{did_you_mean(of, PROMISES)}")
        method = method or ("crc" if of == "recall" else "ltt")
        if method not in METHODS:
            raise ManylabelError(f"there is no method {method!r}.{did_you_mean(method, METHODS)}")
        if method == "crc" and of == "precision":
            raise ManylabelError("precision does not only rise with the threshold, which 'crc' needs: take 'ltt'")
        if not 0 < delta < 1:
            raise ManylabelError(f"delta must lie between 0 and 1, got {delta}")
        self.wanted, self.of, self.method, self.delta = float(wanted), of, method, float(delta)

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Find the threshold on (N, C) scores and int8 labels that training has not seen."""
        scores = check(scores, labels)
        judged = (labels == PRESENT).any(axis=1) if self.of == "recall" else (labels != UNKNOWN).any(axis=1)
        cells, labels = np.asarray(scores[judged], np.float64), labels[judged]
        self.images = len(cells)
        if not self.images:
            raise ManylabelError(f"no image has a known {'positive' if self.of == 'recall' else 'cell'}")
        self.threshold = (
            _conformal(cells, labels, [self.wanted])[0] if self.method == "crc" else self._tested(cells, labels)
        )
        return self

    def _tested(self, scores: Array, labels: NDArray[np.int8]) -> float:
        """The last of the thresholds, from the safe end, whose risk is shown to be low enough."""
        levels = np.unique(np.quantile(scores, np.linspace(0, 1, LEVELS)))
        safe_first = levels if self.of == "recall" else levels[::-1]
        last = -NEVER if self.of == "recall" else NEVER
        for level in safe_first:
            losses = self._losses(scores >= level, labels)
            if hoeffding_bentkus(float(losses.mean()), len(losses), 1 - self.wanted) > self.delta:
                break
            last = float(level)
        return last

    def _losses(self, decided: NDArray[np.bool_], labels: NDArray[np.int8]) -> Array:
        """(N,) share of positives missed, or of what is decided present that is absent."""
        present = labels == PRESENT
        if self.of == "recall":
            return 1 - (decided & present).sum(axis=1) / present.sum(axis=1)
        wrong = (decided & (labels == ABSENT)).sum(axis=1)
        return wrong / np.maximum(wrong + (decided & present).sum(axis=1), 1)

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) bool."""
        return np.asarray(scores) >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """What JSON keeps; "all" and "none" stand for infinite thresholds."""
        ends = {NEVER: "none", -NEVER: "all"}
        return {
            "rule": "risk", "wanted": self.wanted, "of": self.of, "method": self.method, "delta": self.delta,
            "threshold": ends.get(self.threshold, self.threshold), "images": self.images,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The rule `to_dict` wrote."""
        rule = cls(data["wanted"], of=data["of"], method=data["method"], delta=data["delta"])
        ends = {"none": NEVER, "all": -NEVER}
        rule.threshold = ends[data["threshold"]] if data["threshold"] in ends else float(data["threshold"])
        rule.images = data["images"]
        return rule


def recall_cuts(
    scores: NDArray[np.floating], labels: NDArray[np.int8], wanted: Sequence[float]
) -> tuple[int, list[float]]:  # fmt: skip
    """How many images have a known positive, and the threshold of `Risk(w)` for each w in `wanted`, at one sorting.

    >>> recall_cuts(np.array([[0.1, 0.9], [0.3, 0.2]]), np.array([[-1, 1], [1, -1]], np.int8), [0.2, 0.7])
    (2, [0.9, -inf])
    """
    scores = check(scores, labels)
    judged = (labels == PRESENT).any(axis=1)
    if not judged.any():
        return 0, [-NEVER] * len(wanted)
    return int(judged.sum()), _conformal(np.asarray(scores[judged], np.float64), labels[judged], wanted)


def _conformal(scores: Array, labels: NDArray[np.int8], wanted: Sequence[float]) -> list[float]:
    """The highest positive's score at which enough is found; a threshold between two of them finds no more."""
    present, images = labels == PRESENT, len(scores)
    share = (present / present.sum(axis=1, keepdims=True))[present]  # what each positive adds to the mean recall
    found = scores[present]
    order = np.argsort(-found, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(found[order]) != 0, True))
    missed = images - np.cumsum(share[order])[ends]
    cuts = []
    for recall in wanted:
        good = missed + 1 <= (1 - recall) * (images + 1) + 1e-9
        cuts.append(float(found[order][ends[np.argmax(good)]]) if good.any() else -NEVER)
    return cuts


def hoeffding_bentkus(mean: float, number: int, limit: float) -> float:
    """p-value of "the true mean is above `limit`" for the mean of `number` independent losses in [0, 1].

    Bates et al. (J. ACM 2021): the smaller of exp(-n h(min(mean, limit), limit)), h the relative entropy of two coins,
    and e P(Binomial(n, limit) <= ceil(n mean)).

    >>> [round(hoeffding_bentkus(mean, 100, 0.1), 4) for mean in (0.0, 0.05, 0.1)]
    [0.0, 0.1565, 1.0]
    """
    if mean >= limit:
        return 1.0
    entropy = (1 - mean) * np.log((1 - mean) / (1 - limit)) + (mean * np.log(mean / limit) if mean > 0 else 0)
    k = np.arange(int(np.ceil(number * mean - 1e-9)) + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, number + 1)))])
    chances = (
        factorials[number]
        - factorials[k]
        - factorials[number - k]
        + k * np.log(limit)
        + (number - k) * np.log1p(-limit)
    )
    return float(min(np.exp(-number * entropy), np.e * np.exp(chances).sum(), 1.0))
