"""WebDataset: tar archives of samples, read in order without extracting anything.

What has one name up to the first dot of the file's name is a sample: `000/a.jpg` and `000/a.json`. Its labels are in
.json (an object with labels, tags, classes or the like, a list, or one name), in .cls (class numbers separated by
blanks or commas) or in .txt (names, one a line or separated by commas). Numbers are named by classes.txt beside the
archive or in it. Lists of 0 and 1 that are all as long as there are classes hold a value for each class.

A photograph stays where it is: its path is that of the archive, a slash and the name in it.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manylabel.data.collect import Collector
from manylabel.data.dataset import IMAGE_ENDINGS, PART_WORDS, Dataset
from manylabel.data.formats._webdataset_labels import Labels, names_from
from manylabel.data.formats._webdataset_write import write
from manylabel.data.reading import Reading
from manylabel.data.source import Source, parse_json
from manylabel.data.tarred import ENDINGS, Shard
from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError

KIND, ENDING = "webdataset", ""
LIMIT = 1 << 24  # bytes of labels of one sample
NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
CLASSES = ("classes.txt", "__classes__", "__classes__.txt", "classes.json")
READ = ("json", "cls", "txt")


@dataclass
class Sample:
    """What one name holds: the member that is its photograph, the bytes of its labels by ending, and what is wrong."""

    key: str = ""
    number: int = 0
    photo: str = ""
    labels: dict[str, bytes] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)


def clue(source: Source) -> str | None:
    """An archive by its ending, a pattern of several, or a folder with some, itself or in folders of the parts."""
    if source.files:
        return f"it stands for {len(source.files):,} tar archives"
    if not source.is_folder:
        return "it is a tar archive" if source.path.name.lower().endswith(ENDINGS) else None
    shards = _shards(source)
    return f"the folder holds tar archives, such as {shards[0].relative_to(source.path)}" if shards else None


def load(source: Source, reading: Reading) -> Dataset:
    """The samples of all archives in the order of their names; a part is said by json or the archive's name."""
    shards = _shards(source)
    if not shards:
        raise ManylabelError(f"{source.path}: no tar archive is in this folder; expected such as train-000000.tar")
    found = Collector(source.path, KIND, reading, unit="sample")
    labels = Labels(found, _names_beside(source))
    left: Counter[str] = Counter()
    number = 0
    for shard in shards:
        place = shard.relative_to(source.folder)
        for sample in _samples(found, shard, labels, left, number):
            number = sample.number
            _sample(found, shard, place, sample, labels)
    if left:
        said = ", ".join(f"{ending} ({times:,})" for ending, times in left.most_common(10))
        found.note(f"Members that are neither a photograph nor labels are left out: {said}.")
    labels.settle()
    return found.dataset()


def _shards(source: Source) -> list[Path]:
    if not source.is_folder:
        return source.files or [source.path]
    here = [source.path / name for name in source.inside if name.lower().endswith(ENDINGS)]
    inner = [one for name in source.inside if name.lower() in PART_WORDS and (one := source.path / name).is_dir()]
    return here or sorted(p for one in inner for p in one.iterdir() if p.name.lower().endswith(ENDINGS))


def _names_beside(source: Source) -> list[str] | None:
    stem = source.path.name.split(".")[0]
    near = [source.folder / name for name in ((f"{stem}.classes.txt",) if not source.is_folder else ()) + CLASSES]
    path = next((one for one in near if one.is_file()), None)
    return None if path is None else names_from(path.read_bytes().decode(encoding_of(path)), str(path))


def _samples(found: Collector, path: Path, labels: Labels, left: Counter[str], number: int) -> Iterator[Sample]:
    """Members that follow each other and have one name are a sample."""
    shard, sample = Shard(path), Sample(number=number)
    for member in shard:
        where = f"{path}, {member.name!r}"
        if problem := _refused(member):
            found.mistake("members left out", where, problem)
        if problem or not member.isreg():
            continue
        name = member.name.removeprefix("./")
        if name in CLASSES:
            labels.named(names_from(_text(_read(shard, member, where), where), where), where)
            continue
        match = NAME.fullmatch(name)
        if match is None:
            left["hidden or without an ending"] += 1
            continue
        if match[1] != sample.key:
            if sample.key:
                yield sample
            sample = Sample(match[1], sample.number + 1)
        _member(sample, member, (name, match[2].lower()), shard, left)
    if sample.key:
        yield sample
    if shard.damage:
        found.mistake("archives that are not whole", str(path), shard.damage)


def _refused(member: tarfile.TarInfo) -> str:
    """Why a member is not taken: names may not lead elsewhere, and only files hold anything."""
    try:
        member.name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    if "\0" in member.name or member.name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.name):
        return "its name leads out of the archive; rename it"
    if member.issym() or member.islnk():
        return "a link, which leads elsewhere; put the file itself into the archive"
    return "" if member.isreg() or member.isdir() else "neither a file nor a folder"


def _member(sample: Sample, member: tarfile.TarInfo, named: tuple[str, str], shard: Shard, left: Counter[str]) -> None:
    name, ending = named
    if f".{ending}" in IMAGE_ENDINGS and not sample.photo:
        sample.photo = name
    elif ending in READ and ending not in sample.labels:
        where = f"{shard.path}, {name!r}"
        try:
            sample.labels[ending] = _read(shard, member, where)
        except ManylabelError as problem:
            sample.problems.append((where, str(problem).removeprefix(f"{where}: ")))
    else:
        left[f".{ending}"] += 1


def _read(shard: Shard, member: tarfile.TarInfo, where: str) -> bytes:
    try:
        return shard.read(member, LIMIT)
    except ManylabelError as problem:
        raise ManylabelError(f"{where}: {problem}") from None


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ManylabelError(f"{where}: expected text in UTF-8: {problem.reason} at byte {problem.start}") from None


def _sample(found: Collector, shard: Path, place: Path, sample: Sample, labels: Labels) -> None:
    """One row, called by its `place` where it has no name of its own; labels that cannot be read are unknown."""
    said = _all_said(shard, sample, labels)
    for where, text in sample.problems:
        found.mistake("labels left out", where, text)
    if not sample.photo and not sample.labels:
        return  # nothing of it could be read, which was said
    name = labels.own_name(said.get("image"), f"{place}/{sample.photo or sample.key}")
    row = found.image(
        name, line=sample.number, part=_part(said.get("split"), shard), columns=said.get("columns", {}),
        file=f"{shard.absolute()}/{sample.photo}" if sample.photo else "",
    )  # fmt: skip
    if sample.problems:
        found.unsure(row)
    else:
        labels.add(row, f"{shard}, {sample.key!r}", said)
    labels.without_photo += not sample.photo


def _all_said(shard: Path, sample: Sample, labels: Labels) -> dict[str, Any]:
    """What the first of a sample's members that holds labels says of them, and .json of all else."""
    said: dict[str, Any] = {}
    for ending in (one for one in READ if one in sample.labels):
        where = f"{shard}, {f'{sample.key}.{ending}'!r}"
        if "labels" in said:
            labels.unread[ending] += 1
            continue
        try:
            text = _text(sample.labels[ending], where)
            if ending == "txt" and text.strip() in said.get("columns", {}).values():
                labels.captions += 1  # it repeats what .json says under another word, as captions do
            else:
                said |= _said(text, ending, where, labels)
        except ManylabelError as problem:
            sample.problems.append((where, str(problem).removeprefix(f"{where}: ")))
    return said


def _part(said: Any, shard: Path) -> str:
    """The part that the sample says, else the archive's name, else its folder's."""
    words = (said, re.split(r"[-_.]", shard.name)[0], shard.parent.name)
    return next((word for word in words if isinstance(word, str) and word.lower() in PART_WORDS), "")


def _said(text: str, ending: str, where: str, labels: Labels) -> dict[str, Any]:
    """{"labels": ..., "image", "split", "columns", ...} of one member."""
    if ending == "json":
        return labels.of_json(parse_json(text, where), where)
    if ending == "txt":
        return {"labels": [word.strip() for word in re.split(r"[\n,]", text) if word.strip()]}
    words = text.replace(",", " ").split()
    if not all(re.fullmatch(r"-?\d{1,18}", word) for word in words):
        raise ManylabelError(f"{where}: expected class numbers separated by blanks or commas, got {text[:40]!r}")
    return {"labels": tuple(int(word) for word in words)}  # a tuple: class numbers, whatever they are


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """A folder of archives of 10,000 samples, the parts apart, with the photographs that exist, and classes.txt."""
    return write(dataset, path)
