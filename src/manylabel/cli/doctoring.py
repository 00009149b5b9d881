"""`doctor`: what was understood of labels and images, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.reading import read, takes_reading
from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.data import Dataset


@takes_reading
def doctor(
    data: Annotated[str, typer.Argument(help="Label file, or folder with one folder per class.", metavar="DATA")],
    reading: dict[str, Any],
    images: Annotated[bool, typer.Option(help="Open every image to find damaged and duplicate ones.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with pictures, one file that opens offline.")
    ] = None,
    hierarchy: Annotated[
        Path | None, typer.Option(help="CSV with columns class,parent: labels that contradict it are named.")
    ] = None,
    leave: Annotated[
        bool, typer.Option("--leave", help="Go on past what cannot be read, and name it among the findings.")
    ] = False,
) -> None:
    """Say what was understood of a label file or folder, and what is wrong with it.

    Example: `manylabel doctor photos/labels.csv --report doctor.html`
    """
    from manylabel import progress
    from manylabel.cli.classes import read_parents
    from manylabel.data.doctor import examine

    dataset = _read(data, reading, leave)
    parents = None if hierarchy is None else read_parents(hierarchy, list(dataset.labels.names))
    with progress.bar("open images", len(dataset), shown=images) as advance:
        findings = examine(dataset, images=images, parents=parents, progress=lambda done, total: advance(1, ""))
    if report is not None:
        from manylabel.data.doctoring.page import write

        typer.echo(f"report: {write(report, dataset, findings)}", err=True)
    typer.echo(json.dumps(findings.as_dict(), indent=2, ensure_ascii=False) if as_json else str(findings))


def _read(data: str, reading: dict[str, Any], leave: bool) -> Dataset:
    """The labels; an error that ends the reading says how to go on."""
    if leave:
        return read(data, {**reading, "mistakes": "leave"})
    try:
        return read(data, reading)
    except ManylabelError as error:
        try:
            read(data, {**reading, "mistakes": "leave"})
        except ManylabelError:
            raise error from None
        raise ManylabelError(f"{error}{'' if str(error).endswith('.') else '.'} --leave goes on past it.") from None
