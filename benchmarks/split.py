"""Multi-label splits: shares kept, rare classes, seconds and memory, against the package iterative-stratification.

    python benchmarks/split.py [DATA] [--seeds 3] [--only quality|size] [--out benchmarks/results/split.csv]

DATA holds the folders coco80 and ucmerced; by default ../shared/data beside the project. Beside them stand 100,000
images drawn by a seed with 80 classes, the most frequent in 0.6 of the images, falling as 1 / rank, 3 an image; with
groups, 1 to 7 of these images belong to one patient.

`ratio_deviation` is the paper's: the mean over classes and parts of the distance between positives / others in a part
and in the whole. `largest` is the largest distance, in images, of a class in a part from its share; `size_off` that of
a part's size. `missing` counts class and part pairs without a positive though the class has at least as many positives
as there are parts. All of it is the mean over the seeds. `cpu_seconds` is the processor time of this process, which
other work on the machine touches less than the clock; both are medians.

The divisions of a million images each run in a process of their own, whose peak of memory holds the labels too.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel import data
from manylabel.data.split import assign
from manylabel.labels import LabelTable
from manylabel.sparse import SparseLabels
from results import write

PARTS: dict[str, tuple[float, ...]] = {"3 parts": (0.8, 0.1, 0.1), "5 folds": (0.2,) * 5, "10 folds": (0.1,) * 10}
SIZES = {"1,000,000 x 500": (500, 3.0), "1,000,000 x 100,000": (100_000, 5.0)}  # classes, positives an image
Ints = NDArray[np.int64]
Split = Callable[[LabelTable, Sequence[float], int, Ints | None], Ints]


def ours(table: LabelTable, shares: Sequence[float], seed: int, groups: Ints | None) -> Ints:
    fractions = {str(k): share for k, share in enumerate(shares)}
    return assign(table, fractions=fractions, seed=seed, groups=groups).astype(np.int64)


def theirs(table: LabelTable, shares: Sequence[float], seed: int, groups: Ints | None) -> Ints:
    try:
        from iterstrat.ml_stratifiers import IterativeStratification
    except ImportError:
        raise SystemExit("this bench needs the peer: pip install iterative-stratification") from None
    return np.asarray(IterativeStratification(table.present, np.array(shares), np.random.RandomState(seed)))


TOOLS: dict[str, Split] = {"manylabel": ours, "iterative-stratification": theirs}


def drawn(images: int, classes: int, an_image: float, seed: int = 0) -> LabelTable:
    """Classes independent of each other, of frequency 1 / rank."""
    rng, rank = np.random.default_rng(seed), 1 + np.arange(classes)
    share = np.minimum(an_image / rank / (1 / rank).sum(), 0.6)
    state = np.where(rng.random((images, classes), dtype=np.float32) < share, 1, -1).astype(np.int8)
    return LabelTable(state, tuple(map(str, range(classes))), tuple(f"images/{k}.jpg" for k in range(images)))


def judged(table: LabelTable, part: Ints, shares: Sequence[float]) -> dict[str, float]:
    """How far a split is from its shares."""
    number, total = len(shares), table.counts
    rows, columns = table.positives
    counts = np.bincount(columns * number + part[rows], minlength=len(total) * number).reshape(-1, number)
    sizes = np.bincount(part, minlength=number)
    some = (total > 0) & (total < len(table))
    odds = (total / np.maximum(len(table) - total, 1))[some, None]
    ratio = (counts / np.maximum(sizes - counts, 1))[some]
    wanted = np.outer(total, shares)
    return {
        "ratio_deviation": float(np.abs(ratio - odds).mean()),
        "largest": float(np.abs(counts - wanted).max()),
        "size_off": float(np.abs(sizes - len(table) * np.array(shares)).max()),
        "missing": int(((counts == 0) & (total >= number)[:, None]).sum()),
    }


def timed(split: Split, *problem: Any) -> tuple[Ints, float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    part = split(*problem)
    return part, time.perf_counter() - clock, time.process_time() - cpu


def quality(name: str, table: LabelTable, seeds: int, groups: Ints | None = None) -> list[dict[str, Any]]:
    """A row for each tool and number of parts; they take turns, seed by seed."""
    rows = []
    for parts, shares in PARTS.items():
        runs: dict[str, list[dict[str, float]]] = {}
        for seed in range(seeds):
            for tool, split in TOOLS.items():
                if groups is None or tool == "manylabel":
                    part, clock, cpu = timed(split, table, shares, seed, groups)
                    numbers = judged(table, part, shares)
                    runs.setdefault(tool, []).append({**numbers, "seconds": clock, "cpu_seconds": cpu})
        for tool, found in runs.items():
            row: dict[str, Any] = {"data": name, "parts": parts, "tool": tool}
            for key in found[0]:
                middle = statistics.median if "seconds" in key else statistics.mean
                row[key] = f"{middle([one[key] for one in found]):.5g}"
            rows.append(row)
            print(row, flush=True)
    return rows


def patients(images: int, seed: int = 0) -> Ints:
    """(N,) groups of 1 to 7 images."""
    sizes = np.random.default_rng(seed).integers(1, 8, images)
    return np.repeat(np.arange(images), sizes)[:images]


def million(what: str) -> LabelTable:
    """A table of 500 classes, lists of 100,000."""
    classes, an_image = SIZES[what]
    rng, images = np.random.default_rng(0), 1_000_000
    number = rng.poisson(an_image, images)
    shares = np.cumsum((1.0 + np.arange(classes)) ** -0.9)
    columns = np.searchsorted(shares / shares[-1], rng.random(int(number.sum())))
    keys = np.unique(np.repeat(np.arange(images), number) * classes + columns)
    names, ids = tuple(map(str, range(classes))), tuple(f"images/{k}.jpg" for k in range(images))
    starts = np.searchsorted(keys, np.arange(images + 1) * classes)
    lists = SparseLabels(starts, (keys % classes).astype(np.int32), np.ones(len(keys), np.int8), classes)
    return LabelTable(lists.dense() if classes <= 500 else lists, names, ids)


def size(what: str, parts: str) -> dict[str, Any]:
    """One division of a million images, in this process."""
    table, shares = million(what), PARTS[parts]
    part, clock, cpu = timed(ours, table, shares, 0, None)
    numbers = {key: f"{value:.5g}" for key, value in judged(table, part, shares).items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = {"seconds": f"{clock:.5g}", "cpu_seconds": f"{cpu:.5g}", "peak_gib": f"{peak:.3g}"}
    return {"data": what, "parts": parts, "tool": "manylabel", **numbers, **seconds}


def sizes() -> list[dict[str, Any]]:
    rows = []
    for what in SIZES:
        for parts in ("3 parts", "10 folds"):
            done = subprocess.run(
                [sys.executable, __file__, "--one", what, parts], capture_output=True, text=True, check=True
            )
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("data", nargs="?", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("quality", "size"))
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "PARTS"), help="one size in this process")
    parser.add_argument("--out", type=Path, default=root / "benchmarks" / "results" / "split.csv")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(size(*asked.one)))
        return
    rows = []
    if asked.only != "size":
        for name in ("coco80", "ucmerced"):
            rows += quality(name, data.read(asked.data / name / "labels.csv").labels, asked.seeds)
        table = drawn(100_000, 80, 3)
        rows += quality("100,000 x 80", table, asked.seeds)
        rows += quality("100,000 x 80, groups", table, asked.seeds, patients(100_000))
    if asked.only != "quality":
        rows += sizes()
    write(asked.out, rows)


if __name__ == "__main__":
    main()
