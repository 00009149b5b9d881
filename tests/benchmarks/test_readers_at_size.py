"""The bench of readers: the files of every format say what they are to say, and rows measured apart come together."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from manylabel.data import read
from manylabel.labels import PRESENT

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import label_files
import readers_at_size

IMAGES, CLASSES = 40, 7


def test_images_have_one_to_five_objects_and_common_and_rare_classes():
    made = list(label_files.photos(5000, 100))
    counts = [len(one.objects) for one in made]
    assert {*counts} == {1, 2, 3, 4, 5}
    assert np.mean(counts) == pytest.approx(3, abs=0.1)
    assert np.mean([one.part == "val" for one in made]) == pytest.approx(0.1)
    times = np.bincount([c for one in made for c in one.labels], minlength=100)
    assert times[0] > 20 * times[80]
    assert [len(block) for block in label_files.blocks(25_000, 3)] == [10_000, 10_000, 5000]


@pytest.mark.parametrize("name", readers_at_size.FORMATS)
def test_files_of_every_format_are_read_as_they_were_made(name, tmp_path):
    wanted = [one.labels for one in label_files.photos(IMAGES, CLASSES)]
    form = readers_at_size.FORMATS[name]
    data = read(form.make(tmp_path, IMAGES, CLASSES))
    assert data.kind.partition("-")[0] == form.kind
    cells = data.beside.soft if name.startswith("jsonl, soft") else None
    rows, columns = (cells.rows, cells.columns) if cells else np.nonzero(data.labels.state == PRESENT)
    found = [{data.labels.names[c] for c in columns[rows == row]} for row in range(IMAGES)]
    order = np.argsort(data.labels.ids) if name in ("voc", "yolo", "folder") else range(IMAGES)
    if name == "folder":
        assert sum(map(len, found)) == IMAGES
    elif name == "yolo":
        assert sorted(map(sorted, found)) == sorted(sorted(f"class {c}" for c in own) for own in wanted)
    else:
        assert [found[row] for row in order] == [{f"class {c}" for c in own} for own in wanted]
    objects = sum(len(one.objects) for one in label_files.photos(IMAGES, CLASSES))
    detections = (
        "coco",
        "openimages",
        "cvat",
        "label_studio",
        "fiftyone",
        "voc",
        "yolo",
        "jsonl, soft, votes and boxes",
    )
    assert len(data.beside.boxes or ()) == (objects if name in detections else 0)


def run(*arguments):
    command = [sys.executable, readers_at_size.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_rows_measured_apart_come_together(tmp_path):
    out = tmp_path / "readers.csv"
    for name in ("yolo", "folder"):
        done = run("--small", "--only", name, "--out", out)
        assert done.returncode == 0, done.stderr
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["format"], row["images"]) for row in rows] == [("yolo", "10000"), ("folder", "10000")]
    assert all(float(row["megabytes"]) >= 0 < float(row["read_seconds"]) for row in rows)
    assert 0 < float(rows[0]["peak_gib"]) < 1


def test_small_numbers_are_not_kept_beside_those_at_size():
    assert "--small wants --out" in run("--small").stderr
