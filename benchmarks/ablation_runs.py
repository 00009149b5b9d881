"""The finished runs of the ablation bench on disk, and which are still to do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arms import BASE, METHOD, PRESET, Arm
from manylabel import config, methods
from manylabel.labels import ManylabelError
from manylabel.parts.settings import Settings

RATES, SEEDS = (0.5, 1.0, 2.0), (0, 1, 2)  # rates as multiples of the preset's
RUNS = len(RATES) + len(SEEDS) - 1

Options = dict[str, dict[str, Any]]


def options_of(arm: Arm, epochs: int | None = None) -> Options:
    """Every option the arm's runs share, resolved and checked; rate and seed come on top."""
    module = methods.load(METHOD)
    preset = module.PRESETS[PRESET]
    fixed = {"train": {"epochs": epochs}} if epochs else {}
    layers = config.merge(preset, BASE, arm.overrides, fixed)
    unknown = [f"{s}.{k}" for s in ("encoder", "text") for k in layers[s] if k not in BASE[s]]
    if unknown or set(layers) != set(BASE):
        raise ManylabelError(f"arm {arm.name!r} overrides what there is not: {unknown or sorted(set(layers))}")
    resolved = {
        "method": dataclasses.asdict(config.fill(module.Config, layers["method"], "method")),
        "train": dataclasses.asdict(config.fill(Settings, layers["train"], "train")),
        "encoder": dict(layers["encoder"]),
        "text": dict(layers["text"]),
    }
    plain: Options = json.loads(json.dumps(resolved))
    return plain


class Runs:
    """The finished runs of one arm on disk; a run exists once its .json does."""

    def __init__(self, folder: Path, arm: Arm, epochs: int | None = None) -> None:
        self.folder, self.arm, self.options = folder / arm.name, arm, options_of(arm, epochs)
        self.base_rate = self.options["train"]["lr"]
        self.rates = [factor * self.base_rate for factor in RATES]
        for record in self.records():
            self.check(record)

    def file(self, rate: float, seed: int, suffix: str = "json") -> Path:
        return self.folder / f"{rate:g}-{seed}.{suffix}"

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob("*.json"))]

    def check(self, record: dict[str, Any]) -> None:
        """An error where a kept run had other options than the arm has now; options new since then do not count."""
        for section, values in record["options"].items():
            for key, value in values.items():
                now = self.options[section].get(key)
                if now != value:
                    raise ManylabelError(
                        f"{self.folder} holds runs with {section}.{key} = {value!r}, which is {now!r} now:"
                        " remove the folder, or give the arm another name"
                    )

    def load(self, rate: float, seed: int) -> dict[str, Any] | None:
        """The record of one run, or None where it is not finished."""
        file = self.file(rate, seed)
        record: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        return record

    def save(self, record: dict[str, Any], scores: NDArray[np.float32] | None) -> None:
        """Scores first, then the record under its final name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        run = record["lr"], record["seed"]
        if scores is not None:
            np.savez_compressed(self.file(*run, "npz"), scores=scores)
        unfinished = self.file(*run, "part")
        unfinished.write_text(json.dumps(record, indent=1), encoding="utf-8")
        unfinished.replace(self.file(*run))

    def scores(self, rate: float, seed: int) -> NDArray[np.float32]:
        with np.load(self.file(rate, seed, "npz")) as file:
            scores: NDArray[np.float32] = file["scores"]
        return scores

    def chosen(self) -> float | None:
        """The rate with the best validation mAP at seed 0; None while rates are missing or if all diverged."""
        tried = [self.load(rate, SEEDS[0]) for rate in self.rates]
        if any(record is None for record in tried):
            return None
        reached = {rate: r["val_map"] for rate, r in zip(self.rates, tried) if r and r["val_map"] is not None}
        return max(reached, key=reached.__getitem__) if reached else None

    def missing(self) -> list[tuple[float, int]]:
        """(rate, seed) of the runs to do now: first the rates at seed 0, then the chosen rate at the other seeds."""
        first = [(rate, SEEDS[0]) for rate in self.rates if self.load(rate, SEEDS[0]) is None]
        best = self.chosen()
        return first or [(best, s) for s in SEEDS[1:] if best is not None and self.load(best, s) is None]

    def finished(self) -> list[dict[str, Any]]:
        """The records of the chosen rate that did not diverge, by seed."""
        rate = self.chosen()
        records = [self.load(rate, seed) for seed in SEEDS] if rate is not None else []
        return [record for record in records if record and record["val_map"] is not None]

    @property
    def left(self) -> int:
        """How many runs are still to do."""
        tried = sum(self.load(rate, SEEDS[0]) is not None for rate in self.rates)
        if tried < len(self.rates):
            return RUNS - tried
        return len(self.missing())
