"""A CSV of labels, narrow or wide, to a `Dataset`: which column is what, and rows of one image joined."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.data import many, narrow, repeats, wide
from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import IMAGE_ENDINGS, PART_WORDS, Dataset
from manylabel.data.files import Files
from manylabel.data.listed import TABLE
from manylabel.data.locate import locate
from manylabel.data.near_names import same_but_case
from manylabel.data.reading import SOFT, UNCERTAIN, Reading
from manylabel.data.repeats import DISAGREE
from manylabel.data.sheet import Sheet, several
from manylabel.delimited import IMAGE
from manylabel.labels import UNKNOWN, LabelTable, ManylabelError, did_you_mean

LABELS = ("labels", "tags", "classes", "categories")
LABEL = (
    "label",
    "label_name",
    "labelname",
    "tag",
    "class",
    "class_name",
    "category",
    "category_name",
    "targets",
    "target",
)
SPLIT = ("split", "set", "subset", "partition")


@dataclass(frozen=True)
class Roles:
    """Which column holds the image, which the part, which the list of labels (None in a wide file)."""

    image: str
    split: str | None
    labels: str | None
    rest: list[str]
    notes: list[str]


Made = tuple[LabelTable, list[str], list[str]]
"""Labels of the images, further columns, and notes."""


def from_sheet(sheet: Sheet, reading: Reading, *, kind: str) -> Dataset:
    """The dataset in a sheet, narrow or wide; `kind` is the name of its format."""
    roles, path = find_roles(sheet, reading.columns), sheet.path
    if reading.leave:
        _leave_nameless(sheet, roles.image)
    ids = _image_ids(sheet, roles.image)
    paths, located = locate(ids, reading.root or (path if path.is_dir() else path.parent))
    grouped = repeats.groups(paths)
    labels, others, told = (_wide if roles.labels is None else _narrow)(sheet, roles, reading, grouped)
    if reading.leave and (disagree := [note for note in told if note.startswith(DISAGREE)]):
        sheet.mistakes.append(disagree[0].removesuffix("."))
    split = _parts(sheet, roles.split, ids, grouped)
    extra, joined = _extra(sheet, others, grouped)
    first = [rows[0] for rows in grouped]
    said = (*sheet.notes, *roles.notes, *told, *joined, *located, *same_but_case(labels.names))
    return Dataset(
        labels=labels,
        paths=Files(paths[r] for r in first),
        split=split,
        columns=extra,
        source=path,
        kind=f"{kind}-wide" if roles.labels is None else f"{kind}-narrow",
        notes=said,
        lines=tuple(sheet.lines[r] for r in first),
        mistakes=tuple(sheet.mistakes),
        beside=_unsure(sheet, labels, reading, grouped) if roles.labels is None else Beside(),
    )


def _unsure(sheet: Sheet, labels: LabelTable, reading: Reading, grouped: list[list[int]]) -> Beside:
    """The value of cells that say uncertain, where they are to be soft and no row of the image is sure."""
    if reading.uncertain != "soft":
        return Beside()
    image = np.empty(len(sheet.rows), np.int64)
    for place, rows in enumerate(grouped):
        image[rows] = place
    cells = wide.uncertain_cells(sheet, list(labels.names), minus_one=reading.minus_one == "uncertain")
    cells = np.unique(np.stack([image[cells[:, 0]], cells[:, 1]], axis=1), axis=0)
    cells = cells[labels.state[cells[:, 0], cells[:, 1]] == UNKNOWN]
    return Beside(soft=Cells(cells[:, 0], cells[:, 1], np.full(len(cells), SOFT))) if len(cells) else Beside()


def _leave_nameless(sheet: Sheet, column: str) -> None:
    """Rows that name no image are left out and said."""
    nameless = [r for r, image in enumerate(sheet.cells(column)) if not image]
    if nameless:
        said = [f"row {sheet.lines[r]}" for r in nameless]
        sheet.mistakes.append(several(said, "row names no image, left out", "rows name no image, left out"))
        lost = set(nameless)
        kept = [r for r in range(len(sheet.rows)) if r not in lost]
        sheet.rows, sheet.lines = [sheet.rows[r] for r in kept], [sheet.lines[r] for r in kept]


def _wide(sheet: Sheet, roles: Roles, reading: Reading, grouped: list[list[int]]) -> Made:
    wanted = [c for c in roles.rest if c not in reading.columns]
    found = wide.sort_columns(sheet, wanted, others=list(reading.columns), leave=reading.leave)
    state, notes = wide.read_table(
        sheet, found.classes, minus_one=reading.state_of_minus_one, uncertain=UNCERTAIN[reading.uncertain]
    )
    merged, told = _merge(sheet, roles.image, state, found.classes, grouped, reading)
    labels = LabelTable(merged, tuple(found.classes), _first_ids(sheet, roles.image, grouped))
    return labels, found.others, [*found.notes, *notes, *told]


def _narrow(sheet: Sheet, roles: Roles, reading: Reading, grouped: list[list[int]]) -> Made:
    assert roles.labels is not None
    lists = narrow.read_lists(sheet, roles.labels, separator=reading.separator)
    if not lists.classes:
        raise ManylabelError(f"{sheet.path}: column {roles.labels!r} lists no label in any row; expected some names")
    long = lists.one_each and len(grouped) < len(lists.names)
    names, ids = lists.classes, _first_ids(sheet, roles.image, grouped)
    if len(names) * len(lists.names) > TABLE:
        labels, conflicts = many.joined(lists, grouped, names, ids, unlisted=reading.default, long=long)
        told = _settled(sheet, roles.image, conflicts, names, grouped, reading)
    else:
        state = narrow.table_of(lists, names, unlisted=UNKNOWN if long else reading.default)
        state, told = _merge(sheet, roles.image, state, names, grouped, reading)
        if long and reading.unlisted == "absent":
            state = narrow.judge(state, np.array([lists.unjudged[rows].any() for rows in grouped]))
        labels = LabelTable(state, names, ids)
    return labels, roles.rest, [*_notes(lists, reading, long=long), *told]


def _notes(lists: narrow.Lists, reading: Reading, *, long: bool) -> list[str]:
    """What was made of labels that are not listed, and of rows of one label."""
    notes = list(lists.notes)
    if reading.unlisted == "unknown":
        notes.append("Labels that a row does not list are unknown, as asked; of an empty list that is all of them.")
    elif (empty := sum(not row for row in lists.names) - int(lists.unjudged.sum())) > 0:
        notes.append(f"{empty:,} rows list no label: images reviewed and found to show none of the classes; kept.")
    if long:
        notes.append("One label per row: the rows of one image are joined, and all their labels count.")
    return notes


def _first_ids(sheet: Sheet, column: str, grouped: list[list[int]]) -> tuple[str, ...]:
    ids = sheet.cells(column)
    return tuple(ids[rows[0]] for rows in grouped)


def find_roles(sheet: Sheet, columns: Sequence[str] = ()) -> Roles:
    """What each column is, by its name; `columns` are said to be neither labels nor classes."""
    for column in columns:
        if column not in sheet.header:
            raise ManylabelError(f"{sheet.path}: there is no column {column!r}.{did_you_mean(column, sheet.header)}")
    if not sheet.rows:
        raise ManylabelError(f"{sheet.path} has a header and no rows: expected one row per image")
    plain = plain_names(sheet, columns)
    image = image_column(sheet, columns)
    notes = [] if image.lower() == "image" else [f"The image is in column {image!r}."]
    open_names = {word: name for word, name in plain.items() if name != image}
    split = next((open_names[w] for w in SPLIT if w in open_names and _says_parts(sheet, open_names[w])), None)
    labels = _labels_column(sheet, {w: n for w, n in open_names.items() if n != split})
    rest = [name for name in sheet.header if name not in (image, split, labels)]
    if split is not None and split != "split":
        notes.append(f"The part (train, val, test) is in column {split!r}.")
    if labels is not None:
        notes.append(f"Narrow file: the labels are listed in column {labels!r}.")
        if rest:
            notes.append(f"Kept as further columns: {', '.join(rest)}.")
    return Roles(image, split, labels, rest, notes)


def plain_names(sheet: Sheet, columns: Sequence[str]) -> dict[str, str]:
    """The column of each name written plainly, but those in `columns`."""
    return {name.lower().replace(" ", "_"): name for name in sheet.header if name not in columns}


def image_column(sheet: Sheet, columns: Sequence[str] = ()) -> str:
    """The column with such a name (picture may also be a class), or the one whose every cell is an image's name."""
    plain = plain_names(sheet, columns)
    named = [plain[word] for word in IMAGE if word in plain]
    if len(named) == 1:
        return named[0]
    if named:
        return next((column for column in named if not wide.holds_labels(sheet, column)), named[0])
    if Path(sheet.header[0].lower()).suffix in IMAGE_ENDINGS:
        raise ManylabelError(
            f"{sheet.path}, row 1: expected a header such as image,labels, got the image {sheet.header[0]!r};"
            " add a first line that names the columns"
        )
    found = [c for c in sheet.header if all(cell.endswith(IMAGE_ENDINGS) for cell in sheet.counts(c))]
    if len(found) != 1 and "id" in plain:
        return plain["id"]
    if len(found) != 1:
        raise ManylabelError(
            f"{sheet.path}, row 1: no column holds the image: expected one named image, path, file or"
            f" filename; got {', '.join(sheet.header[:12])}. Rename that column"
        )
    return found[0]


def _says_parts(sheet: Sheet, column: str) -> bool:
    """`split` always says the part; a column named set, subset or partition where every cell reads as one."""
    cells = sheet.counts(column).keys()
    return column.lower() == "split" or (cells != {""} and cells <= {*PART_WORDS, ""})


def _labels_column(sheet: Sheet, names: dict[str, str]) -> str | None:
    ending = [word for word in names if word.endswith(("_labels", "_tags"))]
    for word in (*LABELS, *(ending if len(ending) == 1 else ()), *LABEL):
        column = names.get(word)
        if column is None or wide.holds_labels(sheet, column):
            continue
        flags = [c for c in names.values() if c != column and wide.holds_labels(sheet, c)]
        if word in LABEL and len(flags) >= 2:
            raise ManylabelError(
                f"{sheet.path} can be read in two ways: column {column!r} may list labels, and"
                f" {', '.join(flags[:5])} may be classes. Rename {column!r} to 'labels' in the first case; give"
                f" --column {shlex.quote(column)} (Python: columns=({column!r},)) in the second"
            )
        return column
    return None


def _image_ids(sheet: Sheet, column: str) -> list[str]:
    ids = sheet.cells(column)
    for row, image in enumerate(ids):
        if not image or "\n" in image or "://" in image:
            what = "a web address" if "://" in image else "line breaks" if image else "nothing"
            raise ManylabelError(
                f"{sheet.at(row, column)}: expected the path of an image file, got {what}"
                + (f" ({image[:60]!r}); download the image first" if "://" in image else "")
            )
    return ids


def _merge(
    sheet: Sheet, image: str, state: NDArray[np.int8], names: Sequence[str], grouped: list[list[int]], reading: Reading
) -> tuple[NDArray[np.int8], list[str]]:
    """((M, C) one row per image, notes)."""
    if len(grouped) == len(state):
        return state, []
    merged, conflicts = repeats.merge_labels(state, grouped)
    return merged, _settled(sheet, image, conflicts, names, grouped, reading)


def _settled(
    sheet: Sheet, image: str, conflicts: many.Conflicts, names: Sequence[str], grouped: list[list[int]],
    reading: Reading,
) -> list[str]:  # fmt: skip
    """Notes on contradictions, or the error, and on the images that have several rows."""
    ids = sheet.cells(image)
    said = [
        f"{ids[rows[0]]!r} ({_rows(sheet, rows)}) on {', '.join(names[c] for c in classes[:5])}"
        for rows, classes in conflicts
    ]
    notes = repeats.settle(sheet.path, said, rule="unknown" if reading.leave else reading.conflicts)
    several = [rows for rows in grouped if len(rows) > 1]
    if several:
        notes.append(
            f"{len(ids) - len(grouped):,} rows repeat an image and are joined with its first row"
            f" ({len(several):,} images, such as {ids[several[0][0]]!r}, {_rows(sheet, several[0])})."
        )
    return notes


def _rows(sheet: Sheet, rows: list[int]) -> str:
    return "rows " + ", ".join(str(sheet.lines[r]) for r in rows[:5]) + (", …" if len(rows) > 5 else "")


def _parts(sheet: Sheet, column: str | None, ids: list[str], grouped: list[list[int]]) -> NDArray[np.str_]:
    """(M,) the part of each image; an image in two parts is an error."""
    cells = _part_cells(sheet, column) if column is not None else [""] * len(ids)
    parts = []
    for rows in grouped:
        said = sorted({cells[r] for r in rows} - {""})
        if len(said) > 1:
            raise ManylabelError(
                f"{sheet.path}, {_rows(sheet, rows)}: {ids[rows[0]]!r} is in {' and '.join(said)} at once;"
                " an image belongs to one part: remove the other rows"
            )
        parts.append(said[0] if said else "")
    return np.array(parts, dtype="<U5")


def _part_cells(sheet: Sheet, column: str) -> list[str]:
    cells = [cell.lower() for cell in sheet.cells(column)]
    for row, cell in enumerate(cells):
        if cell and cell not in PART_WORDS:
            raise ManylabelError(
                f"{sheet.at(row, column)}: expected train, val, test or blank, got {cell!r}."
                f"{did_you_mean(cell, PART_WORDS)}"
            )
    return [PART_WORDS.get(cell, "") for cell in cells]


def _extra(sheet: Sheet, columns: list[str], grouped: list[list[int]]) -> tuple[dict[str, NDArray[np.str_]], list[str]]:
    """({column: (M,) text}, notes); where rows of an image differ, their values are joined by |."""
    extra, notes = {}, []
    for column in columns:
        cells, differing = repeats.merge_text(sheet.cells(column), grouped)
        extra[column] = np.array(cells, dtype=np.str_)
        if differing:
            notes.append(f"Column {column!r} differs between rows of {differing:,} images: values joined by |.")
    return extra, notes
