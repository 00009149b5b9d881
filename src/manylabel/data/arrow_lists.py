"""A column of lists to labels: names, numbers of classes, or 0 and 1 for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.arrow_objects import mark_boxes
from manylabel.data.arrow_sheet import ArrowSheet, Lists
from manylabel.data.collect import Collector
from manylabel.data.dataset import Dataset, tidy
from manylabel.data.listed import table_of
from manylabel.data.reading import Reading
from manylabel.data.table_csv import Roles
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable, ManylabelError

Ints = NDArray[np.int64]
BITS = (0, 1, None, -1)


@dataclass
class Listed:
    """(E,) cells that a column of lists speaks of, their states, and the names of the classes."""

    rows: Ints
    columns: Ints
    states: NDArray[np.int8]
    names: list[str]
    unsure: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # rows with a label that could not be read


def from_lists(sheet: ArrowSheet, roles: Roles, reading: Reading, kind: str) -> Dataset:
    """The dataset of a sheet whose labels are lists."""
    found = Collector(sheet.path, f"{kind}-lists", reading, unit="row")
    images = _images(sheet, roles, found)  # (N,) the image of each row, -1 where it has none
    assert roles.labels is not None
    lists = sheet.lists(roles.labels)
    listed = read_listed(sheet, roles.labels, lists, found)
    unknown = [read_listed(sheet, name, sheet.lists(name), found, listed.names) for name in _unknown(sheet, roles)]
    if not listed.names:
        raise ManylabelError(f"{sheet.path}: column {roles.labels!r} lists no label in any row; expected some names")
    found.notes[:0] = [*sheet.notes, *roles.notes]
    _say(found, lists, reading)
    table = _table(listed, unknown, images, lists, found)
    if sheet.objects == roles.labels:
        given = sheet.classes.get(roles.labels)
        mark_boxes(found, sheet, roles.labels, _of_rows(lists, given), images.tolist())
    return found.dataset(table=table)


def _of_rows(lists: Lists, given: Sequence[str] | None) -> list[list[str]]:
    """The class of each item of each row, "" for one that could not be read."""
    names = [_name(item, given)[0] for item in lists.items]
    found: list[list[str]] = [[] for _ in lists.missing]
    for row, place in zip(lists.rows.tolist(), lists.places.tolist()):
        found[row].append(names[place])
    return found


def _unknown(sheet: ArrowSheet, roles: Roles) -> list[str]:
    """The column of classes that are unknown, which `convert` writes."""
    return [name for name in roles.rest if name.lower() == "unknown" and sheet.is_list(name)]


def _images(sheet: ArrowSheet, roles: Roles, found: Collector) -> Ints:
    ids = sheet.cells(roles.image)
    split = sheet.cells(roles.split) if roles.split is not None else [""] * len(ids)
    kept = [name for name in roles.rest if not sheet.is_list(name)]
    if left := [name for name in roles.rest if sheet.is_list(name) and name not in _unknown(sheet, roles)]:
        found.note(f"Columns of lists that are not the labels are left out: {', '.join(left)}.")
    columns = [sheet.raw(name) for name in kept]
    files = sheet.raw(sheet.photos) if sheet.photos and sheet.photos not in sheet.header else ("",) * len(ids)
    rows = np.full(len(ids), -1)
    for r, (name, part) in enumerate(zip(ids, split)):
        if not name or "\n" in name or "://" in name:
            found.mistake(
                "rows left out", sheet.at(r, roles.image), f"expected the path of an image file, got {name!r}"
            )
            continue
        extra = {k: cells[r] for k, cells in zip(kept, columns)}
        rows[r] = found.image(name, line=r + 1, part=part, file=files[r], columns=extra)
    return rows


def read_listed(sheet: ArrowSheet, column: str, lists: Lists, found: Collector, known: Sequence[str] = ()) -> Listed:
    """What the items of a column mean; `known` are the classes of another column that lists the same."""
    given = sheet.classes.get(column)
    if given is None and sheet.objects != column and _are_bits(lists, sheet.at(0, column)):
        return _bits(lists, found)
    names = list(dict.fromkeys(known or [tidy(name) for name in given or []]))
    place = {name: c for c, name in enumerate(names)}
    meant, wrong = np.full(len(lists.items), -1), {}
    for k, item in enumerate(lists.items):
        name, problem = _name(item, given)
        if problem:
            wrong[k] = problem
        elif name:
            meant[k] = place.setdefault(name, len(place))
    bad = np.flatnonzero(np.isin(lists.places, list(wrong)))
    for k in bad.tolist():
        row = int(lists.rows[k])
        found.mistake("labels left out", sheet.at(row, column), wrong[int(lists.places[k])])
    columns = meant[lists.places]
    names = list(place)
    if given is None and not known:  # in the order of their names, as in a CSV
        names, columns = _sorted(names, columns)
    kept = columns >= 0
    return Listed(lists.rows[kept], columns[kept], np.full(int(kept.sum()), PRESENT, np.int8), names, lists.rows[bad])


def _sorted(names: list[str], columns: Ints) -> tuple[list[str], Ints]:
    order = sorted(range(len(names)), key=lambda c: (len(names[c]), names[c]) if names[c].isdigit() else (0, names[c]))
    place = np.full(len(names) + 1, -1)
    place[order] = np.arange(len(names))
    return [names[c] for c in order], place[columns]


def _name(item: Any, given: Sequence[str] | None) -> tuple[str, str]:
    """(name of the class, what is wrong): one of them."""
    if item is None:
        return "", "expected the name of a class, got null"
    if given is not None and not isinstance(item, str):
        if isinstance(item, int) and 0 <= item < len(given):
            return tidy(given[item]), ""
        return "", f"expected the number of a class, 0 to {len(given) - 1}, got {item}"
    if isinstance(item, (str, int)) and tidy(str(item)):
        return tidy(str(item)), ""
    return "", f"expected the name or number of a class, got {item!r}"


def _are_bits(lists: Lists, where: str) -> bool:
    """Whether the lists are 0 and 1 for each class: of one length, and true and false, or with a value twice.

    Two classes may be either where no list holds a value twice, and nobody can tell: an error.
    """
    lengths = np.bincount(lists.rows, minlength=len(lists.missing))[~lists.missing]
    plain = all(item in BITS or item != item for item in lists.items)
    if not plain or not len(lengths) or lengths.min() != lengths.max() or not lengths.max():
        return False
    used = [lists.items[k] for k in np.unique(lists.places).tolist()]
    if lengths.max() > 2 or all(isinstance(item, bool) for item in used):
        return True
    pairs = lists.places.reshape(-1, int(lengths.max()))
    sure = any(item not in (0, 1) for item in used) or bool((pairs[:, :1] == pairs[:, 1:]).any())
    if lengths.max() == 2 and not sure:
        raise ManylabelError(
            f"{where}: lists of a 0 and a 1 may be the numbers of two classes, or a value for each of two; write names,"
            " or a column a class"
        )
    return lengths.max() == 2


def _bits(lists: Lists, found: Collector) -> Listed:
    """A column a class; -1 is what the user says, null and NaN are unknown."""
    minus = {"unknown": UNKNOWN, "absent": ABSENT, "present": PRESENT}[found.reading.state_of_minus_one]
    code = np.array([{1: PRESENT, 0: ABSENT, -1: minus}.get(item, UNKNOWN) for item in lists.items], np.int8)
    judged = max(1, int((~lists.missing).sum()))
    classes = len(lists.rows) // judged
    found.note(f"Each list holds 0 or 1 for each of {classes:,} classes, which have no names: 0 to {classes - 1}.")
    columns = np.arange(len(lists.rows)) % classes  # lists of one length follow one another
    return Listed(lists.rows, columns, code[lists.places], [str(c) for c in range(classes)])


def _say(found: Collector, lists: Lists, reading: Reading) -> None:
    missing = int(lists.missing.sum())
    empty = len(lists.missing) - missing - len(np.unique(lists.rows))
    if missing:
        found.note(f"{missing:,} rows hold no list: nobody judged them, all their labels are unknown.")
    if empty and reading.unlisted == "absent":
        found.note(f"{empty:,} rows list no label: images reviewed and found to show none of the classes; kept.")
    if reading.unlisted == "unknown":
        found.note("Labels that a row does not list are unknown, as asked; of an empty list that is all of them.")


def _table(listed: Listed, unknown: list[Listed], images: Ints, lists: Lists, found: Collector) -> LabelTable:
    """Rows of one image joined: what one of them lists is present."""
    unsure = listed.unsure
    for one in unknown:
        listed = Listed(
            np.concatenate([listed.rows, one.rows]), np.concatenate([listed.columns, one.columns]),
            np.concatenate([listed.states, np.full(len(one.rows), UNKNOWN, np.int8)]), one.names,
        )  # fmt: skip
    kept = images[listed.rows] >= 0
    found.classes(*listed.names)
    cells = found.settled(images[listed.rows[kept]], listed.columns[kept], listed.states[kept].astype(np.int64))
    judged = np.zeros(int(images.max(initial=-1)) + 1, bool)
    judged[images[(images >= 0) & ~lists.missing]] = True
    judged[images[unsure[images[unsure] >= 0]]] = False
    return table_of(
        cells, listed.names, found.ids, unjudged=np.flatnonzero(~judged), default=found.reading.default
    )  # fmt: skip
