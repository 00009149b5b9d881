"""Damaged label files of every format, for as long as you like: `make fuzz` (ten minutes), or

    PYTHONPATH=tests python tests/fuzz.py --minutes 10 --start 0

Each seed draws a dataset, writes it in a format, damages one of the files, or what lies around it (a folder where a
file was, a link that leads nowhere, a file of another kind under its name, odd names beside it), and reads it strictly
and leaving mistakes out. Whatever happens but a `ManylabelError` that names the file is printed with its seed, and ends
in failure. Tables of arrow are read in a process of their own: damaged ones can end it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import random
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from damage import corruptions, survives
from made import IMAGES, NAMES, PARTS, photographs
from manylabel.data import formats
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.labels import LabelTable

PICTURES = (".png", ".jpg")


def drawn(seed: int, photos: Path) -> Dataset:
    """A dataset of some of the photographs, with boxes, soft values and all that a seed decides."""
    rng = np.random.default_rng(seed)
    images = [IMAGES[k] for k in rng.permutation(len(IMAGES))[: rng.integers(1, 7)]]
    names = [NAMES[k] for k in rng.permutation(len(NAMES))[: rng.integers(1, 6)]]
    state = rng.integers(-1, 2, (len(images), len(names))).astype(np.int8)
    rows, columns = np.nonzero(state == 1)
    boxes = Cells(rows, columns, rng.uniform(0, 0.5, (len(rows), 4)).round(3)) if len(rows) else None
    open_rows, open_columns = np.nonzero(state == 0)
    soft = Cells(open_rows, open_columns, rng.uniform(size=len(open_rows)).round(3)) if len(open_rows) else None
    beside = Beside(soft=soft if rng.random() < 0.5 else None, boxes=boxes, sizes=np.full((len(images), 2), (8, 6)))
    return Dataset(
        LabelTable(state, tuple(names), tuple(images)), [photos / name for name in images],
        rng.choice(PARTS, len(images)), {"site": rng.choice(["north", "0", ""], len(images))}, photos, "made", (),
        (0,) * len(images), beside=beside,
    )  # fmt: skip


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("labels.csv", data)
    return stream.getvalue()


KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzipped,
    "zip": zipped,
    "a picture": lambda data: b"\x89PNG\r\n\x1a\n" + data,
    "a CSV": lambda data: b"image,labels\na.jpg,cat\n",
    "JSON": lambda data: b'{"a": [{"b": 1}]}',
    "a list": lambda data: b"[[1], null]",
    "XML": lambda data: b"<?xml version='1.0'?><a><b/></a>",
    "plain text": lambda data: b"these are my labels\n" * 3,
    "parquet without a footer": lambda data: b"PAR1" + data + b"PAR1",
    "an archive": lambda data: b"a.jpg".ljust(512, b"\0") + data,
}
ODD = (
    "-rf",
    "a\nb.csv",
    "nan",
    "...",
    "x" * 200 + ".json",
    "\u202e.xml",
    "labels.csv ",
    "CON",
    "[a]{b}.txt",
    "%s.yaml",
)


def around(rng: random.Random, file: Path) -> str:
    """Damage what lies around a file, or what it is; what was done."""
    what = rng.choice(("folder", "link", "circle", "lost", "ending", "odd names", *KINDS))
    if what in KINDS:
        file.write_bytes(KINDS[what](file.read_bytes()))
        return f"it holds {what}"
    if what == "odd names":
        names = [*rng.sample(ODD, 4), os.fsdecode(b"caf\xe9.csv")]
        for name in names:
            (file.parent / name).mkdir() if rng.random() < 0.3 else (file.parent / name).write_bytes(file.read_bytes())
        return f"beside it lie {names}"
    if what == "ending":
        file.rename(
            file.with_suffix(ending := rng.choice((".csv", ".json", ".xml", ".yaml", ".tar", ".arff", ".txt", "")))
        )
        return f"its ending is {ending}"
    file.unlink()
    if what == "folder":
        file.mkdir()
    elif what != "lost":
        file.symlink_to(file if what == "circle" else file.with_name("nowhere"))
    return f"it is a {what}"


def in_footer(rng: random.Random, file: Path) -> str:
    """Change some bytes of the footer of a parquet file, which says where all else is; what was done."""
    data = bytearray(file.read_bytes())
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    places = [rng.randrange(start, len(data) - 4) for _ in range(rng.randint(1, 4))]
    for place in places:
        data[place] = rng.choice((0, 0x7F, 0x80, 0xFF, data[place] ^ 1 << rng.randrange(8), rng.randrange(256)))
    file.write_bytes(data)
    return f"bytes {places} of its footer changed"


def one(seed: int, photos: Path, folder: Path, *, outside: bool = False) -> str:
    """Write, damage and read one file; what was done. Raises AssertionError where the reading fails in a wrong way.

    Arguments:
        outside: damage what lies around the file instead of its bytes.
    """
    rng = random.Random(seed)
    name = rng.choice(formats.writable())
    path = folder / formats.named(name, "labels")
    formats.write(drawn(seed, photos), path, name)
    files = [path] if path.is_file() else []
    files += sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in PICTURES and p not in files)
    file = rng.choice(files)
    if outside and file.suffix == ".parquet" and rng.random() < 0.7:
        damage = in_footer(rng, file)
    elif outside:
        damage = around(rng, file)
    else:
        damage, data = rng.choice(list(corruptions(file.read_bytes(), seed)))
        file.write_bytes(data)
    what = f"seed {seed}: {name}, {file.relative_to(folder)}: {damage}"
    apart(partial(read_all, path, what, name)) if name in ("parquet", "hf") else read_all(path, what, name)
    return what


def read_all(path: Path, what: str, name: str) -> None:
    """Read a damaged file, and its folder, in every way."""
    for mistakes in ("error", "leave"):
        for given in (path, path.parent):
            if os.path.lexists(given):
                survives(given, what, mistakes=mistakes)
        survives(path, f"{what}, as {name}", mistakes=mistakes, format=name)


def apart(work: Callable[[], None]) -> None:
    """Do it in a process of its own; AssertionError where that fails, is ended, or takes longer than a minute."""
    told, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, which the child does not use
        child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            work()
        except BaseException as problem:
            os.write(tell, str(problem).encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(tell)
    with os.fdopen(told, "rb") as stream:
        said = stream.read().decode()
    state = os.waitpid(child, 0)[1]
    assert not said, said
    assert not state, f"{work}: the process was ended by signal {state & 127}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    end, seed, failed = time.monotonic() + 60 * given.minutes, given.start, 0
    with tempfile.TemporaryDirectory() as photos:
        photographs(Path(photos))
        while time.monotonic() < end:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    one(seed, Path(photos), Path(folder), outside=seed % 2 == 1)
                except AssertionError as problem:
                    failed += 1
                    print(problem, flush=True)
            seed += 1
    if failed:
        sys.exit(f"{failed} of {seed - given.start:,} damaged files fail")
    print(f"{seed - given.start:,} damaged files, no failure")


if __name__ == "__main__":
    main()
