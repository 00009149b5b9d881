"""Several methods trained in turn on the same data, as many as a budget of time allows."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource, Source
from manylabel.loops.train import Trainer, fit
from manylabel.methods import Method
from manylabel.parts import checkpoint
from manylabel.parts.batch import Clock
from manylabel.parts.ema import copy_state
from manylabel.parts.settings import Fit, Settings


@dataclass
class Member:
    """A method in training: `outcome` is None until it has weights worth keeping."""

    name: str
    module: ModuleType
    system: Method
    settings: Settings
    outcome: Fit | None = None
    expected: float = 0.0  # seconds
    seconds: float = 0.0  # that it took
    weight: float = 0.0
    reason: str = ""  # why it has this weight

    @property
    def row(self) -> dict[str, Any]:
        """Its row of the log; loss and mAP are those of its best epoch."""
        best = next((r for r in self.outcome.log if r["epoch"] == self.outcome.best_epoch), {}) if self.outcome else {}
        return {
            "system": self.name, "weight": self.weight, "val_map": self.outcome.best_map if self.outcome else math.nan,
            "loss": best.get("loss", math.nan), "best_epoch": best.get("epoch", ""),
            "seconds": round(self.seconds, 3), "reason": self.reason,
        }  # fmt: skip


@dataclass
class Session:
    """Training of all members within a budget.

    Arguments:
        members: in any order; the cheapest is trained first, whatever it takes.
        minutes: the budget.
        seed: set anew before each member, so that its dropout does not depend on which came before.
        data, val, fabric, folder, resume, progress: as for `loops.train.fit`; a member keeps what it has learnt in
            `folder`/NAME, and once it is finished in `folder`/NAME/done.
    """

    members: list[Member]
    data: Source
    val: Source | None
    fabric: Any
    minutes: float
    seed: int = 0
    folder: Path | None = None
    resume: bool = False
    progress: Callable[..., Any] | None = None
    started: float = field(init=False, default_factory=time.monotonic)

    @property
    def trained(self) -> list[Member]:
        return [member for member in self.members if member.outcome]

    def run(self) -> str:
        """Train what the budget allows, the cheapest first; returns how it ended. Ctrl-C keeps what is trained."""
        try:
            self.recall()
            for member in self.by_cost():
                if self.affords(member):
                    self.fit(member)
                if member.outcome and member.outcome.ended == "interrupted":
                    return "interrupted"
        except KeyboardInterrupt:
            if not self.trained:
                raise
            return "interrupted"
        return "complete"

    def recall(self) -> None:
        """Take over what an interrupted run had finished, and mark the folder as one of a run that was begun."""
        for member in self.members if self.folder and self.resume else ():
            if done := checkpoint.load(cast(Path, self.folder) / member.name / "done"):
                member.system.load_state_dict(done["method"])
                member.system.eval()
                member.outcome = Fit(done["log"], done["best_epoch"], done["best_map"], done["ended"])
                member.seconds = done["seconds"]
                self.started -= member.seconds
        if self.folder and self.fabric.is_global_zero:
            checkpoint.save(self.folder, {"systems": [member.name for member in self.members]})

    def by_cost(self) -> list[Member]:
        """Members to be trained, the cheapest first; what is solved rather than trained counts as free."""
        waiting = [member for member in self.members if not member.outcome]
        for member in waiting:
            if not hasattr(member.module, "train"):
                data, held = without_grid(self.data, member.system), 0 if self.val is None else len(self.val)
                member.expected = expected_seconds(member.system, data, held, member.settings, self.fabric)
            member.expected = self.fabric.broadcast(member.expected)  # so that all processes agree
        return sorted(waiting, key=lambda member: member.expected)

    def affords(self, member: Member) -> bool:
        """Whether a member fits in what is left; the first is trained whatever it takes, one begun goes on."""
        left = 60 * self.minutes - (time.monotonic() - self.started)
        begun = self.resume and self.folder is not None and (self.folder / member.name / "state.json").exists()
        fits: bool = self.fabric.broadcast(begun or not self.trained or member.expected <= left)
        if not fits:
            member.reason = f"left out: it takes about {duration(member.expected)} of the {duration(left)} left"
        return fits

    def fit(self, member: Member) -> None:
        """Train one member by its own loop and keep its state, which then need not be trained again."""
        started = time.monotonic()
        folder = self.folder / member.name if self.folder else None
        torch.manual_seed(self.seed)
        data = without_grid(self.data, member.system)
        val = None if self.val is None else without_grid(self.val, member.system)
        outcome: Fit = getattr(member.module, "train", fit)(
            member.system, data, val, member.settings, fabric=self.fabric, folder=folder, resume=self.resume,
            progress=self.progress and partial(self.progress, what=member.name),
        )  # fmt: skip
        member.outcome, member.seconds = outcome, time.monotonic() - started
        if folder and outcome.ended != "interrupted" and self.fabric.is_global_zero:
            checkpoint.save(folder / "done", {
                "method": copy_state(member.system), "log": outcome.log, "best_epoch": outcome.best_epoch,
                "best_map": outcome.best_map, "ended": outcome.ended, "seconds": member.seconds,
            })  # fmt: skip

    def scores(self, source: Source) -> Tensor:
        """(K, N, C) of what was trained."""
        parts = [score(m.system, without_grid(source, m.system), fabric=self.fabric) for m in self.trained]
        return torch.from_numpy(np.stack(parts))


def expected_seconds(system: Method, data: Source, held: int, settings: Settings, fabric: Any) -> float:
    """How long training would take, with validation on `held` images after each epoch.

    From the quickest of three steps on a copy; to score takes a third of the time of a step.
    """
    trainer = Trainer(copy.deepcopy(system), data, None, settings, fabric)
    batches, times = trainer.batches(0), []
    for number in range(3):
        started = time.monotonic()
        trainer.step(data.batch(batches[number % len(batches)], 0), Clock())
        times.append(time.monotonic() - started)
    return min(times) * settings.epochs * (len(batches) + held / settings.batch_size / 3)


def without_grid(source: Source, system: Method) -> Source:
    """The source as a system needs it: cached patch vectors are not read for one that does not look at them."""
    if not system.needs_grid and isinstance(source, FeatureSource):
        return FeatureSource(source.cached, source.rows, source.labels.numpy(), grid=False)
    return source


def duration(seconds: float) -> str:
    """Roughly, in words.

    >>> duration(41.2), duration(560), duration(-3)
    ('41 s', '9 min', '0 s')
    """
    return f"{max(seconds, 0):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
