"""Train recipes/flagship and compare the systems pair by pair on the same photographs: `make bench-flagship`.

    python benchmarks/flagship.py

The intervals are those of `paired.py`: a resample draws test photographs and seeds; a system without a random part is
paired with itself under every seed. A sum of systems adds their scores, each standardised class by class with its
mean and standard deviation on validation. Writes benchmarks/results/flagship.csv and flagship-pairs.csv.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import paired
from manylabel import config
from manylabel import data as datasets
from manylabel.metrics import frequency_groups
from manylabel.scores import load
from recipes import ROOT, run_recipe
from results import write

FOLDER = ROOT / "recipes" / "flagship"
RIVALS = (
    ("ridge",), ("mlp",), ("ridge", "mlp"), ("kernel-ridge",), ("kernel-ridge", "mlp"),
)  # fmt: skip
SYSTEMS = ("cprfl-frozen", "auto")


@cache
def scores(subset: str, system: str, seeds: int) -> NDArray[np.float64]:
    """(S, N, C) test scores, standardised by validation; the seeds there are come again where there are fewer."""
    stem = f"coco80-{subset}-{system}"
    there = config.read_toml(FOLDER / f"{stem}.toml")["recipe"]["seeds"]
    parts = []
    for number in range(seeds):
        run = ROOT / "runs" / "recipes" / f"{stem}-seed{there[number % len(there)]}"
        val, test = (load(run / f"scores-{part}.npz").scores.astype(np.float64) for part in ("val", "test"))
        parts.append((test - val.mean(0)) / np.maximum(val.std(0), 1e-9))
    return np.stack(parts)


def pairs(subset: str, labels: NDArray[np.int8], tail: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Each of our systems against each rival and each sum of rivals, and against each other."""
    drawn: dict[tuple[str, ...], Any] = {}

    def resampled(systems: tuple[str, ...], seeds: int) -> Any:
        if (systems, seeds) not in drawn:
            total = sum(scores(subset, system, seeds) for system in systems)
            drawn[systems, seeds] = paired.resampled(np.asarray(total), labels, {"tail": tail})
        return drawn[systems, seeds]

    rows = []
    ours = [system for system in SYSTEMS if (FOLDER / f"coco80-{subset}-{system}.toml").exists()]
    for system in ours:
        seeds = len(config.read_toml(FOLDER / f"coco80-{subset}-{system}.toml")["recipe"]["seeds"])
        for rival in (*RIVALS, *((other,) for other in ours if other != system)):
            found = paired.compare(resampled((system,), seeds), resampled(rival, seeds))
            row: dict[str, Any] = {"data": subset, "system": system, "against": " + ".join(rival), "seeds": seeds}
            for name, (difference, low, high) in found.items():
                row |= {f"delta_{name}": round(difference, 2), f"{name}_low": round(low, 2)}
                row |= {f"{name}_high": round(high, 2), f"verdict_{name}": paired.verdict(low, high)}
            rows.append(row)
            print(json.dumps(row))
    return rows


def main() -> None:
    files = sorted(FOLDER.glob("*.toml"))
    results = ROOT / "benchmarks" / "results"
    write(results / "flagship.csv", [row for file in files for row in run_recipe(file)])
    dataset = datasets.read(ROOT / "../shared/data/coco80/labels.csv")
    counts = dataset.labels.rows((dataset.split == "train") & dataset.where("long_tail", "1")).counts
    labels = dataset.labels.state[dataset.split == "test"]
    tail = frequency_groups(counts) == "tail"
    write(results / "flagship-pairs.csv", [row for subset in ("lt", "full") for row in pairs(subset, labels, tail)])


if __name__ == "__main__":
    main()
