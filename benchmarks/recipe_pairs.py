"""Differences between the systems of two recipes, or of sums of them, on the same test photographs of coco80.

The intervals are those of `paired.py`: a resample draws test photographs and seeds; a system with fewer seeds than the
other is paired with its seeds again. A sum of systems adds their scores, each standardised class by class with its
mean and standard deviation on validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import paired
from manylabel import config
from manylabel import data as datasets
from manylabel.metrics import frequency_groups
from manylabel.scores import load
from recipes import ROOT

Systems = tuple[str, ...]
"""Recipes by the ends of their names; several are a sum."""


class Pairs:
    """Compares runs of the recipes `folder`/`prefix`*.toml; tail classes are those of the long-tailed subset."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        self.drawn: dict[tuple[Systems, int], Any] = {}
        self.labels, self.groups = truth()

    def seeds(self, system: str) -> list[int]:
        seeds: list[int] = config.read_toml(self.folder / f"{self.prefix}{system}.toml")["recipe"]["seeds"]
        return seeds

    def scores(self, system: str, seeds: int) -> NDArray[np.float64]:
        """(S, N, C) test scores, standardised by validation; the seeds there are come again where there are fewer."""
        there = self.seeds(system)
        parts = []
        for number in range(seeds):
            run = ROOT / "runs" / "recipes" / f"{self.prefix}{system}-seed{there[number % len(there)]}"
            val, test = (load(run / f"scores-{part}.npz").scores.astype(np.float64) for part in ("val", "test"))
            parts.append((test - val.mean(0)) / np.maximum(val.std(0), 1e-9))
        return np.stack(parts)

    def resampled(self, systems: Systems, seeds: int) -> Any:
        if (systems, seeds) not in self.drawn:
            total = sum(self.scores(system, seeds) for system in systems)
            self.drawn[systems, seeds] = paired.resampled(np.asarray(total), self.labels, self.groups)
        return self.drawn[systems, seeds]

    def row(self, systems: Systems, against: Systems) -> dict[str, Any]:
        """Difference of mAP in points, over all classes and those of the tail, with 95 % intervals and verdicts."""
        seeds = max(len(self.seeds(name)) for name in systems)
        found = paired.compare(self.resampled(systems, seeds), self.resampled(against, seeds))
        row: dict[str, Any] = {"system": " + ".join(systems), "against": " + ".join(against), "seeds": seeds}
        for name, (difference, low, high) in found.items():
            row |= {f"delta_{name}": round(difference, 2), f"{name}_low": round(low, 2)}
            row |= {f"{name}_high": round(high, 2), f"verdict_{name}": paired.verdict(low, high)}
        return row

    def rows(self, pairs: Iterable[tuple[Systems, Systems]]) -> list[dict[str, Any]]:
        rows = []
        for systems, against in pairs:
            rows.append(self.row(systems, against))
            print(json.dumps(rows[-1]), flush=True)
        return rows


@cache
def truth() -> tuple[NDArray[np.int8], dict[str, NDArray[np.bool_]]]:
    """(N, C) labels of the test part, and which classes are of the tail."""
    dataset = datasets.read(ROOT / "../shared/data/coco80/labels.csv")
    counts = dataset.labels.rows((dataset.split == "train") & dataset.where("long_tail", "1")).counts
    return dataset.labels.state[dataset.split == "test"], {"tail": frequency_groups(counts) == "tail"}
