"""Parquet files of scores, wide, long or with lists; needs pyarrow (`pip install 'manylabel[parquet]'`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.delimited import IMAGE
from manylabel.labels import ManylabelError
from manylabel.scores.mistakes import Mistakes
from manylabel.scores.sheet import LABEL, NO_NUMBER, SCORE, Long, Wide

KIND = b"manylabel.kind"


def read(path: Path, mistakes: Mistakes) -> Wide | Long:
    """Read a parquet file: a column of images with one a class, with a label and a score, or with lists of both."""
    arrow = _arrow("parquet")
    try:
        table = arrow.read_table(path)
    except Exception as error:
        raise ManylabelError(f"{path}: not a readable parquet file ({error})") from None
    plain = {name.lower().replace(" ", "_"): name for name in reversed(table.column_names)}
    image = next((plain[word] for word in (*IMAGE, "id") if word in plain), None)
    if image is None:
        found = ", ".join(table.column_names[:12])
        raise ManylabelError(f"{path}: no column is called image, path, file or filename; got {found}")
    label, score = (next((plain[w] for w in _plurals(words) if w in plain), None) for words in (LABEL, SCORE))
    ids = [str(one) for one in table.column(image).to_pylist()]
    long = label is not None and score is not None and label != image
    result = _long(table, ids, label, score, mistakes) if long else _wide(table, ids, image, mistakes)
    result.kind = ((table.schema.metadata or {}).get(KIND) or b"").decode() or result.kind
    return result


def write(path: Path, ids: Sequence[str], names: Sequence[str], scores: NDArray[np.float32], kind: str) -> None:
    """Write a wide parquet file that says what kind its scores are."""
    pa, arrow = _arrow(), _arrow("parquet")
    columns = {"image": pa.array(ids), **{name: pa.array(column) for name, column in zip(names, scores.T)}}
    arrow.write_table(pa.table(columns).replace_schema_metadata({KIND: kind.encode()}), path)


def _arrow(part: str = "") -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ManylabelError("parquet files need pyarrow: pip install 'manylabel[parquet]'") from None
    return getattr(pyarrow, part) if part else pyarrow


def _plurals(words: Sequence[str]) -> list[str]:
    return [form for word in words for form in (word, f"{word}s")]


def _wide(table: Any, ids: list[str], image: str, mistakes: Mistakes) -> Wide:
    types = _arrow().types
    fields = [field for field in table.schema if field.name != image]
    names = [f.name for f in fields if types.is_floating(f.type) or types.is_integer(f.type)]
    scores = np.empty((len(ids), len(names)), np.float32)
    for c, name in enumerate(names):
        column = table.column(name).cast("float64").to_numpy(zero_copy_only=False)
        scores[:, c] = np.where(np.isfinite(column), column, np.nan)
        if len(bad := np.flatnonzero(np.isnan(scores[:, c]))):
            what = f"row {bad[0] + 1} ({ids[bad[0]]}), column {name!r}: expected a number, got {column[bad[0]]}"
            mistakes.add(*NO_NUMBER, what, number=len(bad))
    others = [repr(f.name) for f in fields if f.name not in names]
    said = [f"not read as classes: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}"] if others else []
    return Wide(ids, names, scores, list(range(1, len(ids) + 1)), said)


def _long(table: Any, ids: list[str], label: Any, score: Any, mistakes: Mistakes) -> Long:
    """A row for each cell, or lists of labels and scores for each image."""
    labels, values = table.column(label).to_pylist(), table.column(score).to_pylist()
    if not any(isinstance(one, list) for one in labels):
        labels, values = [[one] for one in labels], [[value] for value in values]
    images: dict[str, int] = {}
    names: dict[str, int] = {}
    cells: list[tuple[int, int]] = []
    kept: list[float] = []
    for row, (one, own, scored) in enumerate(zip(ids, labels, values), start=1):
        place = images.setdefault(one, len(images))
        if len(own or []) != len(scored or []):
            there = f"row {row} ({one}): {len(own or [])} labels and {len(scored or [])} scores"
            mistakes.add("row whose lists differ in length", "rows whose lists differ in length", there)
            continue
        for name, value in zip(own or [], scored or []):
            if name is None or value is None or not np.isfinite(value):
                mistakes.add(*NO_NUMBER, f"row {row} ({one}, {name!r}): expected a number, got {value}")
            else:
                cells.append((place, names.setdefault(str(name), len(names))))
                kept.append(value)
    pairs = np.array(cells, np.int64).reshape(-1, 2)
    kind = {"logit": "logit", "logits": "logit", "probability": "probability"}.get(score.lower())
    return Long(list(images), list(names), pairs[:, 0], pairs[:, 1], np.array(kept, np.float32), kind=kind)
