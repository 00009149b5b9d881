"""What label conditions cost at size: seconds and peak memory of each on 1,000,000 images x 500 classes, one thread.

    python benchmarks/conditions_at_size.py [--small] [--only TASK ...] [--out FILE.csv]

Every task runs in a fresh process, so that the peak (`ru_maxrss`) is its own: `data_gib` is the peak once the table
(0.47 GiB) with its ids and files is there, `peak_gib` that at the end, when both the dataset before and the one after
are held. Classes are in 15 % to 1 in 10,000 of the images, 2.3 labels an image on the mean; nine of ten rows are in
train, each positive has a box, a column names one of 20 sites. `--small` takes a tenth of the images and of the
classes; `--only` measures some tasks and keeps the other rows of the file. The promise is `MOST_GIB` and
`MOST_SECONDS` for each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from at_size import THREADS, kept
from manylabel.data import conditions
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.data.files import Files
from manylabel.labels import ABSENT, PRESENT, LabelTable
from results import write

IMAGES, CLASSES, ROWS = 1_000_000, 500, 10_000
MOST_COMMON, RAREST = 0.15, 1e-4
MOST_GIB, MOST_SECONDS = 4.0, 120.0
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "partial": ("partial", {"rate": 0.1}),
    "partial by image": ("partial", {"rate": 0.1, "by": "image"}),
    "partial by class": ("partial", {"rate": 0.1, "by": "class"}),
    "partial, positives only": ("partial", {"rate": 0.1, "negatives": "none"}),
    "single positive": ("single_positive", {}),
    "single positive by salience": ("single_positive", {"by": "salience"}),
    "drop positives": ("drop_positives", {"rate": 0.2, "rare": 0.5}),
    "flip": ("flip", {"present": 0.1, "absent": 0.01}),
    "candidates": ("candidates", {"rate": 2.0, "by": "image"}),
    "long tail": ("long_tail", {"ratio": 500.0, "most": 20_000}),
    "few shots": ("few_shot", {"shots": 5}),
    "unseen": ("unseen", {"number": 20}),
    "incremental": ("incremental", {"base": 100, "increment": 50}),
    "federated": ("federated", {"clients": 100, "alpha": 0.3}),
    "annotators": ("annotators", {"number": 3, "abstain": 0.985}),
    "weak sources": ("weak_sources", {"number": 5, "coverage": 0.01, "correlation": 0.3}),
    "bags": ("bags", {"size": 8}),
}


def table(images: int, classes: int) -> Dataset:
    """The dataset of all tasks."""
    rng, share = np.random.default_rng(0), np.geomspace(MOST_COMMON, RAREST, classes).astype(np.float32)
    share *= np.float32(2.3) / share.sum()
    state = np.full((images, classes), ABSENT, np.int8)
    for start in range(0, images, ROWS):
        some = state[start : start + ROWS]
        some[rng.random(some.shape, dtype=np.float32) < share] = PRESENT
    ids = tuple(f"{row:07}.jpg" for row in range(images))
    labels = LabelTable(state, tuple(f"class {c}" for c in range(classes)), ids)
    split = np.where(np.arange(images) % 10 == 9, "test", "train").astype("<U5")
    site = rng.integers(20, size=images).astype("<U2")
    boxes = Cells(*labels.positives, rng.random((int(labels.counts.sum()), 4)) / 2)
    files = Files([f"/photos/{name}" for name in ids])
    return Dataset(labels, files, split, {"site": site}, Path("made"), "made", (), range(1, images + 1),
                   beside=Beside(boxes=boxes))  # fmt: skip


def peak_gib() -> float:
    """The most memory this process ever held; Linux counts in kB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30


def measure(task: str, images: int, classes: int) -> dict[str, object]:
    """Run one task in this process."""
    name, given = TASKS[task]
    data = table(images, classes)
    before, start, used = peak_gib(), time.perf_counter(), time.process_time()
    after = conditions.apply(data, name, given=given)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    return {
        "task": task, "images": images, "classes": classes, "options": json.dumps(given), "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1), "data_gib": round(before, 2), "peak_gib": round(peak_gib(), 2),
        "images_after": len(after), "said": after.notes[-1],
    }  # fmt: skip


def in_own_process(task: str, small: bool) -> dict[str, object]:
    """`measure` in a fresh process with one thread."""
    command = [sys.executable, __file__, "--here", task, *(["--small"] if small else [])]
    done = subprocess.run(
        command, env=os.environ | dict.fromkeys(THREADS, "1"), stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def keep(out: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Write the rows there are, in the order of the tasks."""
    about = ("date", "hardware", "torch")  # which `write` adds
    write(out, [{k: v for k, v in rows[task].items() if k not in about} for task in TASKS if task in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the cells; wants --out")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--out", type=Path, help="by default benchmarks/results/conditions_at_size.csv")
    parser.add_argument("--here", choices=list(TASKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    images, classes = (IMAGES // 10, CLASSES // 10) if arguments.small else (IMAGES, CLASSES)
    if arguments.here:
        return print(json.dumps(measure(arguments.here, images, classes)))
    if arguments.small and arguments.out is None:
        parser.error("--small wants --out: its numbers do not belong beside those at size")
    out = arguments.out or Path(__file__).parent / "results" / "conditions_at_size.csv"
    wanted = arguments.only or list(TASKS)
    rows: dict[str, dict[str, Any]] = {str(row["task"]): row for row in (kept(out, wanted) if arguments.only else [])}
    for task in wanted:
        rows[task] = in_own_process(task, arguments.small)
        print(rows[task], flush=True)
        keep(out, rows)  # each at once: what is measured is kept
    over = [task for task in wanted
            if rows[task]["peak_gib"] > MOST_GIB or rows[task]["cpu_seconds"] > MOST_SECONDS]  # fmt: skip
    if over:
        raise SystemExit(f"more memory or time than promised: {', '.join(over)}")


if __name__ == "__main__":
    main()
