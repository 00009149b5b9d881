"""`compare`: runs or score files on the same images. Never imports torch."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.evaluating import read_decisions
from manylabel.cli.reading import read, takes_reading
from manylabel.labels import UNKNOWN, ManylabelError

if TYPE_CHECKING:
    from manylabel.compare import Side
    from manylabel.scores import ScoreFile

SHOWN = 10


@takes_reading
def compare(
    sides: Annotated[list[Path], typer.Argument(help="Two or more runs or score files; the first is the one to beat.")],
    reading: dict[str, Any],
    labels: Annotated[str | None, typer.Option(help="Label file or folder, where no side holds labels.")] = None,
    kind: Annotated[str | None, typer.Option(help="What .csv files hold: 'logit' or 'probability'.")] = None,
    split: Annotated[str, typer.Option(help="Which scores of a run: test or val.")] = "test",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of the images.")] = 1000,
    out: Annotated[Path | None, typer.Option(help="Write the cells that got worse here, as a CSV.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
) -> None:
    """Compare models on the same images: differences with paired intervals, churn, McNemar, regressions.

    Runs decide by their own thresholds, score files at logit 0 or probability 0.5.

    Example: `manylabel compare runs/ridge runs/cprfl --out regressions.csv`
    """
    from manylabel.compare import compare as judge

    if len(sides) < 2:
        raise ManylabelError(f"compare wants two or more runs or score files, got {len(sides)}")
    opened = [open_side(path, kind, split) for path in sides]
    truth, counts = truth_of(opened, labels, reading)
    ids, names = common([one.file for one in opened], truth)
    state = truth.state[np.ix_(places(truth.ids, ids), places(truth.names, names))]
    train = None if counts is None else counts[places(truth.names, names)]
    ready = [one.side(ids, names) for one in opened]
    typer.echo(f"{len(ids):,} images, {len(names):,} classes, {100 * (state == UNKNOWN).mean():.1f} % of cells unknown")
    results, lost = {}, []
    for other in ready[1:]:
        result = judge(ready[0], other, state, train_counts=train, number=resamples)
        typer.echo(told(ready[0].name, other.name, result, names))
        results[other.name] = plain(result, names)
        lost += [(other.name, ids[i], names[c], int(state[i, c] > 0)) for i, c in result["cells"].regressions]
    if out is not None:
        write_regressions(out, lost)
    if json_ is not None:
        json_.write_text(json.dumps({"against": ready[0].name, "sides": results}, indent=2) + "\n", encoding="utf-8")
        typer.echo(f"numbers: {json_}")


@dataclass(frozen=True)
class Opened:
    """A run or a score file as read: its scores, its decisions (N, C) and probabilities (N, C) or None."""

    name: str
    file: ScoreFile
    decided: np.ndarray
    probabilities: np.ndarray | None

    def side(self, ids: list[str], names: list[str]) -> Side:
        """The part that all have in common, in one order."""
        from manylabel.compare import Side

        cells = np.ix_(places(self.file.ids.tolist(), ids), places(self.file.names.tolist(), names))
        own = None if self.probabilities is None else self.probabilities[cells]
        return Side(self.name, self.file.scores[cells], self.decided[cells], own)


def open_side(path: Path, kind: str | None, split: str) -> Opened:
    """A run folder with its thresholds and calibration, or a score file."""
    from manylabel.scores import load

    if not path.is_dir():
        file = load(path, kind if path.suffix == ".csv" else None)
        return Opened(
            str(path), file, read_decisions(None, file)[0], file.scores if file.kind == "probability" else None
        )
    scores, own = path / f"scores-{split}.npz", path / "labels.json"
    for needed in (scores, own):
        if not needed.exists():
            raise ManylabelError(f"{path} is no finished run: it has no {needed.name}")
    from manylabel.decisions.platt import sigmoid

    file, content = load(scores), json.loads(own.read_text(encoding="utf-8"))
    columns = places(content["names"], file.names.tolist())
    temperatures, biases = (np.array(content[key], np.float64)[columns] for key in ("temperatures", "biases"))
    return Opened(str(path), file, read_decisions(own, file)[0], sigmoid(file.scores / temperatures + biases))


def truth_of(opened: list[Opened], labels: str | None, reading: dict[str, Any]) -> tuple[Any, np.ndarray | None]:
    """The label table to judge by, and the training counts it has; the sides' own labels must agree."""
    if labels is not None:
        dataset = read(labels, reading)
        train = dataset.split == "train"
        return dataset.labels, dataset.rows(train).labels.counts if train.any() else None
    holding = [one for one in opened if one.file.labels is not None]
    if not holding:
        raise ManylabelError("no side holds labels; give --labels")
    first = holding[0].file.table()
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
    return first, None


def common(files: list[ScoreFile], truth: Any) -> tuple[list[str], list[str]]:
    """Images and classes that every side and the labels have, in the first side's order; what is left out is said."""
    others = [(file.ids.tolist(), file.names.tolist()) for file in files[1:]] + [(truth.ids, truth.names)]
    in_all_ids, in_all_names = (set.intersection(*(set(one[k]) for one in others)) for k in (0, 1))
    ids = [image for image in files[0].ids.tolist() if image in in_all_ids]
    names = [name for name in files[0].names.tolist() if name in in_all_names]
    most = max(len(file.ids) for file in files), max(len(file.names) for file in files)
    if not ids or not names:
        raise ManylabelError(f"the sides have no {'class' if ids else 'image'} in common")
    if (len(ids), len(names)) != most:
        left = f"{most[0] - len(ids):,} of {most[0]:,} images, {most[1] - len(names):,} of {most[1]:,} classes"
        typer.echo(f"note: left out, since not all sides and the labels have them: {left}", err=True)
    return ids, names


def places(there: Any, wanted: Any) -> np.ndarray:
    """Index of each wanted word among those there."""
    index = {word: i for i, word in enumerate(there)}
    return np.array([index[word] for word in wanted], np.int64)


def told(before: str, after: str, result: dict[str, Any], names: list[str]) -> str:
    """The table for the terminal."""
    lines = [f"\n{after} against {before}", f"{'':<12}before   after  difference"]
    for key, row in result["numbers"].items():
        low, high = (100 * end for end in row["interval"])
        lines.append(
            f"{key:<10}{100 * row['before']:8.1f}{100 * row['after']:8.1f}{100 * row['difference']:+8.1f}"
            f"  [{low:+.1f}, {high:+.1f}]  {row['verdict']}"
        )
    cells = result["cells"]
    gained, lost = int(cells.gained.sum()), int(cells.lost.sum())
    lines.append(f"cells: {gained:,} got right, {lost:,} got wrong, churn {100 * cells.churn:.2f} %")
    change = result["classes"]["difference"]
    worst = [c for c in np.argsort(change) if change[c] < 0 and not np.isnan(change[c])][:SHOWN]
    for c in worst:
        low, high = (100 * end for end in result["classes"]["interval"][c])
        lines.append(
            f"  AP {100 * change[c]:+6.1f} [{low:+.1f}, {high:+.1f}]  {names[c]}"
            f" (got right {cells.gained[c]}, wrong {cells.lost[c]}, p {cells.p[c]:.3f})"
        )
    if result["calibration"] is not None:
        means = {key: [float(np.nanmean(side)) for side in pair] for key, pair in result["calibration"].items()}
        lines.append("; ".join(f"{key} {one:.4f} -> {other:.4f}" for key, (one, other) in means.items()))
    return "\n".join(lines)


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
