"""What a file of decisions says of some scores: one that `tune` wrote, a run's labels.json, or anybody's."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.scores import ScoreFile, TopFile


@dataclass(frozen=True, eq=False)
class Decided:
    """Scores and what was decided of them.

    Arguments:
        file: the scores, calibrated if the rule calibrates first.
        decisions: (N, C) bool.
        thresholds: (C,) on the scale of `file`, infinite where never reached; None where the rule has none a class.
        intervals: (C, 2) around the thresholds, NaN for none; or None.
    """

    file: ScoreFile
    decisions: np.ndarray
    thresholds: np.ndarray | None
    intervals: np.ndarray | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """As the report takes it: a threshold that is never reached stands just above the highest score."""
        if self.thresholds is None:
            return {"decisions": self.decisions}
        above = np.nextafter(self.file.scores.max(axis=0, initial=0.0), np.inf, dtype=np.float32).astype(np.float64)
        limits = np.where(np.isinf(self.thresholds), above, self.thresholds)
        told = {"thresholds": limits, "threshold_intervals": self.intervals}
        closed = (self.decisions != (self.file.scores >= self.thresholds)).any()  # by a hierarchy
        return told | ({"decisions": self.decisions} if closed else {})


def decide(path: Path | None, file: ScoreFile) -> Decided:
    """Decisions by a file, or without one at logit 0 or probability 0.5."""
    if path is None:
        cut = plain_cuts(file)
        return Decided(file, file.scores >= cut, cut)
    content = read(path, file.kind)
    columns = _places(path, content["names"], file.names.tolist())
    if "calibration" in content:
        file = calibrated(path, content, columns, file)
    limits = intervals = None
    if "thresholds" in content:
        limits = _cuts(content)[columns]
        decisions, intervals = file.scores >= limits, _intervals(content, columns)
    else:
        decisions = _by_rule(path, content, columns, file)
    if "parents" in content:
        from manylabel.hierarchy import close_up, from_pairs

        pairs = [(child, parent) for child, above in content["parents"].items() for parent in above]
        decisions = close_up(decisions, from_pairs(pairs, file.names.tolist()))
    return Decided(file, decisions, limits, intervals)


def cuts_of_lists(path: Path | None, file: TopFile) -> np.ndarray:
    """(C,) thresholds for lists of the highest classes."""
    if path is None:
        return plain_cuts(file)
    content = read(path, file.kind)
    if "thresholds" not in content or "calibration" in content or "parents" in content:
        raise ManylabelError(f"{path} wants a score of every class for every image, which lists do not hold")
    return _cuts(content)[_places(path, content["names"], file.names.tolist())]


def plain_cuts(file: ScoreFile | TopFile) -> np.ndarray:
    """(C,) logit 0 or probability 0.5."""
    return np.full(len(file.names), 0.0 if file.kind == "logit" else 0.5)


def read(path: Path, kind: str) -> dict[str, Any]:
    """A file of decisions, checked: for scores of that kind, with names, and thresholds of equal length or a rule."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        names = content["names"]
        if not isinstance(names, list) or len(set(names)) < len(names):
            raise ValueError("names must be a list of different class names")
        if "decision" not in content or "thresholds" in content:
            pairs = zip(names, content["thresholds"], strict=True)
            content["thresholds"] = [None if cut is None else float(cut) for _, cut in pairs]
    except FileNotFoundError:
        raise ManylabelError(f"there is no file {path}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ManylabelError(
            f"{path} is no decisions file: it wants names and thresholds of equal length ({error})"
        ) from None
    assert isinstance(content, dict)
    if (own := content.get("kind", kind)) != kind:
        raise ManylabelError(f"{path} holds decisions for scores of kind {own!r}, and these scores are {kind!r}")
    return content


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number; null is a threshold that is never reached")


def _applied(path: Path, data: dict[str, Any], scores: np.ndarray) -> np.ndarray:
    """What a rule or a calibration, as `to_dict` wrote it, makes of scores (N, K)."""
    from manylabel.decisions import from_dict

    try:
        answer: np.ndarray = from_dict(data)(scores)
    except ManylabelError as error:
        raise ManylabelError(f"{path}: {error}") from None
    except ValueError:  # arrays of another length
        rule = data["rule"]
        raise ManylabelError(f"{path}: the rule {rule!r} is not of the {scores.shape[1]} classes it names") from None
    return answer


def calibrated(path: Path, content: dict[str, Any], columns: np.ndarray, file: ScoreFile) -> ScoreFile:
    """The scores as the probabilities that a kept calibration makes of them."""
    ordered = _ordered(path, content["names"], columns, file.scores, lowest=True)
    own = _applied(path, content["calibration"], ordered)
    return replace(file, scores=own[:, columns].astype(np.float32), kind="probability")


def _by_rule(path: Path, content: dict[str, Any], columns: np.ndarray, file: ScoreFile) -> np.ndarray:
    ordered = _ordered(path, content["names"], columns, file.scores)
    return _applied(path, content["decision"], ordered)[:, columns]


def _ordered(
    path: Path, names: list[str], columns: np.ndarray, scores: np.ndarray, *, lowest: bool = False
) -> np.ndarray:
    """(N, K) scores in the order of the file's K names; classes without scores stand at the lowest, or are an error."""
    if len(columns) != len(names) and not lowest:
        aside = sorted(set(names) - {names[k] for k in columns})
        raise ManylabelError(f"{path} decides over all its classes together, and these scores lack {', '.join(aside)}")
    ordered = np.full((len(scores), len(names)), scores.min(initial=0.0), scores.dtype)
    ordered[:, columns] = scores
    return ordered


def _cuts(content: dict[str, Any]) -> np.ndarray:
    return np.array([np.inf if cut is None else cut for cut in content["thresholds"]], np.float64)


def _intervals(content: dict[str, Any], columns: np.ndarray) -> np.ndarray | None:
    """(C, 2) in the order of the scores; NaN where there is none or an end is never reached."""
    if "intervals" not in content:
        return None
    pairs = [[np.nan, np.nan] if pair is None or None in pair else pair for pair in content["intervals"]]
    return np.array(pairs, np.float64).reshape(-1, 2)[columns]


def _places(path: Path, there: list[str], names: list[str]) -> np.ndarray:
    """Where each class stands in a file of decisions."""
    place = {name: c for c, name in enumerate(there)}
    for name in names:
        if name not in place:
            raise ManylabelError(f"{path} has no threshold for class {name!r}.{did_you_mean(name, place)}")
    return np.array([place[name] for name in names], np.int64)
