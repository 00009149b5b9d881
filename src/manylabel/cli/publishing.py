"""Published tables: do their totals follow from their groups?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.published import Published


def checked(path: Path, classes: str) -> str:
    """Whether the totals of a table follow from its groups, in words.

    Arguments:
        path: CSV `system,total,<group>,...`.
        classes: numbers of classes, "head=22,medium=33,tail=25", or only how many there are in all, "80".
    """
    from manylabel.published import check_rows, read, text

    table = read(path)
    if classes.strip().isdigit():
        return f"{path}: {explained(table, int(classes))}"
    sizes = {}
    for item in classes.split(","):
        name, _, number = (word.strip() for word in item.partition("="))
        if not number.isdigit():
            raise ManylabelError(f"--published wants GROUP=NUMBER,... or one number such as 80, got {item!r}")
        sizes[name] = int(number)
    return f"{path}\n{text(check_rows(table, sizes))}"


def explained(table: Published, classes: int) -> str:
    """Which numbers of classes in the groups would explain the table."""
    from manylabel.published_splits import explain

    found = explain(table, classes)
    named = [", ".join(f"{name} {size}" for name, size in zip(table.groups, split)) for split in found.splits[:5]]
    shown = "; ".join(named) + ("; ..." if len(found.splits) > 5 else "")
    if found.number:
        ways = "one split of the classes explains" if found.number == 1 else f"{found.number:,} splits explain"
        return f"{ways} all {found.rows} rows: {shown}"
    return (
        f"no split of {classes} classes explains all {found.rows} rows; the best explain {found.explained}: {shown};"
        f" left over by the first: {', '.join(found.left_over[:5])}"
    )
