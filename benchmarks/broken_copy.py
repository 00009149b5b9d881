"""A copy of a labelled set with 50 faults and more planted in it, and whether `doctor` reports each of them.

    python benchmarks/broken_copy.py ../shared/data/coco80/labels.csv /tmp/broken

Images are linked, not copied; only those that are broken are written. The set itself is never touched. The list of
what was planted is written beside the labels, as `planted.csv`, and so is a hierarchy that some labels contradict.
"""

from __future__ import annotations

import csv
import io
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from manylabel import data
from manylabel.data.doctor import Findings, examine
from manylabel.labels import PRESENT


@dataclass(eq=False)
class Row:
    """One row of the copy's label file."""

    image: str
    split: str
    labels: set[str]
    unknown: bool = False


@dataclass(frozen=True)
class Planted:
    """A fault: the kind of finding that must report it, the words that it must hold, and what was done."""

    kind: str
    words: tuple[str, ...]
    what: str


@dataclass
class Copy:
    """The copy being broken: its folder, rows and faults; `victims` are rows that nothing was done to yet."""

    folder: Path
    rows: list[Row]
    names: list[str]
    rng: np.random.Generator
    victims: Iterator[Row] = field(init=False)
    planted: list[tuple[str, Row | str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        part = max({row.split for row in self.rows}, key=[row.split for row in self.rows].count)
        order = self.rng.permutation([k for k, row in enumerate(self.rows) if row.split == part])
        self.victims = iter([self.rows[k] for k in order])
        self.home = part
        self.away = next(p for p in ("test", "val", "train") if p != part)

    def say(self, kind: str, where: Row | str, what: str) -> None:
        self.planted.append((kind, where, what))

    def path(self, row: Row) -> Path:
        return self.folder / row.image

    def write(self, row: Row, content: bytes, ending: str | None = None) -> None:
        """Put other bytes in the place of a row's image, under another ending where one is given."""
        self.path(row).unlink(missing_ok=True)
        if ending is not None:
            row.image = str(Path(row.image).with_suffix(ending))
        self.path(row).write_bytes(content)

    def picture(self, row: Row) -> Image.Image:
        with Image.open(self.path(row)) as image:
            return image.convert("RGB")

    def add(self, name: str, content: bytes, like: Row, split: str | None = None) -> Row:
        """A further row with an image file of its own, labelled like another."""
        row = Row(str(Path(like.image).with_name(name)), like.split if split is None else split, set(like.labels))
        self.path(row).write_bytes(content)
        self.rows.append(row)
        return row


def break_copy(labels: Path, folder: Path, *, seed: int = 0, huge: bool = False) -> tuple[Path, list[Planted]]:
    """Write the broken copy of a set into an empty folder: its label file, and what was planted.

    Arguments:
        labels: CSV, narrow or wide, whose images are all sound.
        huge: whether a picture of more than 50 million pixels is among the faults.
    """
    dataset = data.read(labels)
    names = dataset.labels.names
    rows = [
        Row(image, str(part), {names[c] for c in np.flatnonzero(dataset.labels.state[r] == PRESENT)})
        for r, (image, part) in enumerate(zip(dataset.labels.ids, dataset.split))
    ]
    for row, path in zip(rows, dataset.paths):
        (folder / row.image).parent.mkdir(parents=True, exist_ok=True)
        (folder / row.image).symlink_to(path)
    copy = Copy(folder, rows, list(names), np.random.default_rng(seed))
    wide = dataset.kind == "csv-wide"
    for step in (unreadable, kinds, on_disk, copies, rows_of_labels, classes):
        step(copy)
    if huge:
        large(copy)
    if wide:
        unknowns(copy)
    write_labels(copy, wide)
    return folder / "labels.csv", listed(copy)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    return encoded(image, "JPEG", quality=quality)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(copy: Copy, size: tuple[int, int] = (96, 80), step: int = 8) -> Image.Image:
    """A picture of coloured squares, like no other."""
    small = copy.rng.integers(0, 256, (size[1] // step, size[0] // step, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.NEAREST)


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it has 900 million pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def unreadable(copy: Copy) -> None:
    """Missing, empty, cut off, no image, too many pixels, a folder."""
    for _ in range(2):
        row = next(copy.victims)
        copy.path(row).unlink()
        copy.say("missing", row, "file removed")
    for _ in range(2):
        row = next(copy.victims)
        copy.write(row, b"")
        copy.say("empty", row, "file emptied")
    for share in (0.3, 0.6, 0.9):
        row = next(copy.victims)
        content = copy.path(row).read_bytes()
        copy.write(row, content[: int(share * len(content))])
        copy.say("damaged", row, f"cut off after {share:.0%}")
    for content in (b"<!DOCTYPE html><title>404 Not Found</title>", b"%PDF-1.7 " + bytes(200)):
        row = next(copy.victims)
        copy.write(row, content)
        copy.say("not_an_image", row, "a page in place of the image")
    row = next(copy.victims)
    copy.write(row, bomb(), ".png")
    copy.say("bomb", row, "decompression bomb")
    row = next(copy.victims)
    copy.path(row).unlink()
    copy.path(row).mkdir()
    copy.say("damaged", row, "a folder in place of the image")


def kinds(copy: Copy) -> None:
    """Other types, sizes and colours."""
    for kind in ("PNG", "BMP"):
        row = next(copy.victims)
        copy.write(row, encoded(copy.picture(row), kind))
        copy.say("wrong_type", row, f"a {kind} file named .jpg")
    for size in ((8, 8), (200, 20), (900, 60), (40, 700)):
        row = next(copy.victims)
        copy.write(row, jpeg(copy.picture(row).resize(size)))
        copy.say("odd_size", row, f"{size[0]} x {size[1]} pixels")
    for colour in ((0, 0, 0), (200, 210, 220)):
        row = next(copy.victims)
        copy.write(row, jpeg(Image.new("RGB", (120, 90), colour)))
        copy.say("blank", row, "one colour")
    row = next(copy.victims)
    copy.write(row, jpeg(copy.picture(row).convert("CMYK")))
    copy.say("mode", row, "CMYK")
    row = next(copy.victims)
    deep = np.asarray(copy.picture(row).convert("L")).astype(np.uint16) * 257
    copy.write(row, encoded(Image.fromarray(deep), "PNG"), ".png")
    copy.say("mode", row, "16 bits")
    row = next(copy.victims)
    clear = copy.picture(row)
    clear.putalpha(128)
    copy.write(row, encoded(clear, "PNG"), ".png")
    copy.say("mode", row, "transparent")
    row = next(copy.victims)
    frames = [copy.picture(row).resize((64, 64)), noise(copy, (64, 64)).convert("RGB")]
    copy.write(row, encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), ".gif")
    copy.say("frames", row, "animation")


def large(copy: Copy) -> None:
    """More than 50 million pixels."""
    row = next(copy.victims)
    copy.write(row, jpeg(copy.picture(row).resize((7200, 7200)), quality=60))
    copy.say("odd_size", row, "7200 x 7200 pixels")


def on_disk(copy: Copy) -> None:
    """Files named otherwise, and files that no row names."""
    for ending in (".JPG", ".jpeg"):
        row = next(copy.victims)
        copy.path(row).rename(copy.path(row).with_suffix(ending))
        copy.say("other_name", row, f"named {ending} on disk")
    place = copy.path(copy.rows[0]).parent
    (place / "more").mkdir()
    for name in ("extra-a.jpg", "more/extra-b.jpg"):
        (place / name).write_bytes(jpeg(noise(copy)))
        copy.say("unnamed_file", name, "file without a row")


def copies(copy: Copy) -> None:
    """Equal and nearly equal files, in one part and across, with equal and with other labels."""
    for k in range(2):
        for kind, split in (("copies", None), ("leak", copy.away)):
            row = next(copy.victims)
            copy.add(f"{kind}-{k}.jpg", copy.path(row).read_bytes(), row, split)
            copy.say(kind, row, "same file under another name")
        row = next(copy.victims)
        other = copy.add(f"conflict-{k}.jpg", copy.path(row).read_bytes(), row)
        other.labels ^= {copy.names[k]}
        copy.say("conflicting_copies", row, "same file with another label")
    for k, (kind, split) in enumerate((("near_leak", copy.away), ("near_leak", copy.away), ("near_copies", None))):
        row = next(copy.victims)
        copy.write(row, jpeg(noise(copy, (160, 120), 20)))
        copy.add(f"saved-again-{k}.jpg", jpeg(copy.picture(row).resize((120, 90)), 70), row, split)
        copy.say(kind, row, "saved again, smaller")
    row = next(copy.victims)
    copy.write(row, jpeg(noise(copy, (160, 120), 20)))
    copy.add("burst.jpg", jpeg(copy.picture(row).resize((140, 105)), 80), row).labels ^= {copy.names[2]}
    copy.say("near_copies_differ", row, "saved again, with another label")


def rows_of_labels(copy: Copy) -> None:
    """Rows about other files, about one file twice, without a part, with all labels."""
    for name in ("notes.txt", "clip.mp4"):
        row = copy.add(name, f"this is {name}".encode(), next(copy.victims))
        copy.say("other_ending", row, "row about another kind of file")
    row = next(copy.victims)
    again = Row(str(Path(row.image).parent / ".." / Path(row.image).parent.name / Path(row.image).name),
                row.split, set(row.labels))  # fmt: skip
    copy.rows.append(again)
    copy.say("joined", row.image, "one file in two rows, which become one")
    one = copy.add("twice.jpg", jpeg(noise(copy)), next(copy.victims))
    copy.add("TWICE.jpg", jpeg(noise(copy)), one)
    copy.say("same_but_capitals", one, "two rows that differ in capitals")
    for _ in range(2):
        row = next(copy.victims)
        row.split = ""
        copy.say("no_part", row, "part removed")
    row = next(copy.victims)
    row.labels = set(copy.names)
    copy.say("many_labels", row, "every label")


def classes(copy: Copy) -> None:
    """Classes spelt in two ways, too rare, everywhere, in one part only, the same as another, against a hierarchy."""
    rich = sorted(copy.names, key=lambda name: (-sum(name in row.labels for row in copy.rows), name))
    usual = [name for name in rich if len(name) >= 6 and "-" not in name and " " not in name][:3]
    for name, other in ((usual[0], usual[0].upper()), (usual[1], _plural(usual[1])),
                        (usual[2], usual[2][:2] + usual[2][3:])):  # fmt: skip
        _respell(copy, name, other)
        copy.say("near_names", f"'{other}'", f"{name} also spelt {other}")
    for name in ("unicorn", "griffin"):
        _new(copy, name, 1)
        copy.say("too_rare", name, "one positive")
    _new(copy, f"{rich[0]};gizmo", 8)
    copy.say("joined_names", f"{rich[0]};gizmo", "two labels with another separator")
    _new(copy, "none", 8)
    copy.say("placeholder_name", "none", "a class that says there is none")
    _new(copy, "nowhere else", 15)
    copy.say("missing_in_part", "nowhere else", f"only in {copy.home}")
    inside = [row for row in copy.rows if rich[0] in row.labels and row.split == copy.home]
    for row in inside[5:20]:
        row.labels.add("badge")
    copy.say("never_without", "badge", f"only beside {rich[0]}")
    outside = [row for row in copy.rows if rich[1] not in row.labels and row.split == copy.home]
    for row in outside[:2]:
        row.labels.add("zebra crossing")
        copy.say("hierarchy", row, f"without {rich[1]}, which is above it")
    (copy.folder / "hierarchy.csv").write_text(f"class,parent\nzebra crossing,{rich[1]}\n")
    for row in copy.rows:
        row.labels |= {"photograph"} | ({"lookalike"} if rich[3] in row.labels else set())
    copy.say("constant", "photograph", "present in every image")
    copy.say("same_images", "lookalike", f"present wherever {rich[3]} is")


def _plural(name: str) -> str:
    return name[:-1] if name.endswith("s") else f"{name}s"


def _respell(copy: Copy, name: str, other: str) -> None:
    for row in [row for row in copy.rows if name in row.labels][3:13:2]:
        row.labels = row.labels - {name} | {other}


def _new(copy: Copy, name: str, images: int) -> None:
    home = [row for row in copy.rows if row.split == copy.home]
    for k in copy.rng.permutation(len(home))[:images]:
        home[k].labels.add(name)


def unknowns(copy: Copy) -> None:
    """Images and classes that nobody judged: a wide file can say so."""
    for _ in range(2):
        row = next(copy.victims)
        row.unknown, row.labels = True, set()
        copy.say("nothing_known", row, "all cells blank")
    copy.planted = [one for one in copy.planted if one[0] != "constant"]
    copy.say("always_present", "photograph", "present wherever it is known")
    copy.say("no_positives", "dodo", "a column of zeros")
    copy.say("unjudged_class", "phoenix", "a blank column")
    copy.say("hardly_judged", "sphinx", "known in three images")


def write_labels(copy: Copy, wide: bool) -> None:
    """The label file, with lines at its end that cannot be read."""
    names = sorted({name for row in copy.rows for name in row.labels})
    with (copy.folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        if not wide:
            out.writerow(["image", "split", "labels"])
            out.writerows([row.image, row.split, "|".join(sorted(row.labels))] for row in copy.rows)
            out.writerow(["", copy.home, names[0]])
        else:
            out.writerow(["image", "split", *names, "dodo", "phoenix", "sphinx"])
            for k, row in enumerate(copy.rows):
                cells = ["" if row.unknown else int(name in row.labels) for name in names]
                last = ["" if row.unknown else 0, "", k % 2 if k < 3 else ""]
                out.writerow([row.image, row.split, *cells, *last])
            out.writerow(["", copy.home, *["0"] * (len(names) + 3)])
        out.writerow(["short.jpg"])
    copy.say("left_out", "names no image", "a row without an image")
    copy.say("left_out", "width", "a row that is too short")


def listed(copy: Copy) -> list[Planted]:
    """The faults with the rows where they ended up; written beside the labels too."""
    line = {id(row): k + 2 for k, row in enumerate(copy.rows)}
    found = [
        Planted(kind, (f"row {line[id(where)]} {where.image}",) if isinstance(where, Row) else (where,), what)
        for kind, where, what in copy.planted
    ]
    with (copy.folder / "planted.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("kind", "where", "what"), *((p.kind, p.words[0], p.what) for p in found)])
    return found


def report(labels: Path) -> Findings:
    """What doctor says of the copy, going on past what cannot be read."""
    from manylabel.cli.classes import read_parents

    dataset = data.read(labels, mistakes="leave")
    return examine(dataset, parents=read_parents(labels.parent / "hierarchy.csv", list(dataset.labels.names)))


def unreported(planted: list[Planted], findings: Findings) -> list[Planted]:
    """The faults that no finding of their kind names with its row or class."""
    said: dict[str, list[str]] = {"joined": [note for note in findings.notes if "repeat an image" in note]}
    for one in findings.findings:
        said.setdefault(one.kind, []).extend([one.text, *map(str, one.examples)])
    return [p for p in planted if not any(all(word in text for word in p.words) for text in said.get(p.kind, []))]


def main() -> None:
    labels, folder = map(Path, sys.argv[1:3])
    folder.mkdir(parents=True)
    broken, planted = break_copy(labels.absolute(), folder.absolute(), huge=True)
    lost = unreported(planted, report(broken))
    for one in lost:
        print("NOT REPORTED", one)
    print(f"{len(planted) - len(lost)} of {len(planted)} faults of {len({p.kind for p in planted})} kinds reported")
    sys.exit(bool(lost))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
