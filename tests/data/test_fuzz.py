"""Seeds of `tests/fuzz.py`: those that once found a fault, and a few more."""

import gzip
import io
import json
import os
import signal
import sys
from functools import partial

import pytest

from damage import survives
from fuzz import KINDS, apart, one
from made import photographs
from manylabel.cli import exit_code
from manylabel.data import formats, read
from manylabel.labels import ManylabelError

FOUND = (6, 9, 27, 112, 1297, 1555)  # a file beside the labels that is no UTF-8; numbers too large for their place
FOLDERS = (
    "labels.csv", "a.arff", "annotations.xml", "dataset_dict.json", "a.parquet", "data.yaml", "a.tar", "metadata.jsonl",
    "samples.json", "labels.json", "annotations/a.json", "Annotations/a.xml", "formatted_train_labels.npy",
)  # fmt: skip


@pytest.mark.parametrize("seed", [*FOUND, *range(1000, 1020)])
def test_a_damaged_file_is_read_or_named(seed, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "labels").mkdir()
    photographs(tmp_path / "photos")
    one(seed, tmp_path / "photos", tmp_path / "labels")


@pytest.mark.parametrize("seed", range(2000, 2016))
def test_what_lies_around_a_file_is_read_or_named(seed, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "labels").mkdir()
    photographs(tmp_path / "photos")
    one(seed, tmp_path / "photos", tmp_path / "labels", outside=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_or_a_link_where_a_file_should_be_is_named(name, tmp_path):
    (tmp_path / "set" / name).mkdir(parents=True)
    survives(tmp_path / "set", f"{name} is a folder")
    (tmp_path / "set" / name).rmdir()
    (tmp_path / "set" / name).symlink_to("nowhere")
    survives(tmp_path / "set", f"{name} is a link")


@pytest.mark.parametrize("kind", [*KINDS, "empty"])
def test_a_file_of_another_kind_is_named_in_every_format(kind, tmp_path):
    text = b"image,labels\na.jpg,cat\n"
    for ending in (".csv", ".json", ".xml", ".parquet", ".tar", ".npy", ""):
        file = tmp_path / f"labels{ending}"
        file.write_bytes(b"" if kind == "empty" else KINDS[kind](text))
        for name in (None, *formats.names()):
            survives(file, f"{kind} as {ending}, read as {name}", format=name)


def test_what_cannot_be_read_twice_or_at_all_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ManylabelError, match="is neither a file nor a folder"):
        read(tmp_path / "pipe.csv")
    (tmp_path / "lost.csv").symlink_to("nowhere.csv")
    with pytest.raises(ManylabelError, match=r"lost.csv is a link that leads nowhere: to nowhere.csv"):
        read(tmp_path / "lost.csv")
    with pytest.raises(ManylabelError, match="cannot be read: File name too long"):
        read(tmp_path / ("x" * 5000))
    (tmp_path / "set" / "a.arff").mkdir(parents=True)
    with pytest.raises(ManylabelError, match=r"a.arff cannot be read: is a folder, where a file is expected"):
        read(tmp_path / "set")
    (tmp_path / "labels.csv").write_bytes(gzip.compress(b"image,labels\n" * 9))
    with pytest.raises(ManylabelError, match=r"labels.csv is "):
        read(tmp_path / "labels.csv")


def test_names_of_files_that_are_no_text_are_printed(tmp_path, monkeypatch):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"1")
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "argv", ["manylabel", "doctor", str(tmp_path), "--no-images", "--json"])
    assert exit_code() == 0
    printed.flush()
    said = json.loads(printed.buffer.getvalue())
    assert said["images"] == 1
    assert said["first_rows"][0]["image"] == os.fsdecode(b"cat/caf\xe9.jpg")


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="needs fork")
def test_a_reading_that_ends_the_process_is_told():
    with pytest.raises(AssertionError, match="was ended by signal 9"):
        apart(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(AssertionError, match="seed 1: TypeError"):
        apart(partial(survives, None, "seed 1"))
