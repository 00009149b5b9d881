"""`compare`: runs or score files on the same images. Never imports torch."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.deciding import decide
from manylabel.cli.joining import KIND
from manylabel.cli.pictures import pictures_of
from manylabel.cli.publishing import checked
from manylabel.cli.reading import read, takes_reading
from manylabel.cli.tables import compared
from manylabel.labels import UNKNOWN, LabelTable, ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.compare import Side
    from manylabel.report import Other, ReportData
    from manylabel.scores import ScoreFile

PARTS = ("test", "val")
MOST = 8  # as many as `manylabel.report.models.LETTERS`


@takes_reading
def compare(
    sides: Annotated[list[Path], typer.Argument(help="Two or more runs or score files; the first is the one to beat.")],
    reading: dict[str, Any],
    labels: Annotated[str | None, typer.Option(help="Label file or folder, where no side holds labels.")] = None,
    kind: Annotated[str | None, typer.Option(help=KIND)] = None,
    split: Annotated[str, typer.Option(help="Which scores of a run: test or val.")] = "test",
    decisions: Annotated[
        list[Path] | None, typer.Option(help="What `tune` wrote, for all score files; or once for each side.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of the images.", min=1)] = 1000,
    out: Annotated[Path | None, typer.Option(help="Write the cells that got worse here, as a CSV.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report here: the first side's, the others laid over it.")
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            help="SIDES are published tables (CSV system,total,GROUP,...): do totals follow from the groups? Numbers of"
            " classes, as head=22,medium=33,tail=25, or only in all, as 80.",
            metavar="CLASSES",
        ),
    ] = None,
) -> None:
    """Compare models on the same images: differences with paired intervals, churn, McNemar, regressions.

    Runs decide by their own thresholds, score files by --decisions or at logit 0 or probability 0.5. With --published,
    check the arithmetic of printed tables instead.

    Example: `manylabel compare runs/ridge runs/cprfl --out regressions.csv --report compared.html`
    """
    from manylabel.compare import compare as judge

    if published is not None:
        for path in sides:
            typer.echo(checked(path, published))
        return
    if len(sides) < 2:
        raise ManylabelError(f"compare wants two or more runs or score files, got {len(sides)}")
    if report is not None and len(sides) > MOST:
        raise ManylabelError(f"--report lays at most {MOST} sides over each other, got {len(sides)}: name fewer")
    if split not in PARTS:
        raise ManylabelError(f"--split {split}: expected test or val.{did_you_mean(split, PARTS)}")
    rules = rules_of(decisions or [], len(sides))
    opened = [open_side(path, kind, split, rule) for path, rule in zip(sides, rules)]
    truth, counts = truth_of(opened, labels, reading)
    opened = [one.called(truth) for one in opened]
    ids, names = common([one.file for one in opened], truth)
    state = truth.state[np.ix_(places(truth.ids, ids), places(truth.names, names))]
    train = None if counts is None else counts[places(truth.names, names)]
    ready = [one.side(ids, names) for one in opened]
    typer.echo(f"{len(ids):,} images, {len(names):,} classes, {100 * (state == UNKNOWN).mean():.1f} % of cells unknown")
    results, lost, found = {}, [], []
    for other in ready[1:]:
        result = judge(ready[0], other, state, train_counts=train, number=resamples)
        found.append(result)
        typer.echo(compared(ready[0].name, other.name, result, names))
        results[other.name] = plain(result, names)
        lost += [(other.name, ids[i], names[c], int(state[i, c] > 0)) for i, c in result["cells"].regressions]
    if out is not None:
        write_regressions(out, lost)
    if json_ is not None:
        json_.write_text(json.dumps({"against": ready[0].name, "sides": results}, indent=2) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {json_}")
    if report is not None:
        from manylabel.report import write

        runs = [one.folder for one in opened if one.folder is not None]
        page = page_of(opened, found, LabelTable(state, tuple(names), tuple(ids)), train, split, resamples)
        typer.echo(f"report: {write(report, replace(page, pictures=pictures_of(runs, ids, labels, reading)))}")


@dataclass(frozen=True)
class Opened:
    """A run or a score file as read: its scores, its decisions (N, C) and probabilities (N, C) or None.

    A run has also its thresholds (C,), where its rule has them, and its calibration: temperatures and biases (C,).
    """

    name: str
    file: ScoreFile
    decided: np.ndarray
    probabilities: np.ndarray | None
    thresholds: np.ndarray | None = None
    calibration: tuple[np.ndarray, np.ndarray] | None = None
    folder: Path | None = None

    def called(self, table: LabelTable) -> Opened:
        """The same, images and classes being called as in the labels where they must mean the same; that is said."""
        from manylabel.scores.join import CLASSES, IMAGES, match

        found, file = [], self.file
        for what, own, theirs, rules in (
            ("images", file.ids.tolist(), table.ids, IMAGES), ("classes", file.names.tolist(), table.names, CLASSES),
        ):  # fmt: skip
            place, notes = match(own, theirs, rules)
            for note in notes:
                typer.echo(f"note: {self.name}: {what}: {note}", err=True)
            found.append(np.array([theirs[k] if k >= 0 else word for word, k in zip(own, place)]))
        return replace(self, file=replace(file, ids=found[0], names=found[1]))

    def side(self, ids: list[str], names: list[str]) -> Side:
        """The part that all have in common, in one order."""
        from manylabel.compare import Side

        cells = np.ix_(places(self.file.ids.tolist(), ids), places(self.file.names.tolist(), names))
        own = None if self.probabilities is None else self.probabilities[cells]
        return Side(self.name, self.file.scores[cells], self.decided[cells], own)

    def other(self, table: LabelTable, result: dict[str, Any], name: str) -> Other:
        """The same as a report lays it over the first side's."""
        from manylabel.report import Other

        own, columns = self.side(list(table.ids), list(table.names)), self.columns(table)
        cuts = None if self.thresholds is None else self.thresholds[columns]
        ruled = own.decisions if self.folder is not None and cuts is None else None
        return Other(
            name, own.scores, self.file.kind, thresholds=cuts, probabilities=own.probabilities, decisions=ruled,
            comparison=result,
        )  # fmt: skip

    def columns(self, table: LabelTable) -> np.ndarray:
        """Where the table's classes stand in the file."""
        return places(self.file.names.tolist(), table.names)


def rules_of(decisions: list[Path], sides: int) -> list[Path | None]:
    """The file of decisions of each side."""
    if len(decisions) not in (0, 1, sides):
        raise ManylabelError(f"--decisions once for all sides or once for each of {sides}, got {len(decisions)}")
    return [*decisions] if len(decisions) == sides else [decisions[0] if decisions else None] * sides


def open_side(path: Path, kind: str | None, split: str, rule: Path | None) -> Opened:
    """A run folder with its own thresholds and calibration, or a score file decided by a rule."""
    from manylabel.scores import TopFile, load
    from manylabel.scores.loading import read as load_any

    if not path.is_dir():
        found = load_any(path, None if path.suffix == ".npz" else kind, mistakes="leave")
        file = found.dense() if isinstance(found, TopFile) else found
        for note in file.notes:
            typer.echo(f"note: {path}: {note}", err=True)
        decided = decide(rule, file)
        known = decided.file.kind == "probability" and file is found  # what a list leaves out has no probability
        limits = None if rule is None else decided.thresholds
        cuts = None if limits is None else np.where(np.isinf(limits), np.nan, limits)  # never reached: nothing to draw
        return Opened(str(path), decided.file, decided.decisions, decided.file.scores if known else None, cuts)
    scores, own = path / f"scores-{split}.npz", path / "labels.json"
    for needed in (scores, own):
        if not needed.exists():
            raise ManylabelError(f"{path} is no finished run: it has no {needed.name}")
    from manylabel.decisions.platt import sigmoid

    file, content = load(scores), json.loads(own.read_text(encoding="utf-8"))
    columns = places(content["names"], file.names.tolist())
    temperatures, biases = (np.array(content[key], np.float64)[columns] for key in ("temperatures", "biases"))
    decided = decide(own, file)
    probabilities = sigmoid(file.scores / temperatures + biases)
    return Opened(str(path), file, decided.decisions, probabilities, decided.thresholds, (temperatures, biases), path)


def page_of(
    opened: list[Opened], found: list[dict[str, Any]], table: LabelTable, train: np.ndarray | None, split: str,
    resamples: int,
) -> ReportData:  # fmt: skip
    """The report of the first side with the others laid over it, without pictures."""
    from manylabel.config import command_line
    from manylabel.metrics import Settings, evaluate
    from manylabel.report import ReportData
    from manylabel.scores import ScoreFile

    first, names = opened[0], several(short([one.name for one in opened]))
    own, columns = first.side(list(table.ids), list(table.names)), first.columns(table)
    cuts = None if first.thresholds is None else first.thresholds[columns]
    scales = (None, None) if first.calibration is None else tuple(one[columns] for one in first.calibration)
    numbers = evaluate(
        own.scores, table.state, names=table.names, train_counts=train, decisions=own.decisions, thresholds=cuts,
        probabilities=own.probabilities, settings=Settings(resamples=resamples),
    )  # fmt: skip
    return ReportData(
        title=" against ".join(names[:2]) + (" and others" if len(names) > 2 else ""),
        scores=ScoreFile(np.array(table.ids), np.array(table.names), own.scores, first.file.kind, table.state),
        metrics={**numbers, "part": split}, thresholds=cuts, temperatures=scales[0], biases=scales[1],
        decisions=own.decisions if first.folder is not None and cuts is None else None,
        parts={split: table.state}, command=command_line(), name=names[0],
        others=[one.other(table, result, name) for one, result, name in zip(opened[1:], found, names[1:])],
    )  # fmt: skip


def short(paths: list[str]) -> list[str]:
    """The last parts of paths, as many as tell them apart.

    >>> short(["runs/a/scores-test.npz", "runs/b/scores-test.npz", "old/c.npz"])
    ['a/scores-test.npz', 'b/scores-test.npz', 'c.npz']
    """
    parts = [Path(path).parts for path in paths]
    found = []
    for own, path in zip(parts, paths):
        others = [other for other, text in zip(parts, paths) if text != path]
        taken = next((k for k in range(1, len(own)) if all(other[-k:] != own[-k:] for other in others)), len(own))
        found.append(str(Path(*own[-taken:])))
    return found


def several(names: list[str]) -> list[str]:
    """The names, a repeated one with its number.

    >>> several(["a.npz", "b.npz", "a.npz"])
    ['a.npz', 'b.npz', 'a.npz (2)']
    """
    seen = [names[: k + 1].count(name) for k, name in enumerate(names)]
    return [name if number == 1 else f"{name} ({number})" for name, number in zip(names, seen)]


def truth_of(opened: list[Opened], labels: str | None, reading: dict[str, Any]) -> tuple[Any, np.ndarray | None]:
    """The label table to judge by, and the training counts it has; the sides' own labels must agree."""
    if labels is not None:
        dataset = read(labels, reading)
        train = dataset.split == "train"
        return dataset.labels, dataset.rows(train).labels.counts if train.any() else None
    holding = [one for one in opened if one.file.labels is not None]
    if not holding:
        raise ManylabelError("no side holds labels; give --labels")
    first, counts = holding[0].file.table(), None
    if holding[0].folder is not None:  # a run knows what it was trained on
        content = json.loads((holding[0].folder / "labels.json").read_text(encoding="utf-8"))
        known = content.get("counts")
        counts = None if known is None else np.array(known)[places(content["names"], list(first.names))]
    for other in holding[1:]:
        table = other.file.table()
        ids, names = (sorted(set(a) & set(b)) for a, b in ((first.ids, table.ids), (first.names, table.names)))
        cells = [t.state[np.ix_(places(t.ids, ids), places(t.names, names))] for t in (first, table)]
        if (cells[0] != cells[1]).any():
            i, c = np.argwhere(cells[0] != cells[1])[0]
            raise ManylabelError(
                f"{holding[0].name} and {other.name} hold different labels, first for {names[c]!r} of {ids[i]}:"
                " give the right ones by --labels"
            )
    return first, counts


def common(files: list[ScoreFile], truth: Any) -> tuple[list[str], list[str]]:
    """Images and classes that every side and the labels have, in the first side's order; what is left out is said."""
    others = [(file.ids.tolist(), file.names.tolist()) for file in files[1:]] + [(truth.ids, truth.names)]
    in_all_ids, in_all_names = (set.intersection(*(set(one[k]) for one in others)) for k in (0, 1))
    mine = files[0].ids.tolist(), files[0].names.tolist()
    ids, names = [one for one in mine[0] if one in in_all_ids], [one for one in mine[1] if one in in_all_names]
    most = max(len(file.ids) for file in files), max(len(file.names) for file in files)
    if not ids or not names:
        held = "; ".join(", ".join(map(repr, one[bool(ids)][:3])) for one in (mine, *others))
        raise ManylabelError(f"the sides and the labels have no {'class' if ids else 'image'} in common: {held}")
    if (len(ids), len(names)) != most:
        left = f"{most[0] - len(ids):,} of {most[0]:,} images, {most[1] - len(names):,} of {most[1]:,} classes"
        lost = sorted(set().union(*(one[1] for one in (mine, *others[:-1]))) - set(names))
        named = f": {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}" if lost else ""
        typer.echo(f"note: left out, since not all sides and the labels have them: {left}{named}", err=True)
    return ids, names


def places(there: Any, wanted: Any) -> np.ndarray:
    """Index of each wanted word among those there."""
    index = {word: i for i, word in enumerate(there)}
    return np.array([index[word] for word in wanted], np.int64)


def plain(result: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The result as JSON holds it."""
    cells, classes = result["cells"], result["classes"]
    rows = []
    for c, name in enumerate(names):
        known = not np.isnan(classes["difference"][c])
        ap = {key: float(classes[key][c]) if known else None for key in ("before", "after", "difference")}
        interval = [float(end) for end in classes["interval"][c]] if known else None
        own = {"gained": int(cells.gained[c]), "lost": int(cells.lost[c]), "p": float(cells.p[c])}
        rows.append({"name": name, "ap": ap, "interval": interval, **own})
    return {"numbers": result["numbers"], "churn": cells.churn, "change": cells.change, "per_class": rows}


def write_regressions(path: Path, lost: list[tuple[str, str, str, int]]) -> None:
    """Every cell that the first side decided rightly and another wrongly."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["side", "image", "label", "truth"])
        writer.writerows(lost)
    typer.echo(f"regressions: {path}")
