"""What a user waits for and gets by default: `manylabel train` from JPEG files to the report, nothing cached.

    python benchmarks/auto_from_photos.py

Runs method auto with its defaults on coco80's long_tail and full, each with an empty feature cache, and writes
benchmarks/results/auto.csv: seconds from start to report, of the training in it, test mAP, and what was chosen. Run it
on a machine that does nothing else. The groups are those of the long_tail subset for both.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from manylabel.plan import plan
from manylabel.run import train
from recipes import ROOT, grouped
from results import write

DATA = "../shared/data/coco80/labels.csv"


def run(name: str, where: str) -> dict[str, Any]:
    """One row."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MANYLABEL_CACHE"] = str(Path(folder) / "cache")
        out = Path(folder) / "run"
        started = time.monotonic()
        train(plan(ROOT / DATA, out, options={"data": {"where": where}}))
        seconds = time.monotonic() - started
        numbers = grouped(out, {"data": DATA, "groups": "long_tail=1"})
        with (out / "log.csv").open(encoding="utf-8") as file:
            systems = list(csv.DictReader(file))
    row: dict[str, Any] = {"data": name, "seconds": round(seconds)}
    row["seconds_training"] = round(sum(float(s["seconds"]) for s in systems if s["seconds"]))
    row |= {key: round(100 * numbers[key], 1) for key in ("map", "map_head", "map_medium", "map_tail")}
    return row | {s["system"]: f"{float(s['weight']):.2f}" for s in systems}


def main() -> None:
    rows = [run("long_tail", "long_tail=1"), run("full", "")]
    write(ROOT / "benchmarks" / "results" / "auto.csv", rows)


if __name__ == "__main__":
    main()
