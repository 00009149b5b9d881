"""Small CSV files about the classes: their groups, their parents."""

from __future__ import annotations

from pathlib import Path

import typer

from manylabel.hierarchy import from_pairs
from manylabel.labels import ManylabelError

Pairs = list[tuple[str, str]]


def read_groups(path: Path, names: list[str]) -> list[str | None]:
    """The group of each class in a CSV with columns class,group; None, and a note, for a class without one."""
    groups = dict(_pairs(path, "group", names))
    found = [groups.get(name) for name in names]
    lost = [name for name, group in zip(names, found) if group is None]
    if len(lost) == len(names):
        raise ManylabelError(f"{path}: holds no group of a scored class, such as {names[0]!r}")
    if lost:
        typer.echo(
            f"note: {path} gives no group to {len(lost)} of {len(names)} classes: {', '.join(lost[:3])}", err=True
        )
    return found


def read_parents(path: Path, names: list[str]) -> Pairs:
    """(class, parent) of every line of a CSV with columns class,parent, of which some must be about `names`.

    A class may have several parents, a line each; parents that are no class of `names` are kept, and a circle is an
    error.
    """
    pairs = _pairs(path, "parent", names)
    if not any(from_pairs(pairs, names)):
        raise ManylabelError(f"{path}: none of the {len(names)} classes lies above another, such as {names[0]!r}")
    return pairs


def _pairs(path: Path, second: str, names: list[str]) -> Pairs:
    """The lines of a CSV with the columns class and `second`; names that must mean one of `names` are spelt so."""
    from manylabel.data.sheet import read_sheet
    from manylabel.scores.join import CLASSES, match

    sheet = read_sheet(path)
    plain = {name.lower(): name for name in sheet.header}
    if not {"class", second} <= plain.keys():
        raise ManylabelError(f"{path}: expected the columns class and {second}, got {', '.join(sheet.header[:8])}")
    found = [(one, other) for one, other in zip(sheet.cells(plain["class"]), sheet.cells(plain[second])) if other]
    written = list(dict.fromkeys(word for pair in found for word in (pair if second == "parent" else pair[:1])))
    place, _ = match(names, written, CLASSES)
    spelt = {written[k]: name for name, k in zip(names, place) if k >= 0}
    return [(spelt.get(one, one), spelt.get(other, other) if second == "parent" else other) for one, other in found]
