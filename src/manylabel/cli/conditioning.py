"""`condition`: labels as they might have been, by a seed: partial, single positive, noisy, long-tailed, in steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.catalogue import entries
from manylabel.cli.reading import read, takes_reading
from manylabel.cli.tables import columns
from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.data import Dataset

Counts = dict[str, dict[str, int]]
COUNTED = ("images", "classes", "positives", "negatives", "unknown")


@takes_reading
def condition(
    reading: dict[str, Any],
    data: Annotated[str | None, typer.Argument(help="Label file or folder.", metavar="DATA")] = None,
    to: Annotated[
        list[str] | None, typer.Option(help="Condition; several one after another: --to long_tail --to partial.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="option=value, such as rate=0.1; of several: partial.rate=0.1, or by place 2.rate=0.1."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Label file or folder to write; nothing is written over.")] = None,
    write_as: Annotated[str | None, typer.Option(help="Format to write; by default what OUT's ending says.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print counts and what was done as JSON.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the conditions with their options.")] = False,
) -> None:
    """Make a label condition with a seed, such as 10 % of the labels known, and write it to a file.

    Only training rows are touched, or all where no part is named (--set parts=all for all). The file says how its
    labels were made. Without --out the counts are printed and nothing is written.

    Example: `manylabel condition labels.csv --to partial --set rate=0.1 --seed 0 --out partial.jsonl`
    """
    from manylabel.data import conditions, formats

    if list_:
        return typer.echo(listing())
    if data is None or not to:
        raise ManylabelError("condition wants DATA and --to CONDITION; --list shows the conditions there are")
    steps = steps_of(to, set_ or [])
    target = None if out is None else format_of(out, write_as)
    before = read(data, reading)
    after = conditions.compose(before, steps, seed=seed)
    written = [] if out is None or target is None else formats.write(after, out, target)
    told = {
        "before": counts(before), "after": counts(after),
        "conditions": [{"name": name, **given} for name, given in conditions.history(after)],
        "notes": list(after.notes[len(before.notes) :]), "written": written,
    }  # fmt: skip
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else _text(told))


def listing() -> str:
    """The conditions with one line and their options each."""
    from manylabel.data import conditions

    lines = []
    for entry in entries("data/conditions"):
        given = ", ".join(f"{option}={json.dumps(value)}" for option, value in conditions.options(entry.name).items())
        lines.append(f"{entry.name}: {entry.summary}\n    {given}")
    return "\n".join(lines)


def steps_of(names: Sequence[str], settings: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """(condition, its options) of every step.

    >>> steps_of(["long_tail", "partial"], ["long_tail.ratio=50", "2.rate=0.1"])
    [('long_tail', {'ratio': 50}), ('partial', {'rate': 0.1})]
    """
    from manylabel.config import parse_value
    from manylabel.data import conditions

    words = [conditions.find(name).__name__.rpartition(".")[2] for name in names]
    steps: list[tuple[str, dict[str, Any]]] = [(word, {}) for word in words]
    for item in settings:
        key, equals, text = item.partition("=")
        where, _, option = key.strip().rpartition(".")
        if not equals or not option:
            raise ManylabelError(f"--set wants option=value, such as rate=0.1; got {item!r}")
        for k in _places(where, words, item):
            steps[k][1][option] = parse_value(text.strip())
    return steps


def _places(where: str, words: Sequence[str], item: str) -> list[int]:
    """The steps that a setting is for, from 0."""
    if not where and len(words) == 1:
        return [0]
    if where.isdecimal() and 0 < int(where) <= len(words):
        return [int(where) - 1]
    found = [k for k, word in enumerate(words) if word == where.replace("-", "_")]
    if not found:
        example = f"{words[0]}.{item.rpartition('.')[2] if where else item}"
        raise ManylabelError(
            f"--set {item}: expected the condition it is for, or its place, before a dot, such as {example}."
            f"{did_you_mean(where, words)}"
        )
    return found


def format_of(out: Path, name: str | None) -> str:
    """The format to write: the one named, or the only one whose files end so."""
    from manylabel.data import formats

    if name is not None:
        formats.find(name)
        return name
    endings = {one: formats.find(one).ENDING for one in formats.writable()}
    found = [one for one, ending in endings.items() if ending and out.name.lower().endswith(ending)]
    if len(found) != 1:
        what = f"{out.name} may be {' or '.join(found)}" if found else f"the ending of {out.name} names no format"
        raise ManylabelError(f"{what}: say --write-as {'|'.join(found or sorted(endings))}")
    return found[0]


def counts(dataset: Dataset) -> Counts:
    """Images, classes, and positive, negative and unknown cells, of each part and of all."""
    parts = [part for part in ("train", "val", "test", "") if (dataset.split == part).any()]
    found = {part or "no part": _counted(dataset.rows(dataset.split == part)) for part in parts} if parts[1:] else {}
    return {**found, "all": _counted(dataset)}


def _counted(dataset: Dataset) -> dict[str, int]:
    labels = dataset.labels
    positives, known = int(labels.counts.sum()), int(labels.known_counts.sum())
    cells = len(labels), len(labels.names), positives, known - positives, len(labels) * len(labels.names) - known
    return dict(zip(COUNTED, cells))


def _text(told: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = [("", *COUNTED)]
    for when in ("before", "after"):
        rows += [(f"{when}, {part}", *(f"{n:,}" for n in own.values())) for part, own in told[when].items()]
    return "\n".join([columns(rows), *told["notes"], *told["written"]])
