"""`tune`: from a score file with labels to thresholds that are kept. Never imports torch."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from manylabel.cli.classes import read_parents
from manylabel.cli.joining import KIND, SCORES, joined
from manylabel.cli.reading import takes_reading
from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.scores import ScoreFile

RESAMPLES = 200


@takes_reading
def tune(
    scores: Annotated[Path, typer.Argument(help=f"{SCORES} Of validation images.", metavar="SCORES")],
    reading: dict[str, Any],
    labels: Annotated[
        str | None,
        typer.Argument(help="Label file or folder; not needed where SCORES holds labels.", metavar="[LABELS]"),
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            help="f1, f1=BETA, precision=0.9, recall=0.9, cost=MISS:ALARM, prevalence, top_k=3, label_count, sparsemax,"
            " risk=0.9 (guaranteed recall), risk=0.9:precision, fixed=0.5, lp_icp=0.1, adathresh."
        ),
    ] = "f1",
    out: Annotated[Path, typer.Option(help="Where to write the rule.")] = Path("decisions.json"),
    smoothing: Annotated[
        float, typer.Option(help="Rules with a threshold a class: positives that calibrated probabilities count as.")
    ] = 0.0,
    calibrate: Annotated[
        str | None, typer.Option(help="Make probabilities first: platt, temperature, beta or isotonic.")
    ] = None,
    hierarchy: Annotated[
        Path | None, typer.Option(help="CSV with columns class,parent: what is above a present class is present.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help=KIND)] = None,
    seed: Annotated[int, typer.Option(help="Of the resamples behind the intervals.")] = 0,
) -> None:
    """Fit a decision rule to validation scores, for `evaluate --decisions` and `score --decisions`.

    Example: `manylabel tune val.csv labels.csv --kind probability --rule precision=0.9 --out decisions.json`
    """
    from manylabel.decisions._per_class import PerClass

    file, _, _ = joined(scores, labels, kind, reading)
    assert file.labels is not None
    content: dict[str, Any] = {"names": file.names.tolist(), "kind": file.kind}
    if calibrate is not None:
        file, content["calibration"] = calibrated(file, calibrate)
    if hierarchy is not None:
        content["parents"] = by_child(read_parents(hierarchy, file.names.tolist()))
    assert file.labels is not None
    chosen = parse(rule, smoothing).fit(file.scores, file.labels)
    content["decision"] = chosen.to_dict()
    intervals = None
    if isinstance(chosen, PerClass):
        intervals = chosen.intervals(file.scores, file.labels, number=RESAMPLES, seed=seed)
        content |= {"thresholds": content["decision"]["thresholds"], "intervals": _plain(intervals)}
    out.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    typer.echo(told(file, chosen(file.scores), content.get("thresholds"), intervals))
    typer.echo(f"rule: {out}")


def calibrated(file: ScoreFile, name: str) -> tuple[ScoreFile, dict[str, Any]]:
    """The scores as the probabilities of a calibration fitted to them, and the calibration as JSON holds it."""
    from manylabel import decisions

    if name not in decisions.CALIBRATORS:
        raise ManylabelError(f"--calibrate {name}: there is no such one.{did_you_mean(name, decisions.CALIBRATORS)}")
    assert file.labels is not None
    own = decisions.load(name)().fit(file.scores, file.labels)
    return replace(file, scores=own(file.scores).astype(np.float32), kind="probability"), own.to_dict()


def by_child(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The parents of each class by its name.

    >>> by_child([("cat", "pet"), ("cat", "animal")])
    {'cat': ['pet', 'animal']}
    """
    found: dict[str, list[str]] = {}
    for child, parent in pairs:
        found.setdefault(child, []).append(parent)
    return found


def parse(text: str, smoothing: float = 0.0) -> Any:
    """The rule that `NAME` or `NAME=VALUE:VALUE` names, not fitted.

    >>> parse("cost=5:1").miss, parse("recall=0.8").wanted, parse("risk=0.9:precision").of
    (5.0, 0.8, 'precision')
    """
    from manylabel import decisions

    name, _, values = text.partition("=")
    kind = decisions.load(name)
    if not hasattr(kind, "choose") and name in decisions.CALIBRATORS:
        raise ManylabelError(f"--rule {text}: {name!r} gives probabilities, not decisions: --calibrate {name}")
    parameters = [p for p in inspect.signature(kind).parameters.values() if p.name != "smoothing"]
    given = [value for value in values.split(":") if value]
    if len(given) > len(parameters):
        wanted = ":".join(p.name.upper() for p in parameters) or "nothing"
        raise ManylabelError(f"--rule {text}: {name!r} takes {wanted}, got {len(given)} values")
    options = {p.name: _value(text, p, value) for p, value in zip(parameters, given)}
    missing = [p.name for p in parameters[len(given) :] if p.default is inspect.Parameter.empty]
    if missing:
        raise ManylabelError(f"--rule {text}: {name!r} needs a value, such as {name}=0.5")
    if smoothing:
        if "smoothing" not in inspect.signature(kind).parameters:
            raise ManylabelError(f"--smoothing is for rules with a threshold a class, which {name!r} is not")
        options["smoothing"] = smoothing
    return kind(**options)


def _value(text: str, parameter: inspect.Parameter, value: str) -> Any:
    """A value of the type of its parameter's default or annotation."""
    if "str" in str(parameter.annotation):
        return value
    whole = "int" in str(parameter.annotation)
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        kind = "a whole number" if whole else "a number"
        raise ManylabelError(f"--rule {text}: {parameter.name} is {kind}, got {value!r}")
    return number


def told(file: ScoreFile, decided: np.ndarray, thresholds: list[float | None] | None, intervals: Any) -> str:
    """A line for each class: threshold with its interval, and how it does on the images it was fitted to."""
    from manylabel.metrics import count

    assert file.labels is not None
    counts = count(decided, file.labels)
    width = max(len("class"), *(len(name) for name in file.names.tolist()))
    lines = [f"{'class':<{width}}  threshold  [95 % of resamples]     decided  present  found  false"]
    for c, name in enumerate(file.names.tolist()):
        cut = thresholds[c] if thresholds else None
        shown = f"{cut:9.3f}" if cut is not None else "    never" if thresholds else "        -"
        known = intervals is not None and not np.isnan(intervals[c]).any()
        around = f"[{intervals[c, 0]:.3f}, {intervals[c, 1]:.3f}]" if known else ""
        number = int(counts.true_positives[c] + counts.false_positives[c])
        lines.append(
            f"{name:<{width}}  {shown}  {around:<22} {number:>8}  {int(counts.positives[c]):>7}"
            f"  {int(counts.true_positives[c]):>5}  {int(counts.false_positives[c]):>5}"
        )
    return "\n".join([*lines, "counts are of the images the rule was fitted to: measure it on others"])


def _plain(intervals: Any) -> list[list[float | None] | None]:
    """Intervals as JSON holds them: null for a class without its own, and for an end that is never reached."""
    return [
        None if np.isnan(pair).any() else [None if np.isinf(end) else float(end) for end in pair] for pair in intervals
    ]
