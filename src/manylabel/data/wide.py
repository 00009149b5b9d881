"""The wide layout: one column per class, holding 1, 0 or nothing, or words such as yes and no."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manylabel.data.sheet import Sheet, several
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError, did_you_mean

STATES = {"absent": ABSENT, "unknown": UNKNOWN, "present": PRESENT}
ONE = ("1", "1.0", "true")
ZERO = ("0", "0.0", "false")
MINUS_ONE = ("-1", "-1.0")
BLANK = ("", "?", "nan", "na", "n/a", "null", "none", "<na>")
YES = ("yes", "y", "x", "✓", "✔", "present", "positive")
NO = ("no", "n", "✗", "absent", "negative")
VALUES = frozenset((*ONE, *ZERO, *MINUS_ONE, *BLANK))
UNSURE = ("uncertain", "u")
READ = VALUES | {*YES, *NO, *UNSURE}
CROSSES, TICKS = {"x", "✗"}, {"✓", "✔"}
CHOICES = ("1", "yes", "y", "x", "true", "present", "0", "no", "n", "false", "absent", "-1", "uncertain")


@dataclass
class Columns:
    """Which columns are classes and which are not."""

    classes: list[str]
    others: list[str]
    notes: list[str]


def holds_labels(sheet: Sheet, column: str) -> bool:
    """Whether every cell is a label value and at least one is not blank; words such as yes may be a list's labels."""
    found = sheet.counts(column).keys()
    return found <= VALUES and not found <= set(BLANK)


def sort_columns(sheet: Sheet, candidates: list[str], *, others: list[str], leave: bool = False) -> Columns:
    """Classes are the columns that hold label values only. `others` are known not to be classes.

    A column of whose filled cells half or more, but not all, are label values (words such as yes and no included) is
    a class with wrong cells: an error that names them, or with `leave` cells that are left unknown. What is left
    becomes a further column.
    """
    chosen = Columns([], list(others), [])
    for column in candidates:
        filled = {cell: n for cell, n in sheet.counts(column).items() if cell not in BLANK}
        alike = sum(n for cell, n in filled.items() if cell in READ)
        if column in sheet.unnamed:
            chosen.others.append(column)
        elif filled.keys() <= READ:
            chosen.classes.append(column)
        elif 2 * alike >= sum(filled.values()):
            _wrong(sheet, column, leave)
            chosen.classes.append(column)
        else:
            chosen.others.append(column)
    if not chosen.classes:
        raise ManylabelError(
            f"{sheet.path}: no labels are found: expected a column named labels (or tags), or one column per"
            f" class holding 1, 0 or blank (or yes and no); got the columns {', '.join(sheet.header[:12])}"
        )
    chosen.notes.append(
        f"Wide file: one column per class ({len(chosen.classes)}: {', '.join(chosen.classes[:5])}"
        f"{', …' if len(chosen.classes) > 5 else ''}). If one is not a class, name it"
        " with --column (Python: columns)."
    )
    extra = [name for name in chosen.others if name not in others]
    if extra:
        chosen.notes.append(f"Kept as further columns, since they do not hold 1, 0 or blank: {', '.join(extra)}.")
    return chosen


def read_table(
    sheet: Sheet, classes: list[str], *, minus_one: str, uncertain: int = UNKNOWN
) -> tuple[NDArray[np.int8], list[str]]:
    """((N, C) state, notes on every value other than 1 and 0); `uncertain` is the state of cells that say so."""
    code = {
        **dict.fromkeys((*ONE, *YES), PRESENT),
        **dict.fromkeys((*ZERO, *NO), ABSENT),
        **dict.fromkeys(BLANK, UNKNOWN),
        **dict.fromkeys(MINUS_ONE, STATES[minus_one]),
        **dict.fromkeys(UNSURE, uncertain),
    }
    state = np.empty((len(sheet.rows), len(classes)), np.int8)
    seen: Counter[str] = Counter()
    spelt = []
    for c, column in enumerate(classes):
        counts = sheet.counts(column)
        seen.update(counts)
        spelt += [column] if counts.keys() & {*YES, *NO} else []
        texts, places = sheet.coded(column)
        states = [code.get(text.strip().lower(), UNKNOWN) for text in texts]  # wrong cells were said
        state[:, c] = np.array(states, np.int8)[places]
    _refuse_crosses(sheet, classes, seen)
    return state, _words(seen, spelt, classes) + _notes(seen, state, classes, minus_one)


def uncertain_cells(sheet: Sheet, classes: list[str], *, minus_one: bool) -> NDArray[np.int64]:
    """(E, 2) row and class of the cells that say uncertain, or -1 where that means it."""
    words = {*UNSURE, *(MINUS_ONE if minus_one else ())}
    found = [np.zeros((0, 2), np.int64)]
    for c, column in enumerate(classes):
        texts, places = sheet.coded(column)
        rows = np.flatnonzero(np.array([text.strip().lower() in words for text in texts], bool)[places])
        found.append(np.stack([rows, np.full(len(rows), c)], axis=1))
    return np.concatenate(found)


def _refuse_crosses(sheet: Sheet, classes: list[str], seen: Counter[str]) -> None:
    """A cross marks what is there, unless ticks do: then, as where it stands alone as ✗, nobody can tell."""
    ticks, crosses = TICKS & seen.keys(), CROSSES & seen.keys()
    if not ("x" in crosses and ticks) and not ("✗" in crosses and not ticks):
        return
    bad = "x" if "x" in crosses and ticks else "✗"
    column = next(name for name in classes if bad in sheet.counts(name))
    row = next(r for r, cell in enumerate(sheet.cells(column)) if cell.lower() == bad)
    beside = f" beside {min(ticks)}" if ticks else " without ✓"
    raise ManylabelError(
        f"{sheet.at(row, column)}: {bad!r}{beside} may mean present or absent; write 1 or yes where the class is there,"
        " 0 or no where it is not"
    )


def _words(seen: Counter[str], columns: list[str], classes: list[str]) -> list[str]:
    """How words in place of 1 and 0 were understood, and where they stand."""
    if not columns:
        return []
    meant = [
        f"{', '.join(f'{word} ({seen[word]:,})' for word in words if seen[word])} as {state}"
        for words, state in ((YES, "present"), (NO, "absent"))
        if any(seen[word] for word in words)
    ]
    some = f"{', '.join(columns[:5])}{', …' if len(columns) > 5 else ''}"
    where = "" if len(columns) == len(classes) else f" (columns {some})" if len(columns) > 1 else f" (column {some})"
    return [f"Words are read as labels{where}: {'; '.join(meant)}."]


def _wrong(sheet: Sheet, column: str, leave: bool) -> None:
    bad = [(r, cell) for r, cell in enumerate(sheet.cells(column)) if cell.lower() not in READ]
    if leave:
        told = [f"{cell!r} (row {sheet.lines[r]})" for r, cell in bad]
        one = f"cell of column {column!r} is none of 1, 0 and blank, and left unknown"
        sheet.mistakes.append(several(told, one, one.replace("cell", "cells").replace("is none", "are none")))
        return
    said = ", ".join(f"{cell!r} (row {sheet.lines[r]})" for r, cell in bad[:5])
    more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    near = did_you_mean(bad[0][1].lower(), CHOICES).split(" Valid:")[0]
    raise ManylabelError(
        f"{sheet.at(bad[0][0], column)}: expected 1, yes, y, x, true (present), 0, no, n, false (absent), or blank, ?,"
        f" nan, -1 (unknown); got {said}{more}.{near} Correct the cells, or, if this column is not a class, give"
        f" --column {shlex.quote(column)} (Python: columns=({column!r},))"
    )


def _notes(seen: Counter[str], state: NDArray[np.int8], classes: list[str], minus_one: str) -> list[str]:
    notes = []
    blanks = [f"{cell or 'blank'} ({seen[cell]:,})" for cell in BLANK if seen[cell]]
    if blanks:
        notes.append(f"Unknown cells: {', '.join(blanks)}.")
    minus, zeros = sum(seen[cell] for cell in MINUS_ONE), sum(seen[cell] for cell in (*ZERO, *NO))
    if minus:
        notes.append(f"-1 ({minus:,} cells) is read as {minus_one}.")
    if minus and not zeros and minus_one == "unknown":
        notes.append(
            "The file holds 1 and -1 but no 0: if -1 means absent, say --minus-one absent"
            " (in Python give minus_one='absent')."
        )
    elif not zeros and not minus:
        notes.append("No cell says absent: the file knows positives only. If a blank means absent, write 0 instead.")
    empty = [name for name, column in zip(classes, state.T) if not column.any()]
    if empty:
        notes.append(
            f"Nothing is known of {len(empty)} classes, kept as they are: {', '.join(empty[:10])}."
            " If a column is not a class, name it with --column (Python: columns)."
        )
    return notes
