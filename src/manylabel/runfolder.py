"""The run folder: what is written when a run begins and when it ends (DESIGN section 5)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from manylabel import config as configuration
from manylabel import report
from manylabel.classes import Classes, guarantee
from manylabel.data import Dataset
from manylabel.data.images import thumbnail_jpeg
from manylabel.decisions.f1 import F1
from manylabel.decisions.fixed import Fixed
from manylabel.decisions.platt import Platt, sigmoid
from manylabel.encoders import Encoder
from manylabel.folderformat import FORMAT
from manylabel.labels import ABSENT, PRESENT, ManylabelError, Vocabulary
from manylabel.methods import Method
from manylabel.metrics import evaluate
from manylabel.parts.checkpoint import write_tensors
from manylabel.parts.files import write_json, write_text
from manylabel.parts.settings import Fit
from manylabel.plan import Plan, data_name
from manylabel.scores import ScoreFile

PARTS = ("train", "val", "test")


def claim(plan: Plan, dataset: Dataset, *, resume: bool) -> None:
    """Make the run folder ours: new or empty, or, with `resume`, one that holds this very run unfinished.

    A folder in which no epoch was finished may be begun anew.
    """
    written, finished = plan.out / "config.toml", plan.out / "metrics.json"
    if plan.out.exists() and not written.exists() and any(plan.out.iterdir()):
        raise ManylabelError(f"{plan.out} holds other files; choose another --out, or an empty folder")
    if finished.exists():
        interrupted = json.loads(finished.read_text(encoding="utf-8")).get("ended") == "interrupted"
        if not (resume and interrupted):
            cure = "go on with --resume, or " if interrupted else ""
            raise ManylabelError(f"{plan.out} holds a finished run: {cure}choose another --out, or delete the folder")
    if not (plan.out / "checkpoint" / "state.json").exists():
        begin(plan, dataset)
    elif not resume:
        raise ManylabelError(f"{plan.out} holds an unfinished run: go on with --resume, or choose another --out")
    else:
        check_same(plan, dataset)
        finished.unlink(missing_ok=True)


def begin(plan: Plan, dataset: Dataset) -> None:
    """Write config.toml, and split.csv: which image is in which part."""
    write_text(
        plan.out / "config.toml",
        tomli_w.dumps({**plan.sections(), "run": _made(plan, dataset), "versions": versions()}),
    )
    rows = [{"image": image, "split": part} for image, part in zip(dataset.labels.ids, dataset.split.tolist())]
    write_rows(plan.out / "split.csv", rows)


def check_same(plan: Plan, dataset: Dataset) -> None:
    """Raise where a run that is resumed would go on with other settings or other labels."""
    before = configuration.read_toml(plan.out / "config.toml")
    for name, section in plan.sections().items():
        for key in sorted(set(section) | set(before.get(name, {}))):
            was, now = before.get(name, {}).get(key), section.get(key)
            if was != now:
                raise ManylabelError(f"cannot resume {plan.out}: {name}.{key} was {was!r} and is {now!r} now")
    if before["run"]["labels"] != fingerprint(dataset):
        raise ManylabelError(f"cannot resume {plan.out}: the labels in {plan.data.path} have changed since it began")


def fingerprint(dataset: Dataset) -> str:
    """32 hex digits of names, images, parts and labels."""
    facts = json.dumps([dataset.labels.names, dataset.labels.ids, dataset.split.tolist()])
    return hashlib.blake2b(facts.encode() + dataset.labels.state.tobytes(), digest_size=16).hexdigest()


def _made(plan: Plan, dataset: Dataset) -> dict[str, str]:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": plan.command, "started": started, "labels": fingerprint(dataset)}


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {name: metadata.version(name) for name in ("manylabel", "torch", "numpy", "pillow", "lightning-fabric")}
    return {**found, "python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}


def finish(
    plan: Plan, dataset: Dataset, method: Method, vocabulary: Vocabulary, outcome: Fit,
    scored: dict[str, ScoreFile], encoder: Encoder,
) -> None:  # fmt: skip
    """Decide, measure, report and write everything the run folder holds; metrics.json last: it marks the end."""
    decisions, notes = fit_decisions(scored.get("val"), len(vocabulary))
    plan.notes.extend(notes)
    for part, file in scored.items():
        file.save(plan.out / f"scores-{part}.npz")
    write_tensors(plan.out / "model.safetensors", dict(method.state_dict()))
    # a method that chooses options itself holds what it chose
    own = {**plan.sections()["method"], **configuration.as_plain(getattr(method, "config", plan.method_config))}
    write_json(plan.out / "config.json", model_config(encoder_section(plan, encoder), own, vocabulary))
    write_json(plan.out / "labels.json", make_classes(dataset, vocabulary, decisions, scored.get("val")).to_dict())
    write_rows(plan.out / "log.csv", outcome.log)
    numbers = measure(plan, vocabulary, outcome, decisions, scored)
    if numbers["part"] is not None:
        report.write(plan.out / "report.html", report_data(plan, dataset, outcome, decisions, scored, numbers))
    write_json(plan.out / "metrics.json", numbers)


def measure(
    plan: Plan, vocabulary: Vocabulary, outcome: Fit, decisions: Decisions, scored: dict[str, ScoreFile]
) -> dict[str, Any]:
    """The content of metrics.json: of the test part, or of validation where there is no test image."""
    part = next((p for p in ("test", "val") if p in scored), None)
    numbers: dict[str, Any] = {"images": 0, "classes": len(vocabulary)}
    if part is None:
        plan.notes.append("there is no validation and no test image: nothing was measured")
    else:
        file = scored[part]
        assert file.labels is not None
        numbers = evaluate(
            file.scores, file.labels, names=vocabulary.names, train_counts=vocabulary.counts,
            decisions=file.scores >= decisions.thresholds, thresholds=decisions.thresholds,
            probabilities=sigmoid(file.scores / decisions.temperatures + decisions.biases),
            train_images=vocabulary.images,
        )  # fmt: skip
    if part == "val":
        plan.notes.append("there is no test image: all numbers are of validation, on which choices were made")
    return numbers | {
        "part": part, "validation_map": None if np.isnan(outcome.best_map) else outcome.best_map,
        "best_epoch": outcome.best_epoch, "ended": outcome.ended, "text_source": vocabulary.text_source,
        "notes": plan.notes,
    }  # fmt: skip


def report_data(
    plan: Plan, dataset: Dataset, outcome: Fit, decisions: Decisions, scored: dict[str, ScoreFile],
    numbers: dict[str, Any],
) -> report.ReportData:  # fmt: skip
    """What the page shows."""
    paths = dict(zip(dataset.labels.ids, dataset.paths))
    states = {part: dataset.labels.state[dataset.split == part] for part in PARTS}
    return report.ReportData(
        title=f"{plan.method} on {data_name(Path(plan.data.path))}", scores=scored[numbers["part"]], metrics=numbers,
        thresholds=decisions.thresholds, temperatures=decisions.temperatures, biases=decisions.biases,
        parts={part: state for part, state in states.items() if len(state)},
        log=outcome.log, pictures=lambda image: thumbnail_jpeg(paths[image], 160),
        config=configuration.read_toml(plan.out / "config.toml"), command=plan.command, notes=plan.notes,
    )  # fmt: skip


def make_classes(dataset: Dataset, vocabulary: Vocabulary, decisions: Decisions, val: ScoreFile | None) -> Classes:
    """What labels.json holds: what the model knows of its classes; thresholds are on the logit scale."""
    made = Classes(
        vocabulary.names, decisions.thresholds, decisions.temperatures, decisions.biases,
        counts=np.asarray(vocabulary.counts, np.int64), images=vocabulary.images, pairs=dataset.beside.parents,
        aliases=dataset.beside.aliases, decision=decisions.rule, text_source=vocabulary.text_source,
    )  # fmt: skip
    if val is None or val.labels is None or not len(val.ids):
        return made
    return replace(made, guarantee=guarantee(made.calibrated(val.scores), val.labels))


@dataclass(frozen=True)
class Decisions:
    """Per-class thresholds on the logit scale and the calibration p = sigmoid(score / temperature + bias)."""

    rule: dict[str, Any]
    thresholds: NDArray[np.float64]
    temperatures: NDArray[np.float64]
    biases: NDArray[np.float64]


def fit_decisions(val: ScoreFile | None, classes: int) -> tuple[Decisions, list[str]]:
    """F1 thresholds and Platt calibration on validation, and notes; where it cannot tell, logit 0 and plain sigmoid."""
    thresholds, rule, notes = np.zeros(classes), Fixed(0.0).to_dict(), []
    temperatures, biases = np.ones(classes), np.zeros(classes)
    labels = val.labels if val is not None and val.labels is not None else np.zeros((0, classes), np.int8)
    if val is not None and (labels == PRESENT).any():
        decide = F1().fit(val.scores, labels)
        thresholds, rule = decide.thresholds, decide.to_dict()
    else:
        notes.append("no positive label to validate on: the threshold of every class is probability 0.5")
    if val is not None and (labels == PRESENT).any() and (labels == ABSENT).any():
        calibrate = Platt().fit(val.scores, labels)
        temperatures, biases = calibrate.temperatures, calibrate.biases
    else:
        notes.append("no positive and negative labels to validate on: probabilities are not calibrated")
    return Decisions(rule, thresholds, temperatures, biases), notes


def encoder_section(plan: Plan, encoder: Encoder) -> dict[str, Any]:
    """The section `encoder` of config.json."""
    own = {"key": encoder.key, "width": encoder.width, "image_size": encoder.image_size}
    return {**plan.sections()["encoder"], **own}


def model_config(encoder: dict[str, Any], method: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """What `manylabel.load` needs to build the model again."""
    return {
        "format": FORMAT,
        "manylabel": metadata.version("manylabel"),
        "problem_type": "multi_label_classification",
        "id2label": {str(i): name for i, name in enumerate(vocabulary.names)},
        "label2id": {name: i for i, name in enumerate(vocabulary.names)},
        "encoder": encoder,
        "method": method,
        "text_width": 0 if vocabulary.text is None else int(vocabulary.text.shape[1]),
    }


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """A CSV of dicts, whose columns are all keys met."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
