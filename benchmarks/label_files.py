"""Tables and lists of labels at any size, as the tools that write them do: what `readers_at_size.py` reads.

Each function writes into an empty folder and gives what is to be read: photographs named as in COCO, nine of ten in
train, one to five objects each, whose classes are in 15 % to 1 in 10,000 of the images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manylabel.data.arrow import pyarrow

ROWS = 10_000  # made at once
WIDTH, HEIGHT = 640, 480
MOST_COMMON, RAREST = 0.15, 1e-4
FEATURES = 10  # of each row, in formats of features
ANNOTATORS = ("ann", "bob", "cid")


class Photo(NamedTuple):
    """One image: its number, part, classes each once, and (class, x, y, width, height) of its objects in pixels."""

    number: int
    part: str
    labels: list[int]
    objects: list[tuple[int, int, int, int, int]]

    @property
    def name(self) -> str:
        return f"{self.part}2017/{self.number:012}.jpg"


def photos(images: int, classes: int) -> Iterator[Photo]:
    """The images of all formats."""
    rng, edges = np.random.default_rng(0), np.cumsum(np.geomspace(MOST_COMMON, RAREST, classes))
    for start in range(0, images, ROWS):
        counts = rng.integers(1, 6, min(ROWS, images - start))
        ends = np.cumsum(counts)
        drawn = np.searchsorted(edges, rng.random(ends[-1]) * edges[-1])
        corner = rng.integers(0, (WIDTH // 2, HEIGHT // 2), (ends[-1], 2))
        size = rng.integers(8, (WIDTH // 2, HEIGHT // 2), (ends[-1], 2))
        every = list(map(tuple, np.column_stack([drawn, corner, size]).tolist()))
        for k, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True), start):
            own = every[end - count : end]
            yield Photo(k, "val" if k % 10 == 9 else "train", list(dict.fromkeys(one[0] for one in own)), own)


def blocks(images: int, classes: int) -> Iterator[list[Photo]]:
    """The same, `ROWS` at once."""
    block: list[Photo] = []
    for photo in photos(images, classes):
        block.append(photo)
        if len(block) == ROWS:
            yield block
            block = []
    if block:
        yield block


def names(classes: int) -> list[str]:
    return [f"class {c}" for c in range(classes)]


def narrow(folder: Path, images: int, classes: int) -> Path:
    path = folder / "labels.csv"
    with path.open("w") as stream:
        stream.write("image,labels,split\n")
        for p in photos(images, classes):
            stream.write(f"{p.name},{'|'.join(f'class {c}' for c in p.labels)},{p.part}\n")
    return path


def wide(folder: Path, images: int, classes: int) -> Path:
    path = folder / "labels.csv"
    with path.open("wb") as stream:
        stream.write(",".join(["image", *names(classes), "split"]).encode() + b"\n")
        for block in blocks(images, classes):
            cells = np.full((len(block), 2 * classes), ord(","), np.uint8)
            cells[:, 1::2] = ord("0")
            for row, p in enumerate(block):
                cells[row, [2 * c + 1 for c in p.labels]] = ord("1")
            stream.write(b"".join(b"%s%s,%s\n" % (p.name.encode(), own.tobytes(), p.part.encode())
                                  for p, own in zip(block, cells)))  # fmt: skip
    return path


def long(folder: Path, images: int, classes: int) -> Path:
    path = folder / "labels.csv"
    with path.open("w") as stream:
        stream.write("image,label\n")
        for p in photos(images, classes):
            stream.write("".join(f"{p.name},class {c}\n" for c in p.labels))
    return path


def _lines(path: Path, entries: Iterator[dict[str, Any]]) -> Path:
    with path.open("w") as stream:
        stream.writelines(json.dumps(entry) + "\n" for entry in entries)
    return path


def jsonl(folder: Path, images: int, classes: int) -> Path:
    return _lines(
        folder / "labels.jsonl",
        (
            {"image": p.name, "labels": [f"class {c}" for c in p.labels], "split": p.part}
            for p in photos(images, classes)
        ),
    )


def jsonl_beside(folder: Path, images: int, classes: int) -> Path:
    """Soft values, three people's votes and boxes of every label."""

    def entry(p: Photo) -> dict[str, Any]:
        own = [f"class {c}" for c in p.labels]
        shares = [(c, (x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT)) for c, x, y, w, h in p.objects]
        return {
            "image": p.name, "soft": {name: round(k / 7, 3) for k, name in enumerate(own, 1)},
            "votes": {who: {name: (k + p.number) % 2 for k, name in enumerate(own)} for who in ANNOTATORS},
            "boxes": [{"label": f"class {c}", "box": box} for c, box in shares], "split": p.part,
        }  # fmt: skip

    return _lines(folder / "labels.jsonl", (entry(p) for p in photos(images, classes)))


def parquet(folder: Path, images: int, classes: int) -> Path:
    arrow = pyarrow()
    from pyarrow import parquet as files

    path, schema = folder / "labels.parquet", arrow.schema(
        [("image", arrow.string()), ("labels", arrow.list_(arrow.string())), ("split", arrow.string())]
    )  # fmt: skip
    with files.ParquetWriter(path, schema) as writer:
        for block in blocks(images, classes):
            columns = [[p.name for p in block], [[f"class {c}" for c in p.labels] for p in block]]
            writer.write_batch(arrow.record_batch([*columns, [p.part for p in block]], schema=schema))
    return path


def hf(folder: Path, images: int, classes: int) -> Path:
    """What `save_to_disk` writes; of photographs only the paths."""
    arrow, file = pyarrow(), "data-00000-of-00001.arrow"
    listed = {"feature": {"names": names(classes), "_type": "ClassLabel"}, "_type": "Sequence"}
    features = {"image": {"_type": "Image"}, "labels": listed}
    image = arrow.struct({"bytes": arrow.binary(), "path": arrow.string()})
    said = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    schema = arrow.schema([("image", image), ("labels", arrow.list_(arrow.int64()))], said)
    with (folder / file).open("wb") as stream, arrow.ipc.new_stream(stream, schema) as writer:
        for block in blocks(images, classes):
            photographs = [{"bytes": None, "path": p.name} for p in block]
            columns = [arrow.array(photographs, image), arrow.array([p.labels for p in block], schema.types[1])]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": file}], "_split": "train"}))
    return folder


def libsvm(folder: Path, images: int, classes: int) -> Path:
    path, rng = folder / "data.svm", np.random.default_rng(1)
    with path.open("w") as stream:
        for block in blocks(images, classes):
            values = rng.random((len(block), FEATURES)).round(4).tolist()
            for p, own in zip(block, values, strict=True):
                features = " ".join(f"{k}:{value}" for k, value in enumerate(own, 1))
                stream.write(f"{','.join(map(str, sorted(p.labels)))} {features}\n")
    (folder / "labels.txt").write_text("".join(f"{c}\t{name}\n" for c, name in enumerate(names(classes))))
    return path


def mulan(folder: Path, images: int, classes: int) -> Path:
    """Sparse rows: dense ones would be mostly zeros."""
    path, rng = folder / "data.arff", np.random.default_rng(1)
    with path.open("w") as stream:
        stream.write("@relation data\n" + "".join(f"@attribute x{k} numeric\n" for k in range(FEATURES)))
        stream.write("".join(f"@attribute '{name}' {{0,1}}\n" for name in names(classes)) + "@data\n")
        for block in blocks(images, classes):
            values = rng.random((len(block), FEATURES)).round(4).tolist()
            for p, own in zip(block, values, strict=True):
                labels = [f"{c + FEATURES} 1" for c in sorted(p.labels)]
                stream.write("{" + ",".join([*(f"{k} {value}" for k, value in enumerate(own)), *labels]) + "}\n")
    labels = "".join(f'<label name="{name}"></label>\n' for name in names(classes))
    (folder / "data.xml").write_text(f'<labels xmlns="http://mulan.sourceforge.net/labels">\n{labels}</labels>\n')
    return path


def protocol(folder: Path, images: int, classes: int) -> Path:
    path = folder / "set_train.txt"
    with path.open("w") as stream:
        stream.writelines(" ".join(map(str, [p.name, *p.labels])) + "\n" for p in photos(images, classes))
    (folder / "set_labels.txt").write_text("".join(f"{name} {c}\n" for c, name in enumerate(names(classes))))
    return path
