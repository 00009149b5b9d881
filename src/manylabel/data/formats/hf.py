"""Hugging Face `datasets`, read and written without that library; needs pyarrow.

Three layouts: what `save_to_disk` writes (dataset_info.json and *.arrow, or a folder for each split and
dataset_dict.json), the parquet files of the hub (one, or a folder of train-00000-of-00002.parquet and the like), and
an image folder with metadata.jsonl, metadata.csv or metadata.parquet, also inside folders of the splits.

Labels are a list of ClassLabel, in all its spellings, one ClassLabel, or a list of text; else a column a class. -1 and
null are classes that nobody judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.data.arrow import Part, footer, parquet_part, pyarrow, stream_part
from manylabel.data.arrow_objects import CATEGORY, with_objects
from manylabel.data.arrow_sheet import ArrowSheet
from manylabel.data.dataset import PART_WORDS, Dataset
from manylabel.data.formats._imagefolder import metadata_in, metadata_part
from manylabel.data.formats.parquet import LEFT, of_sheet
from manylabel.data.reading import Reading
from manylabel.data.source import Source, parse_json
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError

ENDING = ""
INFO, STATE, DICT = "dataset_info.json", "state.json", "dataset_dict.json"
TAKEN = ("image", "file_name", "labels", "unknown", "split")
BLOCK = 10_000  # rows of one batch
WORDS = {"train": "train", "val": "validation", "test": "test"}  # of our parts there


def clue(source: Source) -> str | None:
    """By the files that `datasets` writes, by the footer of its parquet, by the ending of its arrow files."""
    if not source.is_folder:
        if _is_hub(source.path):
            return "its footer describes the columns as `datasets` does"
        return f"its name ends in {source.ending}" if source.ending == ".arrow" else None
    if DICT in source.inside or {INFO, STATE} <= set(source.inside):
        return f"the folder holds {DICT if DICT in source.inside else INFO}, as `save_to_disk` writes"
    if files := metadata_in(source.path):
        return f"the folder holds {files[0].relative_to(source.path)}, as an image folder of `datasets` does"
    hub = _hub_files(source.path)
    return f"the folder holds {hub[0].relative_to(source.path)} of `datasets`" if hub else None


def load(source: Source, reading: Reading) -> Dataset:
    """All splits as one dataset; a split that is none of train, val and test is kept in the column `subset`."""
    parts = [with_objects(part) for part in _parts(source)]
    if not parts:
        raise ManylabelError(f"{source.path}: no *.arrow, *.parquet or metadata.jsonl is found here")
    return of_sheet(ArrowSheet(source.path, parts, _classes(parts)), reading, "hf")


def _classes(parts: Sequence[Part]) -> dict[str, list[str]]:
    """The class names of the columns that hold their numbers, which must be the same in every file."""
    found: dict[str, list[str]] = {}
    for part in parts:
        for column, feature in _features(part).items():
            names = _names(feature, f"{part.path}, column {column!r}")
            if names and found.setdefault(column, names) != names:
                raise ManylabelError(
                    f"{part.path}, column {column!r}: its classes are not those of {parts[0].path}; cast both to one"
                    " ClassLabel"
                )
    return found


def _parts(source: Source) -> Iterator[Part]:
    path = source.path
    if not source.is_folder:
        yield stream_part(path) if source.ending == ".arrow" else parquet_part(path)
    elif DICT in source.inside:
        for split in _splits(path / DICT):
            yield from _saved(path / split, split)
    elif INFO in source.inside and STATE in source.inside:
        split = _said(path / STATE).get("_split") or ""
        if not isinstance(split, str):
            raise ManylabelError(f"{path / STATE}, _split: expected the name of a split or null, got {split}")
        yield from _saved(path, split)
    elif files := metadata_in(path):
        for file in files:
            yield metadata_part(file, path, _given("" if file.parent == path else file.parent.name))
    else:
        for file in _hub_files(path):
            yield parquet_part(file, _given(file.stem.split("-")[0]))


def _splits(path: Path) -> list[str]:
    splits = _said(path).get("splits")
    if not isinstance(splits, list) or not splits or not all(isinstance(one, str) and one for one in splits):
        raise ManylabelError(f'{path}: expected {{"splits": ["train", ...]}}, got {json.dumps(splits)[:60]}')
    folders = [one for one in path.parent.iterdir() if one.is_dir()]
    if lost := [one for one in splits if _inside(path.parent, one) not in folders]:
        raise ManylabelError(f"{path} names the split {lost[0]!r}, but there is no folder of that name beside it")
    return splits


def _saved(folder: Path, split: str) -> Iterator[Part]:
    """The arrow files that state.json lists, in its order."""
    path = folder / STATE
    if not path.is_file():
        raise ManylabelError(f"{folder} lacks {STATE}, which says in which files the rows lie")
    files = _said(path).get("_data_files")
    try:
        named = [_inside(folder, one["filename"]) for one in files or []]
    except (TypeError, KeyError):
        raise ManylabelError(f'{path}, _data_files: expected a list of {{"filename": ...}}') from None
    if not named:
        raise ManylabelError(f"{path}, _data_files: expected at least one file")
    for file in named:
        if file.name not in {one.name for one in folder.iterdir()}:
            raise ManylabelError(f"{path} names {file.name!r}, which is not in {folder}")
        yield stream_part(file, _given(split))


def _inside(folder: Path, name: Any) -> Path:
    """A file or folder directly in `folder`: a name may not lead out of it."""
    if not isinstance(name, str) or not 0 < len(name.encode("utf-8", "replace")) < 256 or Path(name).name != name:
        raise ManylabelError(f"{folder}: expected the plain name of a file or folder in it, got {str(name)[:60]!r}")
    return folder / name


def _given(split: str) -> dict[str, str]:
    if not split:
        return {}
    part = PART_WORDS.get(split.lower())
    return {"split": part} if part else {"subset": split}


def _said(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as problem:
        raise ManylabelError(f"{path} is not UTF-8: {problem}") from None
    if not isinstance(found, dict):
        raise ManylabelError(f"{path}: expected an object, got {json.dumps(found)[:40]}")
    return found


def _features(part: Part) -> dict[str, Any]:
    """What `datasets` says of the columns: in the file itself, else in dataset_info.json beside it."""
    text = (part.schema.metadata or {}).get(b"huggingface")
    beside = part.path.parent / INFO
    if text is not None:
        try:
            found = parse_json(text.decode(), f"{part.path}, schema metadata")
        except UnicodeDecodeError as problem:
            raise ManylabelError(f"{part.path}, schema metadata: not UTF-8: {problem}") from None
        found = found.get("info") if isinstance(found, dict) else None
    else:
        found = _said(beside) if beside.is_file() else {}
    features = found.get("features") if isinstance(found, dict) else None
    if features is not None and not isinstance(features, dict):
        raise ManylabelError(f"{part.path}, features: expected an object of columns, got {json.dumps(features)[:40]}")
    return features or {}


def _names(feature: Any, where: str) -> list[str]:
    """The class names of a feature: ClassLabel, or one in Sequence, List, LargeList, a list of one or the category of
    objects; else none."""
    while isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _names(feature.get("feature"), where)
    if "_type" not in feature:  # of objects: the features of each by name
        return next((_names(feature[word], where) for word in CATEGORY if word in feature), [])
    if feature.get("_type") != "ClassLabel":
        return []
    names = feature.get("names")
    if isinstance(names, dict) and set(names) == set(map(str, range(len(names)))):
        names = [names[str(k)] for k in range(len(names))]
    if names is None and isinstance(count := feature.get("num_classes"), int) and 0 < count <= 1 << 24:
        names = [str(k) for k in range(count)]
    if not isinstance(names, list) or not all(isinstance(one, str) and one.strip() for one in names):
        raise ManylabelError(f"{where}: expected the names of a ClassLabel as a list, got {json.dumps(names)[:60]}")
    if twice := next((one for k, one in enumerate(names) if one in set(names[:k])), None) if _twice(names) else None:
        raise ManylabelError(f"{where}: two classes of the ClassLabel are named {twice!r}")
    return names


def _twice(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _is_hub(path: Path) -> bool:
    said = footer(path)
    return b"huggingface" in said and b"features" in said


def _hub_files(folder: Path) -> list[Path]:
    """The parquet files of a dataset of the hub: in the folder, in `data`, or in that of its only configuration."""
    here = _parquet(folder)
    if here:
        return here if _is_hub(here[0]) else []
    inner = {one: found for one in sorted(folder.iterdir())[:200] if one.is_dir() and (found := _parquet(one))}
    hub = {one: found for one, found in inner.items() if not one.name.startswith(LEFT) and _is_hub(found[0])}
    if len(hub) > 1 and not all(one.name.lower() in PART_WORDS for one in hub):
        return []
    return [file for found in hub.values() for file in found]


def _parquet(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("*.parquet") if not one.name.startswith(LEFT))


def save(dataset: Dataset, path: Path) -> Sequence[str]:
    """What `datasets.load_from_disk` reads: one dataset, or one a split where every image has a part.

    Columns: `image` (an Image of which only the path is written; photographs are not copied), `file_name`, `labels`
    (a list of ClassLabel), `unknown` (another, where any cell is unknown), `split` where some have none, and the rest.
    """
    if twice := [name for name in dataset.columns if name in TAKEN]:
        raise ManylabelError(f"{path}: the column {twice[0]!r} has the name of one that is written; rename it")
    path.mkdir()
    parts = [part for part in WORDS if (dataset.split == part).any()]
    if not parts or (dataset.split == "").any():
        _write(dataset, path, "", _described(dataset))
        return dataset.labels.ids
    features = _described(replace(dataset, split=np.full(len(dataset), "")))  # the same in every split
    for part in parts:
        (path / WORDS[part]).mkdir()
        chosen = dataset.rows(dataset.split == part)
        _write(replace(chosen, split=np.full(len(chosen), "")), path / WORDS[part], WORDS[part], features)
    (path / DICT).write_text(json.dumps({"splits": [WORDS[part] for part in parts]}), encoding="utf-8")
    return dataset.labels.ids


def _write(dataset: Dataset, folder: Path, split: str, features: dict[str, Any]) -> None:
    arrow = pyarrow()
    kinds = {"Image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()}), "Value": arrow.string()}
    kinds["Sequence"] = arrow.list_(arrow.int64())
    said = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    schema = arrow.schema([(name, kinds[one["_type"]]) for name, one in features.items()], said)
    file = "data-00000-of-00001.arrow"
    with (folder / file).open("xb") as stream, arrow.ipc.new_stream(stream, schema) as writer:
        for first in range(0, len(dataset), BLOCK):
            rows = np.arange(first, min(len(dataset), first + BLOCK))
            writer.write_batch(arrow.RecordBatch.from_pylist(list(_rows(dataset.rows(rows), features)), schema))
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    state: dict[str, Any] = {
        "_data_files": [{"filename": file}], "_fingerprint": f"{len(dataset):016x}", "_format_columns": None,
        "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": split or None,
    }  # fmt: skip
    (folder / INFO).write_text(json.dumps(info, indent=2), encoding="utf-8")
    (folder / STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")


def _described(dataset: Dataset) -> dict[str, Any]:
    """The features, lists as `Sequence`, the spelling that every version of `datasets` reads."""
    text = {"dtype": "string", "_type": "Value"}
    lists = {"feature": {"names": list(dataset.labels.names), "_type": "ClassLabel"}, "length": -1, "_type": "Sequence"}
    unknown = {"unknown": lists} if dataset.labels.unknown_share else {}
    split = {"split": text} if (dataset.split != "").any() else {}
    extra = dict.fromkeys(dataset.columns, text)
    return {"image": {"_type": "Image"}, "file_name": text, "labels": lists, **unknown, **split, **extra}


def _rows(dataset: Dataset, features: dict[str, Any]) -> Iterator[dict[str, Any]]:
    lists = dataset.labels.sparse if dataset.labels.is_sparse else None
    for r, (name, path) in enumerate(zip(dataset.labels.ids, dataset.paths)):
        state = dataset.labels.state[r] if lists is None else dataset.labels.rows([r]).state[0]
        row: dict[str, Any] = {
            "image": {"bytes": None, "path": str(path)},
            "file_name": name,
            "split": str(dataset.split[r]),
        }
        row |= {
            "labels": np.flatnonzero(state == PRESENT).tolist(),
            "unknown": np.flatnonzero(state == UNKNOWN).tolist(),
        }
        row |= {column: str(cells[r]) for column, cells in dataset.columns.items()}
        yield {column: row[column] for column in features}
