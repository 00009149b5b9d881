"""Run recipes: every result we claim, from one file each, resumable; a folder of them into one CSV of its name.

    python benchmarks/recipes.py recipes                     # the baselines: `make bench-coco80`
    python benchmarks/recipes.py recipes/flagship            # `make bench-flagship`
    python benchmarks/recipes.py recipes/coco80-lt-ridge.toml

A recipe is a TOML file of the sections that `manylabel train --config` takes, with `[recipe]` on top: data,
method, seeds and the expected numbers. Finished seeds are kept in runs/recipes and not run again. Numbers are of
the test part; every choice (epoch, alpha, thresholds) is made on validation.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from manylabel import config
from manylabel import data as datasets
from manylabel.metrics import Settings, evaluate
from manylabel.plan import plan
from manylabel.run import train
from manylabel.scores import load
from results import write

ROOT = Path(__file__).resolve().parents[1]
KEYS = ("map", "map_head", "map_medium", "map_tail", "cf1", "of1")


def run_recipe(path: Path) -> list[dict[str, Any]]:
    """One row a seed."""
    content = config.read_toml(path)
    recipe = content.pop("recipe")
    return [run_seed(path.stem, recipe, content, seed) for seed in recipe["seeds"]]


def run_seed(name: str, recipe: dict[str, Any], options: dict[str, Any], seed: int) -> dict[str, Any]:
    folder = ROOT / "runs" / "recipes" / f"{name}-seed{seed}"
    timing = folder / "seconds.txt"
    if not (folder / "metrics.json").exists():
        started = time.monotonic()
        sections = config.merge(options, {"train": {"seed": seed}})
        train(plan(recipe["data"], folder, method=recipe["method"], options=sections), resume=True)
        timing.write_text(f"{time.monotonic() - started:.1f}")
    numbers = json.loads((folder / "metrics.json").read_text(encoding="utf-8")) | grouped(folder, recipe)
    row = {"recipe": name, "seed": seed, **{key: rounded(numbers[key]) for key in (*KEYS, "validation_map")}}
    row |= {"best_epoch": numbers["best_epoch"], "expected": recipe["expected"], "seconds": timing.read_text()}
    print(", ".join(f"{k} {v}" for k, v in row.items()))
    return row


def rounded(value: float | None) -> float | str:
    """Five digits, and nothing where there is no number, as for the tail of data without one."""
    return "" if value is None else round(value, 5)


def grouped(folder: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """The metrics with head, medium and tail by the counts of the subset `groups`, whatever was trained on."""
    if "groups" not in recipe:
        return {}
    column, _, value = recipe["groups"].partition("=")
    dataset = datasets.read(ROOT / recipe["data"])
    counts = dataset.labels.rows((dataset.split == "train") & dataset.where(column, value)).counts
    file = load(folder / "scores-test.npz")
    thresholds = np.array(json.loads((folder / "labels.json").read_text(encoding="utf-8"))["thresholds"])
    numbers = evaluate(
        file.scores, file.labels, names=file.names.tolist(), train_counts=counts,
        thresholds=thresholds, decisions=file.scores >= thresholds, settings=Settings(resamples=0),
    )  # fmt: skip
    return {key: numbers[key] for key in KEYS}


def main() -> None:
    given = [Path(argument) for argument in sys.argv[1:]] or [ROOT / "recipes"]
    files = [file for path in given for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]
    missing = [f for f in files if not (ROOT / config.read_toml(f)["recipe"]["data"]).exists()]
    if missing:
        sys.exit(f"{missing[0].name} needs {config.read_toml(missing[0])['recipe']['data']}, which is not here")
    rows = {file: run_recipe(file) for file in files}
    for folder in (path for path in given if path.is_dir()):
        inside = [row for file, some in rows.items() if file.parent == folder for row in some]
        write(ROOT / "benchmarks" / "results" / f"{folder.resolve().name}.csv", inside)


if __name__ == "__main__":
    main()
