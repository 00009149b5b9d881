"""`split`: parts or folds for a label file, in which every class keeps its share and no group is divided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from manylabel.data import Dataset
    from manylabel.data.splitting.filled import Split

TOGETHER = ("near-duplicates",)


@takes_reading
def split(
    data: Annotated[str, typer.Argument(help="Label file or folder.", metavar="DATA")],
    reading: dict[str, Any],
    out: Annotated[
        Path | None, typer.Option(help="Label file or folder to write; without it the table is only printed.")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(help="Shares of the parts; by default train=.8,val=.1,test=.1.", metavar="NAME=SHARE,…"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Folds instead of parts: numbers from 0 in a column `fold`.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Column whose rows of one value stay together, such as patient; may be repeated."),
    ] = None,
    keep_together: Annotated[
        list[str] | None,
        typer.Option(help="near-duplicates: open the images and keep those that look the same together."),
    ] = None,
    keep_test: Annotated[
        bool, typer.Option("--keep-test", help="Images of test stay where they are; all others are divided anew.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Divide all anew, those that have a part too.")] = False,
    negatives: Annotated[
        bool, typer.Option("--negatives", help="Keep the shares of verified negatives too, where cells are unknown.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed; the order of the rows does not matter.")] = 0,
    to: Annotated[str | None, typer.Option(help="Format to write; by default what OUT's ending says.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Divide images into parts or folds: stratified over all classes, groups kept whole, rare classes everywhere.

    Images that have a part keep it; --keep-test and --again say otherwise. The table shows the positives of each class
    in each part, what strays most, and which class cannot be in every part, with the reason.

    Example: `manylabel split labels.csv --out split.csv --group patient`
    """
    from manylabel.data import formats
    from manylabel.data.splitting.divide import Choices
    from manylabel.data.splitting.filled import folded, parted

    if folds is not None and parts is not None:
        raise ManylabelError("--folds makes equal folds and --parts parts with shares: give one of them")
    if keep_test and again:
        raise ManylabelError("--keep-test leaves test as it is and --again leaves nothing: give one of them")
    target = None if out is None else _format(out, to)
    dataset = read(data, reading)
    groups, notes = grouped(dataset, group or [], keep_together or [])
    keep, choices = "test" if keep_test else "nothing" if again else "named", Choices(seed, negatives)
    if folds is None:
        made = parted(dataset, None if parts is None else shares_of(parts), groups=groups, keep=keep, choices=choices)
    else:
        made = folded(dataset, folds, groups=groups, keep=keep, choices=choices)
    written = [] if out is None or target is None else formats.write(made.dataset, out, target)
    _say(made, [*notes, *written], as_json=as_json)


def _say(made: Split, notes: list[str], *, as_json: bool) -> None:
    """The table on standard output; notes too, beside JSON on standard error."""
    typer.echo(json.dumps(made.told.as_dict(), indent=2, ensure_ascii=False) if as_json else str(made.told))
    for note in notes:
        typer.echo(note, err=as_json)


def _format(out: Path, to: str | None) -> str:
    from manylabel.cli.converting import by_ending
    from manylabel.data import formats

    if out.exists():  # before the work, not after it
        raise ManylabelError(f"{out} exists already; give another name, or remove it first")
    if to is not None and to not in formats.writable():
        raise ManylabelError(f"--to cannot be {to!r}.{did_you_mean(to, formats.writable())}")
    return to or by_ending(out)


def grouped(dataset: Dataset, columns: list[str], together: list[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
    """((N,) group of each image or None where none are asked for, notes)."""
    from manylabel import progress
    from manylabel.data.splitting.grouping import joined, near_duplicates, of_column

    for word in together:
        if word not in TOGETHER:
            raise ManylabelError(f"--keep-together cannot be {word!r}.{did_you_mean(word, TOGETHER)}")
    if not columns and not together:
        return None, []
    found = [of_column(dataset, column) for column in columns]
    if together:
        with progress.bar("open images", len(dataset)) as advance:
            found.append(near_duplicates(dataset.paths, progress=lambda done, total: advance(1, "")))
    return joined(len(dataset), [pairs for pairs, _ in found]), [note for _, notes in found for note in notes]


def shares_of(text: str) -> dict[str, float]:
    """NAME=SHARE,... to a dict; shares are numbers, or percents.

    >>> shares_of("train=.8, val=10%,test=0.1")
    {'train': 0.8, 'val': 0.1, 'test': 0.1}
    """
    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, share = (word.strip() for word in item.partition("="))
        try:
            value = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            value = -1
        if not name or not 0 < value <= 1:
            raise ManylabelError(f"--parts wants NAME=SHARE,... such as train=.8,val=.1,test=.1; got {item!r}")
        if name in shares:
            raise ManylabelError(f"--parts names {name!r} twice")
        shares[name] = value
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ManylabelError(f"--parts: the shares must sum to 1, got {sum(shares.values()):g} ({text})")
    return shares
