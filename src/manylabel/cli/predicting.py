"""`predict`: what is in images, from any model, to any of several outputs."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from manylabel.cli import tooling
from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.data.pick import Picked
    from manylabel.model import Model
    from manylabel.prediction import Choice, Prediction

WIDEST = 60  # characters of the first column of the table


def predict(
    model: Annotated[Path, typer.Argument(help="Run folder, model folder or .onnx file.", metavar="MODEL")],
    images: Annotated[
        list[str],
        typer.Argument(
            help="Images, folders, patterns, lists (CSV, TXT, any label file), or - for standard input.",
            metavar="IMAGE...",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image and line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV: image,labels,probabilities,error.")] = False,
    xmp: Annotated[
        bool, typer.Option("--xmp", help="Also write the labels as keywords into an XMP file beside each image.")
    ] = False,
    min_score: Annotated[float, typer.Option(help="Leave out labels whose probability is lower.")] = 0.0,
    max_labels: Annotated[int | None, typer.Option(help="Name at most so many, the most probable.")] = None,
    guarantee: Annotated[
        str | None, typer.Option(help="recall=0.9: thresholds that find so much, on images like those of validation.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Decide by the rule of this file, which `tune` wrote.", metavar="FILE")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder at which names in a list start.", metavar="FOLDER")] = None,
    label_studio: tooling.LabelStudio = None,
    fiftyone: tooling.FiftyOne = None,
    url_prefix: tooling.UrlPrefix = None,
    margin: tooling.Margin = None,
    order: tooling.Order = None,
    labels: tooling.Labels = None,
) -> None:
    """Name what is in images: calibrated probabilities, and decisions with per-class thresholds.

    An image that cannot be read is told in its place, and the rest go on; the exit code is then 1.

    Example: `manylabel predict runs/x holiday/ --json`
    """
    from manylabel.classes import parse_guarantee
    from manylabel.data.pick import pick
    from manylabel.model import load
    from manylabel.prediction import Choice

    if as_json and as_csv:
        raise ManylabelError("--json and --csv both say what is printed: give one of them")
    recall = None if guarantee is None else parse_guarantee(guarantee)
    tools = tooling.Tools(label_studio, fiftyone, url_prefix)
    wanted = pick(images, root=root, note=note)
    collected = tooling.Collected(tools, wanted, margin, order, labels, root)
    if xmp and any(isinstance(one.photo, bytes) for one in wanted):
        raise ManylabelError("--xmp needs images that are files; the one on standard input has no place beside it")
    loaded = load(model)
    if as_csv and (several := [name for name in loaded.names if "|" in name]):
        raise ManylabelError(f"class {several[0]!r} holds the sign that stands between labels in --csv: take --json")
    choice = Choice(min_score, max_labels, recall, None if decisions is None else rule_of(decisions, loaded))
    failed = 0
    say = _as_json if as_json else _as_csv() if as_csv else _as_table(wanted)
    with collected.writing(loaded.names, model.stem) as collect:
        for one, prediction in zip(wanted, predicted(loaded, wanted, choice)):
            failed += prediction.error is not None
            say(prediction)
            collect(one, prediction)
            if xmp and prediction.error is None:
                failed += not _written(prediction, Path(str(one.photo)))
    if failed:
        typer.secho(f"{failed:,} of {len(wanted):,} images could not be read or written", fg="red", err=True)
        raise typer.Exit(1)


def predicted(model: Model, wanted: Sequence[Picked], choice: Choice) -> Iterator[Prediction]:
    """The predictions under the names the images were asked for by; with a bar unless they are seen as they come."""
    from manylabel.progress import bar

    with bar("predict", len(wanted), shown=len(wanted) > 8 and not sys.stdout.isatty()) as advance:
        for one, prediction in zip(wanted, model.stream((one.photo for one in wanted), choice)):
            advance(1, "")
            yield replace(prediction, image=one.name)


def rule_of(path: Path, model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """What a file of decisions makes of a model's logits (N, C)."""
    from manylabel.cli.deciding import decide
    from manylabel.scores import ScoreFile

    def rule(scores: np.ndarray) -> np.ndarray:
        ids = np.array([str(i) for i in range(len(scores))])
        return decide(path, ScoreFile(ids, np.array(model.names), scores, "logit")).decisions

    rule(np.zeros((1, len(model.names)), np.float32))  # a mistake in the file shows before the images are read
    return rule


def _as_json(prediction: Prediction) -> None:
    typer.echo(json.dumps(prediction.as_dict(), ensure_ascii=False))


def _as_csv() -> Callable[[Prediction], None]:
    """Rows that `manylabel` reads as labels too: an image that could not be read is unknown, not without labels."""
    _row("image", "labels", "probabilities", "error")

    def say(prediction: Prediction) -> None:
        shares = "|".join(f"{prediction.probabilities[name]:.6f}" for name in prediction.labels)
        labels = "?" if prediction.error is not None else "|".join(prediction.labels)
        _row(prediction.image, labels, shares, prediction.error or "")

    return say


def _row(*cells: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    typer.echo(buffer.getvalue(), nl=False)


def _as_table(wanted: Sequence[Picked]) -> Callable[[Prediction], None]:
    width = min(WIDEST, max(columns(shown(one.name)) for one in wanted))

    def say(prediction: Prediction) -> None:
        name = shown(prediction.image)
        first = name + " " * (width - columns(name))
        if prediction.error is not None:
            reason = shown(prediction.error.removeprefix(f"{prediction.image}: "))
            typer.secho(f"{first}  error: {reason}", fg="red", err=True)
            return
        named = [f"{label} {100 * prediction.probabilities[label]:.0f} %" for label in prediction.labels]
        typer.echo(f"{first}  {shown(', '.join(named)) or '(no label)'}")

    return say


def shown(text: str) -> str:
    """A text on one line: whatever moves the cursor or is no character is written as an escape.

    >>> shown("two\\nlines.jpg")
    'two\\\\nlines.jpg'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for each wide character (Chinese, emoji), none for an accent.

    >>> columns("a犬"), columns("e\u0301")
    (3, 1)
    """
    return len(text) + sum(unicodedata.east_asian_width(c) in "WF" for c in text) - sum(map(is_accent, text))


def is_accent(character: str) -> bool:
    """Whether a character is written over the one before it."""
    return unicodedata.combining(character) > 0


def note(text: str) -> None:
    """On standard error, for standard output may be read by a program."""
    typer.echo(f"note: {text}", err=True)


def _written(prediction: Prediction, image: Path) -> bool:
    from manylabel.export.xmp import write

    try:
        write(prediction, image)
    except (ManylabelError, OSError) as problem:
        typer.secho(f"{shown(prediction.image)}: its XMP was not written: {problem}", fg="red", err=True)
        return False
    return True
