"""Do the totals of a published table follow from its groups? Exact, within what rounding allows.

A table of long-tailed results prints a total and the means of head, medium and tail. The total is the mean over all
classes, hence the groups' mean weighted by their numbers of classes. A number printed as 76.19 stands for any between
76.185 and 76.195, so a row is wrong only where no numbers behind the printed ones fit: `check_rows` decides that in
exact fractions. `compare.table_total` is the plain weighted mean; where the numbers of classes are not given,
`published_splits.explain` says which would explain the table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path

from manylabel.delimited import delimiter_of, encoding_of
from manylabel.labels import ManylabelError, did_you_mean

NUMBER = re.compile(r"[+-]?(\d+)(\.\d*)?|[+-]?\.\d+")
BLANK = ("", "-", "–", "—", "?", "n/a", "na", "nan")
LISTED = 1000  # misprints that are looked through for a slip
VERDICTS = ("agrees", "differs", "incomplete")

Bounds = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Printed:
    """A number as printed: the text, and the bounds of what it may have been before rounding (both included)."""

    text: str

    @property
    def decimals(self) -> int:
        """Digits behind the point."""
        return len(self.text.partition(".")[2])

    @property
    def half(self) -> Fraction:
        """Half of the last digit."""
        return Fraction(1, 2 * 10**self.decimals)

    @property
    def value(self) -> Fraction:
        return Fraction(self.text)

    @property
    def bounds(self) -> tuple[Fraction, Fraction]:
        return self.value - self.half, self.value + self.half


@dataclass(frozen=True)
class Row:
    """One line of the table; None where nothing is printed."""

    system: str
    total: Printed | None
    groups: tuple[Printed | None, ...]

    @property
    def whole(self) -> bool:
        """Whether every number is there."""
        return self.total is not None and None not in self.groups


@dataclass(frozen=True)
class Published:
    """A table as printed: the names of its groups, and its rows."""

    groups: tuple[str, ...]
    rows: tuple[Row, ...]
    total: str = "total"


@dataclass(frozen=True)
class Mend:
    """One number that, changed alone, makes a row right.

    Arguments:
        column: where.
        printed, value: what stands there, and the printable number in the middle of those that would do.
        least, most: the range of printable numbers that would do.
        slip: whether one of them differs from what is printed by one digit or by two neighbouring digits swapped.
    """

    column: str
    printed: str
    value: str
    least: str
    most: str
    slip: bool


@dataclass(frozen=True)
class Check:
    """What became of one row.

    Arguments:
        row: the row.
        verdict: "agrees", "differs", or "incomplete" where a number is missing.
        implied: least and greatest total that the groups allow, None where one of them is missing.
        off: printed total less the middle of `implied`; None where incomplete.
        mends: where it differs, every single number whose change would do and that lies within the scale.
        swaps: where it differs, the pairs of groups that would do if they changed places.
    """

    row: Row
    verdict: str
    implied: tuple[Fraction, Fraction] | None
    off: Fraction | None
    mends: tuple[Mend, ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()


def read(path: str | Path, *, total: str = "total") -> Published:
    """Read a table from a CSV with the header `system,total,<group>,...`; columns in any order, the system first.

    Arguments:
        path: a CSV; cells are numbers as printed (trailing zeros matter) or blank, `-` or `?` for what is not printed.
        total: the name of the column of totals.

    Raises:
        ManylabelError: naming the file, line and column of what is not a number, or the column that is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise ManylabelError(f"{path}: there is no such file")
    with path.open(newline="", encoding=encoding_of(path)) as stream:
        start = stream.read(1 << 16)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter_of(start))
        lines = [(reader.line_num, row) for row in reader if any(row)]
    header = [name.strip() for name in lines[0][1]] if lines else []
    if total not in header[1:] or len(header) < 3:
        raise ManylabelError(
            f"{path}: expected the header 'system,{total},<group>,...', got {','.join(header)[:80]!r}."
            f"{did_you_mean(total, header[1:])}"
        )
    if len(set(header)) < len(header):
        raise ManylabelError(f"{path}: a column name occurs twice in {','.join(header)!r}")
    rows = []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise ManylabelError(f"{path}, line {number}: expected {len(header)} cells, got {len(cells)}")
        found = {n: _printed(cell, f"{path}, line {number}, column {n!r}") for n, cell in zip(header[1:], cells[1:])}
        rows.append(Row(cells[0].strip(), found.pop(total), tuple(found.values())))
    return Published(tuple(name for name in header[1:] if name != total), tuple(rows), total)


def check_rows(table: Published, classes: Mapping[str, int], *, highest: float = 100.0) -> list[Check]:
    """Check every row: does any set of numbers that rounds to the printed ones have total = sum of n_g mean_g / C?

    Arguments:
        table: what `read` gives.
        classes: the number of classes of each group, at least 1.
        highest: end of the scale, which starts at 0; a misprint is not mended by a number beyond it.

    >>> row = Row("ours", Printed("75.40"), (Printed("76.19"), Printed("72.05"), Printed("79.12")))  # COCO-LT
    >>> table = Published(("head", "medium", "tail"), (row,))
    >>> [check.verdict for check in check_rows(table, {"head": 22, "medium": 33, "tail": 25})]
    ['agrees']
    """
    for name in table.groups:
        if name not in classes:
            raise ManylabelError(f"the number of classes of {name!r} is missing.{did_you_mean(name, classes)}")
    for name, size in classes.items():
        if name not in table.groups:
            raise ManylabelError(f"the table has no group {name!r}.{did_you_mean(name, table.groups)}")
        if size != int(size) or size < 1:
            raise ManylabelError(f"the number of classes of {name!r} must be a whole number of at least 1, got {size}")
    sizes = [int(classes[name]) for name in table.groups]
    return [_check(row, table, sizes, Fraction(highest)) for row in table.rows]


def text(checks: Sequence[Check]) -> str:
    """The checks as a table, and a line for each way to mend a row.

    >>> row = Row("theirs", Printed("75.30"), (Printed("76.19"), Printed("72.05"), Printed("79.12")))
    >>> table = Published(("head", "medium", "tail"), (row,))
    >>> print(text(check_rows(table, {"head": 22, "medium": 33, "tail": 25})))
    system  total  implied          off  verdict
    theirs  75.30  75.393–75.403  -0.10  differs
        total could be 75.40 (75.39 to 75.40) in place of 75.30, a slip of a digit or two
        head could be 75.83 (75.80 to 75.87) in place of 76.19
        medium could be 71.81 (71.79 to 71.83) in place of 72.05
        tail could be 78.81 (78.78 to 78.83) in place of 79.12
    1 rows: 0 agrees, 1 differs, 0 incomplete
    """
    cells = [("system", "total", "implied", "off", "verdict"), *(_told(check) for check in checks)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    lines = []
    for row, check in zip(cells, [None, *checks]):
        lines.append(
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]}"
        )
        lines += _ways(check) if check is not None and check.verdict == "differs" else []
    number = {word: sum(check.verdict == word for check in checks) for word in VERDICTS}
    return "\n".join([*lines, f"{len(checks)} rows: " + ", ".join(f"{n} {word}" for word, n in number.items())])


def _check(row: Row, table: Published, sizes: list[int], highest: Fraction) -> Check:
    if None in row.groups:
        return Check(row, "incomplete", None, None)
    groups = [group for group in row.groups if group is not None]
    implied = _mean([group.bounds for group in groups], sizes)
    if row.total is None:
        return Check(row, "incomplete", implied, None)
    off = row.total.value - (implied[0] + implied[1]) / 2
    if _meet(implied, row.total.bounds):
        return Check(row, "agrees", implied, off)
    names, numbers = (table.total, *table.groups), (row.total, *groups)
    wanted = [implied, *(_wanted(row.total, groups, sizes, g) for g in range(len(groups)))]
    mends = (_mend(*parts, highest) for parts in zip(names, numbers, wanted))
    swaps = []
    for a, b in combinations(range(len(groups)), 2):
        turned = [groups[{a: b, b: a}.get(g, g)].bounds for g in range(len(groups))]
        if _meet(_mean(turned, sizes), row.total.bounds):
            swaps.append((table.groups[a], table.groups[b]))
    return Check(row, "differs", implied, off, tuple(mend for mend in mends if mend), tuple(swaps))


def _mean(bounds: Sequence[Bounds], sizes: Sequence[int]) -> Bounds:
    """Least and greatest weighted mean of numbers within their bounds."""
    low, high = (sum((size * pair[end] for size, pair in zip(sizes, bounds)), Fraction(0)) for end in (0, 1))
    return low / sum(sizes), high / sum(sizes)


def _wanted(total: Printed, groups: Sequence[Printed], sizes: Sequence[int], g: int) -> Bounds:
    """What the mean of group g must lie between for the others and the total to fit."""
    rest = [
        sum((sizes[h] * groups[h].bounds[end] for h in range(len(groups)) if h != g), Fraction(0)) for end in (0, 1)
    ]
    low, high = total.bounds
    return (sum(sizes) * low - rest[1]) / sizes[g], (sum(sizes) * high - rest[0]) / sizes[g]


def _meet(a: Bounds, b: Bounds) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _mend(column: str, printed: Printed, wanted: Bounds, highest: Fraction) -> Mend | None:
    """The numbers of as many decimals that stand for something within `wanted` and lie between 0 and `highest`."""
    step = 2 * printed.half
    least, most = -((printed.half - wanted[0]) // step), (wanted[1] + printed.half) // step  # in last digits
    least, most = max(least, 0), min(most, highest // step)
    if least > most:
        return None
    middle = min(max(round((wanted[0] + wanted[1]) / 2 / step), least), most)
    shown = [_shown(digits, printed.decimals) for digits in (middle, least, most)]
    near = (_shown(digits, printed.decimals) for digits in range(least, min(most, least + LISTED) + 1))
    slip = any(_slip(printed.text, text) for text in near)
    return Mend(column, printed.text, shown[0], shown[1], shown[2], slip)


def _slip(one: str, other: str) -> bool:
    """One digit differs, or two neighbours have changed places."""
    if len(one) != len(other):
        return False
    apart = [i for i, pair in enumerate(zip(one, other)) if pair[0] != pair[1]]
    if len(apart) == 2 and apart[1] - apart[0] == 1:
        return one[apart[0]] == other[apart[1]] and one[apart[1]] == other[apart[0]]
    return len(apart) == 1


def _shown(digits: int, decimals: int) -> str:
    """A whole number of last digits as printed."""
    text = str(digits).rjust(decimals + 1, "0")
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text


def _told(check: Check) -> tuple[str, str, str, str, str]:
    total = check.row.total.text if check.row.total is not None else "-"
    digits = check.row.total.decimals + 1 if check.row.total is not None else 3
    implied = "-" if check.implied is None else "–".join(f"{float(end):.{digits}f}" for end in check.implied)
    off = "-" if check.off is None else f"{float(check.off):+.{digits - 1}f}"
    return check.row.system, total, implied, off, check.verdict


def _ways(check: Check) -> list[str]:
    ways = [f"    {a} and {b} may have changed places" for a, b in check.swaps]
    for mend in check.mends:
        span = f" ({mend.least} to {mend.most})" if mend.least != mend.most else ""
        why = ", a slip of a digit or two" if mend.slip else ""
        ways.append(f"    {mend.column} could be {mend.value}{span} in place of {mend.printed}{why}")
    return ways or ["    no single number mends it"]


def _printed(cell: str, where: str) -> Printed | None:
    cell = cell.strip()
    if cell.lower() in BLANK:
        return None
    if not NUMBER.fullmatch(cell):
        raise ManylabelError(f"{where}: expected a number as printed, such as 76.19, or a blank, got {cell!r}")
    return Printed(cell)
