"""The training loop: AdamW, one-cycle rate, weight average, selection on validation, resumable to the bit.

It minimises the sum of what a method's forward returns, on one process or many (Lightning Fabric), and knows
nothing of any method.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from manylabel.labels import ManylabelError
from manylabel.loops.score import score, to_device
from manylabel.loops.sources import Source, prefetched, shuffled
from manylabel.methods import Method
from manylabel.parts import checkpoint
from manylabel.parts.batch import Batch, Clock
from manylabel.parts.ema import Ema, copy_state
from manylabel.parts.held_out import mean_ap
from manylabel.parts.schedules import one_cycle
from manylabel.parts.settings import Fit, Settings


def make_fabric(settings: Settings, *, unused: bool = False) -> Fabric:
    """One process or `devices` x `nodes`; precision chosen by what the device has.

    `unused` allows parameters that a step does not reach, as some encoders have.
    """
    precision = settings.precision
    if precision == "auto":
        bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        precision = "bf16-mixed" if bf16 else "32-true"
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    several = settings.devices * settings.nodes > 1
    strategy = ("ddp_find_unused_parameters_true" if unused else "ddp") if several else "auto"
    return Fabric(
        accelerator=accelerator, strategy=strategy, devices=settings.devices, num_nodes=settings.nodes,
        precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip


def optimizer_groups(method: Method, settings: Settings) -> list[dict[str, Any]]:
    """The method's groups, each split in matrices with weight decay and vectors without, with its peak rate."""
    groups = []
    for group in method.parameter_groups(settings.lr):
        for matrices in (True, False):
            params = [p for p in group["params"] if (p.dim() > 1) == matrices]
            decay = group.get("weight_decay", settings.weight_decay) if matrices else 0.0
            if params:
                groups.append({"params": params, "lr": group["lr"], "peak_lr": group["lr"], "weight_decay": decay})
    return groups


class Trainer:
    """State of one run of training; `fit` is its only public use."""

    def __init__(self, method: Method, train: Source, val: Source | None, settings: Settings, fabric: Fabric):
        self.method, self.data, self.val, self.settings, self.fabric = method, train, val, settings, fabric
        groups = optimizer_groups(method, settings)
        if not groups:
            raise ManylabelError("this method has nothing to train by gradient")
        # one fused pass over the weights; a float16 loss scaler needs the plain form to clip gradients
        self.optimizer = torch.optim.AdamW(groups, lr=settings.lr, fused=not settings.precision.startswith("16"))
        self.wrapped, self.stepper = fabric.setup(method, self.optimizer)
        self.ema = Ema(method, settings.ema, warmup=settings.ema_warmup) if settings.ema else None
        self.log: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {"epoch": -1, "map": -math.inf, "state": None}
        self.epoch = 0

    def batches(self, epoch: int) -> list[np.ndarray]:
        s, f = self.settings, self.fabric
        return shuffled(len(self.data), s.batch_size, seed=s.seed, epoch=epoch, rank=f.global_rank, world=f.world_size)

    def run_epoch(self, tick: Callable[[], None]) -> dict[str, float]:
        """One pass over the training set; the mean of each named loss."""
        batches = self.batches(self.epoch)
        steps = len(batches) * self.settings.epochs
        totals: dict[str, float] = {}
        self.method.before_epoch(Clock(self.epoch, self.settings.epochs, self.epoch * len(batches), steps), self.data)
        self.wrapped.train()
        for number, batch in enumerate(prefetched(self.data, batches, self.epoch)):
            clock = Clock(self.epoch, self.settings.epochs, self.epoch * len(batches) + number, steps)
            for name, value in self.step(batch, clock).items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.index)
            tick()
        return {name: total / sum(map(len, batches)) for name, total in totals.items()}

    def step(self, batch: Batch, clock: Clock) -> dict[str, float]:
        """One optimiser step at the rate of `clock`."""
        factor, beta1 = one_cycle(clock.step, clock.steps, warmup=self.settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"], group["betas"] = group["peak_lr"] * factor, (beta1, group["betas"][1])
        device = self.fabric.device
        batch = Batch(to_device(batch.inputs, device), batch.labels.to(device), batch.index.to(device))
        losses = self.wrapped(batch, clock)
        loss = sum(losses.values())
        if not torch.isfinite(loss):
            raise ManylabelError(
                f"the loss became {loss.item()} at step {clock.step} of {clock.steps}: lower train.lr"
                f" (now {self.settings.lr:g}) or set train.clip (now {self.settings.clip:g})"
            )
        self.fabric.backward(loss)
        if self.settings.clip:
            self.fabric.clip_gradients(self.wrapped, self.stepper, max_norm=self.settings.clip)
        self.stepper.step()
        self.stepper.zero_grad()
        self.method.after_step(clock)
        if self.ema:
            self.ema.update(self.method)
        return {name: value.item() for name, value in losses.items()}

    def validate(self) -> float:
        """mAP over the classes with a positive in validation; NaN where there is none."""
        if self.val is None or not len(self.val):
            return math.nan
        return mean_ap(torch.from_numpy(score(self.method, self.val, fabric=self.fabric)), self.val.labels)

    def end_epoch(self, losses: dict[str, float], started: float) -> float:
        """Validate the averaged weights, keep them if they are the best, write the log row."""
        if self.ema:
            with self.ema.swapped(self.method):
                value, state = self.validate(), copy_state(self.method)
        else:
            value, state = self.validate(), copy_state(self.method)
        if math.isnan(value) or value > self.best["map"]:  # without validation the last epoch counts
            self.best = {"epoch": self.epoch, "map": value, "state": state}
        self.log.append({
            "epoch": self.epoch, "loss": sum(losses.values()), **losses, "val_map": value,
            "lr": self.optimizer.param_groups[-1]["lr"], "seconds": round(time.monotonic() - started, 3),
        })  # fmt: skip
        self.epoch += 1
        return value

    def state(self) -> dict[str, Any]:
        """Everything a resumed run needs, to the bit."""
        return {
            "epoch": self.epoch, "settings": asdict(self.settings), "method": copy_state(self.method),
            "optimizer": self.optimizer.state_dict(), "log": self.log, "best": self.best,
            "ema": {"state": self.ema.state, "updates": self.ema.updates} if self.ema else None,
            "random": checkpoint.random_state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        changed = [k for k, v in asdict(self.settings).items() if state["settings"].get(k) != v]
        if changed:
            raise ManylabelError(
                f"cannot resume: train.{changed[0]} is {asdict(self.settings)[changed[0]]!r} now and was"
                f" {state['settings'].get(changed[0])!r} when the run began; resume with the same settings,"
                " or start anew in another --out"
            )
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            self.ema.state = {k: v.to(self.fabric.device) for k, v in state["ema"]["state"].items()}
            self.ema.updates = state["ema"]["updates"]
        self.log, self.best, self.epoch = state["log"], state["best"], state["epoch"]
        checkpoint.set_random_state(state["random"])

    @property
    def exhausted(self) -> bool:
        """Whether `patience` epochs have passed without a better validation mAP."""
        waited = self.epoch - 1 - self.best["epoch"]
        return bool(self.settings.patience) and self.best["epoch"] >= 0 and waited >= self.settings.patience


def fit(
    method: Method, train: Source, val: Source | None, settings: Settings, *,
    fabric: Fabric | None = None, folder: Path | None = None, resume: bool = False,
    progress: Callable[..., Any] | None = None,
) -> Fit:  # fmt: skip
    """Train `method`; on return it bears the weights of the best validated epoch.

    Arguments:
        method: its forward is the loss.
        train: rows to learn from.
        val: rows to select on, or None: then the last epoch counts.
        settings: see `Settings`.
        fabric: a launched one, or None for one made from `settings`.
        folder: where a checkpoint is written after every epoch, or None.
        resume: continue from the checkpoint in `folder`, if there is one; the end is bit-equal to that of a
            run that was never interrupted.
        progress: a context manager `progress(steps, done)` that gives `tick(log_row_or_None)`.

    Ctrl-C ends training and keeps the best epoch so far; before the end of the first epoch it is passed on.
    """
    fabric = fabric or make_fabric(settings)
    if not len(train):
        raise ManylabelError("there is no training image left; look at split and --where")
    trainer = Trainer(method, train, val, settings, fabric)
    saved = checkpoint.load(folder) if resume and folder else None
    if saved:
        trainer.restore(saved)
    ended = "complete"
    steps = len(trainer.batches(0))
    with (progress or _silent)(steps * settings.epochs, trainer.epoch * steps) as tick:
        try:
            while trainer.epoch < settings.epochs and not trainer.exhausted:
                started = time.monotonic()
                losses = trainer.run_epoch(tick)
                trainer.end_epoch(losses, started)
                tick(trainer.log[-1])
                if folder and fabric.is_global_zero:
                    checkpoint.save(folder, trainer.state())
        except KeyboardInterrupt:
            if trainer.best["state"] is None:
                raise
            ended = "interrupted"
    if ended == "complete" and trainer.epoch < settings.epochs:
        ended = "stopped early"
    method.load_state_dict(trainer.best["state"])
    method.eval()
    return Fit(trainer.log, trainer.best["epoch"], trainer.best["map"], ended)


class _silent:
    """No progress shown."""

    def __init__(self, steps: int, done: int) -> None: ...

    def __enter__(self) -> Callable[..., None]:
        return lambda row=None: None

    def __exit__(self, *error: object) -> None: ...
