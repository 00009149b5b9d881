"""What reading costs at size: seconds and peak memory of each label format, 1,000,000 images x 500 classes, one thread.

    python benchmarks/readers_at_size.py [--small] [--only FORMAT ...] [--out FILE.csv]

The files are made as the tools make them (`label_files.py`), about three labels or boxes an image, in a temporary
folder, and deleted. Each is read as a user reads it, its format being found out, in a fresh process, so that the peak
(`ru_maxrss`) is its own. `read_seconds` is the processor's time, which a busy machine changes less than the clock's.
Formats of a file an image are measured at a tenth of the images: a million files are the file system's matter.
`--small` takes a tenth of all; `--only` measures some formats and keeps the other rows of the file. The promise is
`MOST_GIB` for each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import annotation_files as drawn
import label_files as made
from at_size import THREADS, kept, peak_gib
from manylabel.data import read
from results import write

IMAGES, CLASSES, SMALL = 1_000_000, 500, 10
MOST_GIB = 4.0
LABELS = 2  # an image on the mean, at least: fewer, and something was not read


class Format(NamedTuple):
    """How files of a format are made, what `read` says of them, and whether they are one an image."""

    make: Callable[[Path, int, int], Path]
    kind: str
    file_an_image: bool = False


FORMATS = {
    "csv, narrow": Format(made.narrow, "csv"),
    "csv, a row a label": Format(made.long, "csv"),
    "csv, wide": Format(made.wide, "csv"),
    "jsonl": Format(made.jsonl, "jsonl"),
    "jsonl, soft, votes and boxes": Format(made.jsonl_beside, "jsonl"),
    "parquet": Format(made.parquet, "parquet"),
    "hf": Format(made.hf, "hf"),
    "libsvm": Format(made.libsvm, "libsvm"),
    "mulan": Format(made.mulan, "mulan"),
    "protocol": Format(made.protocol, "protocol"),
    "coco": Format(drawn.coco, "coco"),
    "openimages": Format(drawn.openimages, "openimages"),
    "cvat": Format(drawn.cvat, "cvat"),
    "label_studio": Format(drawn.label_studio, "label_studio"),
    "fiftyone": Format(drawn.fiftyone, "fiftyone"),
    "webdataset": Format(drawn.webdataset, "webdataset"),
    "voc": Format(drawn.voc, "voc", True),
    "yolo": Format(drawn.yolo, "yolo", True),
    "folder": Format(drawn.classed, "folder", True),
}


def images_of(name: str, small: bool) -> int:
    """How many images are read of a format."""
    return IMAGES // (SMALL if small else 1) // (10 if FORMATS[name].file_an_image else 1)


def measure(name: str, path: Path, images: int) -> dict[str, object]:
    """Read in this process, and see that all of it was read."""
    start, used = time.perf_counter(), time.process_time()
    data = read(path)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    row: dict[str, object] = {
        "read_seconds": round(cpu, 1),
        "wall_seconds": round(wall, 1),
        "peak_gib": round(peak_gib(), 2),
    }
    labels = int(data.labels.counts.sum()) + len(data.beside.soft or ())
    few = labels < (0.9 if name == "folder" else LABELS) * images  # a folder a class has room for one label each
    if data.kind.partition("-")[0] != FORMATS[name].kind or len(data) != images or few:
        raise AssertionError(f"{name}: {len(data):,} images of {data.kind}, {labels:,} labels")
    return row


def megabytes(folder: Path) -> float:
    """What lies below a folder."""
    return (
        sum(os.path.getsize(os.path.join(inside, file)) for inside, _, files in os.walk(folder) for file in files) / 1e6
    )


def in_own_process(*arguments: str) -> str:
    """This file in a fresh process with one thread; the last line it prints."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run([sys.executable, __file__, *arguments], env=environment, stdout=subprocess.PIPE, text=True,
                          check=True)  # fmt: skip
    return done.stdout.splitlines()[-1]


def row_of(name: str, small: bool) -> dict[str, Any]:
    """Make the files, read them, delete them: each in a process of its own."""
    images, size = images_of(name, small), ["--small"] if small else []
    with tempfile.TemporaryDirectory() as folder:
        path = in_own_process("--make", name, folder, *size)
        about = {"format": name, "images": images, "classes": CLASSES, "megabytes": round(megabytes(Path(folder)))}
        return about | json.loads(in_own_process("--here", name, path, *size))


def keep(out: Path, rows: dict[str, dict[str, Any]]) -> None:
    """Write the rows there are, in the order of the formats."""
    about = ("date", "hardware", "torch")  # which `write` adds
    write(out, [{k: v for k, v in rows[name].items() if k not in about} for name in FORMATS if name in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the images; wants --out")
    parser.add_argument("--only", nargs="+", choices=list(FORMATS), metavar="FORMAT", help="; ".join(FORMATS))
    parser.add_argument("--out", type=Path, help="by default benchmarks/results/readers_at_size.csv")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--here", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        name, folder = given.make
        return print(FORMATS[name].make(Path(folder), images_of(name, given.small), CLASSES))
    if given.here:
        name, path = given.here
        return print(json.dumps(measure(name, Path(path), images_of(name, given.small))))
    if given.small and given.out is None:
        parser.error("--small wants --out: its numbers do not belong beside those at size")
    out = given.out or Path(__file__).parent / "results" / "readers_at_size.csv"
    wanted = [name for name in FORMATS if name in (given.only or FORMATS)]
    rows: dict[str, dict[str, Any]] = {
        row["format"]: row for row in (kept(out, wanted, "format") if given.only else [])
    }
    for name in wanted:
        rows[name] = row_of(name, given.small)
        print(rows[name], flush=True)
        keep(out, rows)  # each at once: what is measured is kept
    if over := [name for name in wanted if float(rows[name]["peak_gib"]) > MOST_GIB]:
        raise SystemExit(f"more memory than promised: {', '.join(over)}")


if __name__ == "__main__":
    main()
