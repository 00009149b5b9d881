"""From finished runs to the table of the ablation bench: means, paired intervals, verdicts and costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import paired
from ablation_runs import SEEDS, Runs
from arms import ARMS, PAIRS, Arm


class Table:
    """Rows of the CSV, from the finished runs of all arms in `folder`.

    `labels` (N, C) are those of the test part, `groups` name masks (C,) of classes; "tail" must be among them.
    """

    def __init__(
        self, labels: NDArray[np.int8], groups: Mapping[str, NDArray[np.bool_]], folder: Path, *,
        epochs: int | None = None, resamples: int = 1000,
    ) -> None:  # fmt: skip
        self.labels, self.groups, self.resamples = labels, groups, resamples
        self.runs = {arm.name: Runs(folder, arm, epochs) for arm in ARMS}
        self.kept: dict[str, dict[str, NDArray[np.float64]]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """One for each arm that is finished, then one for each pair."""
        done = [name for name, runs in self.runs.items() if not runs.left]
        rows = [self.row(self.runs[name].arm, "base" if name != "base" else "") for name in done]
        return rows + [self.row(Arm(a, section), b) for a, b, section in PAIRS if a in done and b in done]

    def row(self, arm: Arm, against: str) -> dict[str, Any]:
        """One arm, and its difference from `against`."""
        runs = self.runs[arm.name]
        good = runs.finished()
        row: dict[str, Any] = {"arm": arm.name, "section": arm.section, "claim": arm.claim}
        row |= {"expected": arm.expected and f"{arm.measure} {arm.expected}", "against": against, "lr": runs.chosen()}
        row["seeds"] = len(good)
        if len(good) < len(SEEDS):
            return row | {"verdict": "diverged"}
        row["val_map"] = percent(np.mean([record["val_map"] for record in good]))
        row |= self.measured(arm, against)
        cost = {key: [record[key] for record in good] for key in ("seconds_per_epoch", "cpu_seconds_per_epoch")}
        row |= {key: round(float(np.median(values)), 2) for key, values in cost.items()}
        row["parameters"] = good[0]["parameters"]
        row["peak_mb"] = max(record["peak_mb"] for record in good)
        return row

    def measured(self, arm: Arm, against: str) -> dict[str, Any]:
        """Test mAP and tail of the arm, and their differences with intervals."""
        row: dict[str, Any] = {}
        for name, values in self.resampled(arm.name).items():
            row[f"test_{name}"], row[f"test_{name}_sd"] = percent(values[0].mean()), percent(values[0].std(ddof=1))
        if not against or len(self.runs[against].finished()) < len(SEEDS):
            return row
        said = {}
        for name, interval in paired.compare(self.resampled(arm.name), self.resampled(against)).items():
            row |= {f"delta_{name}{end}": round(v, 2) for end, v in zip(("", "_low", "_high"), interval)}
            said[name] = paired.verdict(*interval[1:])
        row |= {"verdict": said["total"], "verdict_tail": said["tail"]}
        if arm.expected:
            row["claim_verdict"] = judge(arm.expected, said[arm.measure])
        return row

    def resampled(self, name: str) -> dict[str, NDArray[np.float64]]:
        if name not in self.kept:
            runs = self.runs[name]
            rate = runs.chosen()
            assert rate is not None
            scores = np.stack([runs.scores(rate, seed) for seed in SEEDS])
            self.kept[name] = paired.resampled(scores, self.labels, self.groups, resamples=self.resamples)
        return self.kept[name]


def judge(expected: str, verdict: str) -> str:
    """What a verdict says of a claim that expected another or the same.

    >>> judge("hurts", "hurts"), judge("hurts", "helps"), judge("hurts", "undecided")
    ('confirmed', 'contradicted', 'undecided')
    """
    if verdict == "undecided":
        return verdict
    return "confirmed" if verdict == expected else "contradicted"


def percent(value: float) -> float:
    return round(100 * float(value), 2)
