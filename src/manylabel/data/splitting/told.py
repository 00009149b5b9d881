"""What a split came to: positives of each class in each part, what strays most, what cannot be had and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.data.splitting.cover import Holding, guaranteed
from manylabel.data.splitting.tally import Tally
from manylabel.data.splitting.units import Ints

SHOWN, NAMED = 60, 5  # classes in a printed table, names in a sentence
SEARCHED = 30  # knots of classes for which all ways are tried
TOO_FEW, PROVED, NOT_FOUND = "too few", "proved", "not found"


@dataclass(frozen=True)
class Lacking:
    """A class with positives that is not in every part.

    Arguments:
        name: the class.
        parts: those without a positive of it.
        positives: its images.
        units: those of them that can be told apart: groups count once.
        why: "too few" units for so many parts; "proved": no split has it and the classes it shares images with in
            every part; "not found": there may be one.
        reason: the same in a sentence.
    """

    name: str
    parts: tuple[str, ...]
    positives: int
    units: int
    why: str
    reason: str


@dataclass(frozen=True, eq=False)
class Told:
    """The split as a table.

    Arguments:
        parts: P names, in order.
        shares: (P,) asked for; of a part that was left aside, NaN.
        images: (P,).
        names: C class names.
        positives: (C, P).
        groups: (groups of two or more images, images in them, images of the largest).
        lacking: classes that are not in every part although they have positives.
    """

    parts: tuple[str, ...]
    shares: NDArray[np.float64]
    images: Ints
    names: tuple[str, ...]
    positives: Ints
    groups: tuple[int, int, int]
    lacking: tuple[Lacking, ...]

    @property
    def expected(self) -> NDArray[np.float64]:
        """(C, P) positives that each part should have by its share; NaN of parts left aside."""
        total = self.positives[:, ~np.isnan(self.shares)].sum(axis=1)
        return np.asarray(total[:, None] * self.shares)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(C,) largest distance from what a part should have, in images."""
        if not self.positives.size:
            return np.zeros(len(self.names))
        return np.asarray(np.nan_to_num(np.abs(self.positives - self.expected)).max(axis=1))

    @property
    def largest(self) -> dict[str, Any] | None:
        """The class and part that stray most; None where nothing is positive."""
        if not self.positives.any():
            return None
        c = int(self.deviation.argmax())
        p = int(np.nan_to_num(np.abs(self.positives[c] - self.expected[c])).argmax())
        return {
            "class": self.names[c], "part": self.parts[p], "positives": int(self.positives[c, p]),
            "expected": round(float(self.expected[c, p]), 4),
            "deviation": round(float(self.positives[c, p] - self.expected[c, p]), 4),
        }  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, texts and numbers."""
        number, within, most = self.groups
        return {
            "parts": [
                {"name": part, "images": int(n), "share": None if np.isnan(share) else float(share)}
                for part, n, share in zip(self.parts, self.images, self.shares)
            ],
            "groups": {"groups": number, "images": within, "largest": most},
            "classes": [
                {"name": name, "positives": dict(zip(self.parts, row)), "deviation": round(float(off), 4)}
                for name, row, off in zip(self.names, self.positives.tolist(), self.deviation)
            ],
            "largest_deviation": self.largest,
            "mean_deviation": round(float(self.deviation.mean()), 4) if len(self.names) else 0.0,
            "without_positives": [n for n, row in zip(self.names, self.positives) if not row.any()],
            "not_in_every_part": [{**vars(one), "parts": list(one.parts)} for one in self.lacking],
        }

    def __str__(self) -> str:
        return "\n".join([*self._table(), *self._sentences()])

    def _table(self) -> list[str]:
        shown = np.arange(len(self.names))
        if len(shown) > SHOWN:
            shown = np.sort(np.argsort(-self.deviation, kind="stable")[:SHOWN])
        rows = [["", "all", *self.parts, "off by"]]
        rows.append(["images", *(f"{n:,}" for n in (self.images.sum(), *self.images)), ""])
        for c in shown:
            counts = (f"{n:,}" for n in (self.positives[c].sum(), *self.positives[c]))
            rows.append([self.names[c], *counts, f"{self.deviation[c]:.1f}"])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows
        ]
        if len(self.names) > SHOWN:
            lines.append(f"... the {SHOWN} of {len(self.names):,} classes that stray most; --json has all")
        return lines

    def _sentences(self) -> list[str]:
        lines = []
        if (far := self.largest) is not None:
            lines.append(
                f"Largest deviation: {far['class']} in {far['part']}, {far['positives']:,} positives where its share"
                f" is {far['expected']:,.1f}."
            )
        if self.groups[0]:
            lines.append("{:,} groups hold {:,} images, the largest {:,}; none is divided.".format(*self.groups))
        if empty := [name for name, row in zip(self.names, self.positives) if not row.any()]:
            lines.append(f"No positive at all: {some(empty)}.")
        lines += [one.reason for one in self.lacking[:SHOWN]]
        if len(self.lacking) > SHOWN:
            lines.append(f"... and {len(self.lacking) - SHOWN:,} more classes that are not in every part")
        return lines


def some(names: Sequence[str]) -> str:
    """The first few of many names.

    >>> some(list("abcdefg"))
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def tell(tally: Tally, shares: Mapping[str, float], names: Sequence[str]) -> Told:
    """The split that a tally holds."""
    sizes = tally.units.size[tally.units.size > 1]
    classes = tally.units.classes
    return Told(
        tuple(shares), np.array(list(shares.values())), tally.size.copy(), tuple(names), tally.images[:classes].copy(),
        (len(sizes), int(sizes.sum()), int(sizes.max(initial=0))), tuple(lacking(tally, list(shares), names)),
    )  # fmt: skip


def lacking(tally: Tally, parts: Sequence[str], names: Sequence[str]) -> list[Lacking]:
    """Every class with positives that some part lacks, with the reason."""
    classes = tally.units.classes
    holders, enough = tally.holders[:classes], guaranteed(tally)
    holding, tried, found, proved = Holding(tally), 0, [], dict[int, tuple[int, ...]]()
    for c in np.flatnonzero((holders == 0).any(axis=1) & (holders.sum(axis=1) > 0)).tolist():
        if enough[c] and c not in proved and tried < SEARCHED:
            tried += 1
            proved |= {k: knot for knot in [holding.impossible(c)] for k in knot if k not in proved}
        why = TOO_FEW if not enough[c] else PROVED if c in proved else NOT_FOUND
        without = tuple(part for part, n in zip(parts, holders[c]) if n == 0)
        units, positives = int(holders[c].sum()), int(tally.images[c].sum())
        others = [names[k] for k in proved.get(c, ()) if k != c]
        fixed = not tally.free.all()
        reason = _reason(names[c], without, (positives, units, len(parts)), why, others, fixed=fixed)
        found.append(Lacking(names[c], without, positives, units, why, reason))
    return found


def _reason(
    name: str, without: Sequence[str], numbers: tuple[int, int, int], why: str, others: Sequence[str], *, fixed: bool
) -> str:
    """A sentence on a class that is not in every part; `numbers` are its positives, its units and the parts."""
    positives, units, parts = numbers
    lead = f"{name} is not in {', '.join(without)}: "
    if why == TOO_FEW:
        where = f"{positives:,} positive{'' if positives == 1 else 's'}"
        if units < positives:
            where += f" in {units:,} group{'' if units == 1 else 's'}"
        return f"{lead}it has {where}, for {parts} parts."
    kept = " with the images that keep their part" if fixed else ""
    if why == PROVED:
        knot = f"it and {some(others)} share" if others else "it has"
        return f"{lead}{knot} so few images that no split{kept} can have {'them' if others else 'it'} in every part."
    return f"{lead}no split with it in every part was found{kept}; there may be one (try another --seed)."
