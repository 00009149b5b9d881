"""`convert`: labels from any format, or from several sets, to any other, with nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.classes import read_parents
from manylabel.cli.reading import read, takes_reading
from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.data import Dataset


@takes_reading
def convert(
    data: Annotated[
        list[str], typer.Argument(help="Label file or folder, or several to merge; then OUT.", metavar="DATA OUT")
    ],
    reading: dict[str, Any],
    to: Annotated[str | None, typer.Option(help="Format to write; by default what OUT's ending says.")] = None,
    hierarchy: Annotated[
        Path | None,
        typer.Option(help="CSV with columns class,parent: parents follow, coarse labels leave children open."),
    ] = None,
    aliases: Annotated[
        Path | None, typer.Option(help="CSV with columns class,alias: other names of the classes.")
    ] = None,
    leave: Annotated[
        bool, typer.Option("--leave", help="Leave out what cannot be read, and say it, instead of stopping.")
    ] = False,
) -> None:
    """Write labels in another format, and merge sets that know different classes; nothing is lost or written over.

    What the format has no place for (unknown cells, votes, boxes, ...) is kept in a small file beside it. In a merged
    set a class that a source does not have is unknown in its images.

    Example: `manylabel convert annotations.json labels.csv`
    """
    from manylabel.data import formats
    from manylabel.data.merge import merge

    if len(data) < 2:
        raise ManylabelError("convert wants what to read and what to write, such as: convert labels.csv labels.jsonl")
    *sources, out = data
    target = to or by_ending(Path(out))
    sets = [
        ready(read(source, {**reading, **({"mistakes": "leave"} if leave else {})}), hierarchy, aliases, reading)
        for source in sources
    ]
    dataset = sets[0] if len(sets) == 1 else merge(sets, conflicts=reading.get("conflicts", "error"))
    for note in dataset.notes:
        typer.echo(f"note: {note}", err=True)
    for mistake in dataset.mistakes:
        typer.echo(f"left out: {mistake}", err=True)
    for line in formats.write(dataset, Path(out), target):
        typer.echo(line)


def ready(dataset: Dataset, hierarchy: Path | None, aliases: Path | None, reading: dict[str, Any]) -> Dataset:
    """The dataset with other names of classes joined to theirs, and completed by a hierarchy."""
    from dataclasses import replace

    from manylabel.data.family import with_hierarchy

    if aliases is not None:
        other = {alias: name for name, alias in _aliases(aliases, dataset.labels.names)}
        dataset = dataset.rename({alias: name for alias, name in other.items() if alias in dataset.labels.names})
        dataset = replace(dataset, beside=replace(dataset.beside, aliases={**dataset.beside.aliases, **other}))
    pairs = dataset.beside.parents if hierarchy is None else tuple(read_parents(hierarchy, list(dataset.labels.names)))
    if hierarchy is not None:
        listed = dataset.kind not in ("csv-wide", "jsonl") and reading.get("unlisted", "absent") == "absent"
        dataset = with_hierarchy(dataset, pairs, listed=listed)
    return dataset


def _aliases(path: Path, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """(class, alias) of every line of a CSV with these columns."""
    from manylabel.data.sheet import read_sheet

    sheet = read_sheet(path)
    plain = {name.lower(): name for name in sheet.header}
    if not {"class", "alias"} <= plain.keys():
        raise ManylabelError(f"{path}: expected the columns class and alias, got {', '.join(sheet.header[:8])}")
    pairs = list(zip(sheet.cells(plain["class"]), sheet.cells(plain["alias"])))
    known = {*names, *(name for name, _ in pairs)}
    for row, (name, alias) in enumerate(pairs):
        if name not in names and alias not in names:
            raise ManylabelError(
                f"{sheet.at(row)}: neither {name!r} nor {alias!r} is a class.{did_you_mean(name, known & set(names))}"
            )
    return pairs


def by_ending(out: Path) -> str:
    """The format whose files end so; JSON may be several, and a folder too."""
    from manylabel.data import formats

    endings = {name: formats.find(name).ENDING for name in formats.writable()}
    found = [name for name, ending in endings.items() if ending and out.name.lower().endswith(ending)]
    if len(found) != 1:
        what = f"{out.name} may be {' or '.join(found)}" if found else f"{out.name} names no format"
        raise ManylabelError(f"{what}: say --to {'|'.join(found or sorted(endings))}")
    return found[0]
