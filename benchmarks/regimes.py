"""Where label text should matter: classes with 0, 1, 2, 5 or 10 training photos, all others in full.

    python benchmarks/regimes.py [--jobs 2] [--arms cprfl linear ...] [--draws 1 2 3]

Three draws of 15 rare classes among COCO's 80; the photos that show one are taken out of training, but for k a class.
With k = 0 the rare classes are not in the training vocabulary, and methods that read text score them by their label
vectors alone; `linear` scores them all alike, which makes its AP the class's share of test photos: chance. Epochs and
penalties are chosen by the mAP of the seen classes on validation, whatever k, so that regimes compare; the learning
rates of CPRFL and ML-Decoder, four each, by the same number on draw 1 with k = 10, and kept for all.

Then: do classes added at test time move the scores of those that were trained? In CPRFL tokens interact, so they do.

Finished fits are kept in runs/regimes. Written are benchmarks/results/regimes*.csv and docs/images/regimes.png.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import nearest_text
from manylabel import config, encoders, methods
from manylabel import data as datasets
from manylabel.encoders.cache import Cached, encode
from manylabel.labels import UNKNOWN, Vocabulary
from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource
from manylabel.loops.train import fit
from manylabel.methods import Method
from manylabel.parts.settings import Settings
from manylabel.parts.standardise import Standardise
from regimes_data import ARMS, DATA, ROOT, SHOTS, Arm, draws, label_vectors, other_names, training_rows
from regimes_tables import draw_rows, interaction_rows, paired_rows, plot, rate_rows, regime_rows
from results import write

RUNS = ROOT / "runs/regimes"
RATES = (5e-4, 1e-3, 2e-3, 4e-3)
ADDED = (100, 500)  # names of other things, added at test time


@dataclass(frozen=True)
class Task:
    """One fit: an arm in a regime; `lr` 0 is the preset's."""

    arm: Arm
    draw: int
    shots: int
    lr: float = 0.0

    @property
    def file(self) -> Path:
        rate = f"-lr{self.lr:g}" if self.lr else ""
        return RUNS / f"{self.arm.name}-draw{self.draw + 1}-k{self.shots}{rate}.npz"

    @property
    def about(self) -> str:
        """What the fit depends on; a file of another `about` is made anew."""
        arm = self.arm
        return json.dumps([arm.name, arm.method, arm.text, arm.options, self.draw, self.shots, self.lr])

    def load(self) -> dict[str, NDArray[Any]] | None:
        """What `run` kept, or None."""
        if not self.file.exists():
            return None
        with np.load(self.file, allow_pickle=False) as kept:
            return dict(kept) if str(kept["about"]) == self.about else None


class World:
    """Data, draws and features, read once a process."""

    def __init__(self) -> None:
        self.dataset = datasets.read(DATA / "coco80/labels.csv")
        table = self.dataset.labels
        self.names, self.state, self.present = np.array(table.names), table.state, table.present
        self.rows = {part: np.flatnonzero(self.dataset.split == part) for part in ("train", "val", "test")}
        self.rare = draws(self.names.tolist(), self.present[self.rows["train"]].sum(axis=0))
        self.photos = [training_rows(self.rows["train"], self.present, rare, i) for i, rare in enumerate(self.rare)]
        self.test = self.state[self.rows["test"]]

    @cached_property
    def cached(self) -> Cached:
        return encode(self.dataset.paths, encoders.load("efficientnet_lite0"), progress=False)


class Regime:
    """One draw with k photos a rare class: what is trained on, and the rows to choose and to test on."""

    def __init__(self, world: World, draw: int, shots: int) -> None:
        self.world, self.seed, self.rare = world, draw, world.rare[draw]
        self.trained = np.ones_like(self.rare) if shots else ~self.rare  # the training vocabulary
        self.rows = {**world.rows, "train": world.photos[draw][shots]}

    def labels(self, part: str) -> NDArray[np.int8]:
        """(N, K) of the training vocabulary; rare classes unknown in validation, which hence ignores them."""
        state = self.world.state[self.rows[part]]
        if part == "val":
            state = np.where(self.rare, np.int8(UNKNOWN), state)
        return state[:, self.trained]

    def source(self, part: str, *, grid: bool) -> FeatureSource:
        return FeatureSource(self.world.cached, self.rows[part], self.labels(part), grid=grid)

    def vocabulary(self, table: NDArray[np.float32] | None) -> Vocabulary:
        """The training vocabulary, with its rows of the (C, M) vectors of all classes."""
        labels = self.labels("train")
        text = None if table is None else table[self.trained]
        return Vocabulary(tuple(self.world.names[self.trained]), (labels > 0).sum(axis=0), text, images=len(labels))


def with_text(method: Method, table: NDArray[np.float32], width: int, kind: str) -> Method:
    """The trained method for other classes: its weights, with the label vectors (C', M) in place of its own."""
    vocabulary = Vocabulary(tuple(map(str, range(len(table)))), text=table)
    other: Method = methods.load(kind).build(method.config, vocabulary, width)
    state = {name: value for name, value in method.state_dict().items() if name != "text"}
    missing, unexpected = other.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["text"], [])
    return other.eval()


def trained_scores(regime: Regime, task: Task) -> dict[str, Any]:
    """Train; test scores (N, C) of all classes, and with k = 0 those of the seen ones among ever more others."""
    arm, module = task.arm, methods.load(task.arm.method)
    sections = config.merge(module.PRESETS["small"], arm.options, {"train": {"seed": task.draw}})
    if task.lr:
        sections["train"]["lr"] = task.lr
    names = regime.world.names.tolist()
    table = None if arm.text == "none" else label_vectors(arm.text, names, ~regime.rare, task.draw)
    torch.manual_seed(task.draw)
    width = regime.world.cached.width
    options = config.fill(module.Config, sections.get("method", {}), "method")
    method = module.build(options, regime.vocabulary(table), width)
    train, val, test = (regime.source(part, grid=method.needs_grid) for part in ("train", "val", "test"))
    outcome = fit(method, train, val, config.fill(Settings, sections["train"], "train"))
    kept: dict[str, Any] = {"val": outcome.best_map, "epoch": outcome.best_epoch, "epochs": len(outcome.log)}
    scores = score(method, test)
    if task.shots:
        return kept | {"scores": scores}
    if table is None:
        everything = np.zeros((len(scores), len(names)), np.float32)  # of an unseen class it knows nothing: all alike
        everything[:, regime.trained] = scores
        return kept | {"scores": everything}
    kept["scores"] = score(with_text(method, table, width, arm.method), test)
    kept["seen_alone"] = scores
    return kept | {
        f"seen_of_{number}": score(with_text(method, more, width, arm.method), test)[:, : scores.shape[1]]
        for number, more in more_classes(regime, arm.text).items()
    }


def more_classes(regime: Regime, source: str) -> dict[int, NDArray[np.float32]]:
    """Number added -> vectors of the seen classes, then of that many names of other things, in one frame."""
    if source != "clip":  # the only file with other names
        return {}
    seen = regime.world.names[~regime.rare].tolist()
    others = other_names(regime.world.names.tolist(), max(ADDED), regime.seed)
    is_seen = np.arange(len(seen) + len(others)) < len(seen)
    table = label_vectors(source, [*seen, *others], is_seen, regime.seed)
    return {number: table[: len(seen) + number] for number in ADDED}


def closed_scores(regime: Regime, task: Task) -> dict[str, Any]:
    """Test scores (N, C) of a baseline without training loop."""
    pooled = {part: torch.from_numpy(regime.world.cached.pooled(rows)) for part, rows in regime.rows.items()}
    standardise = Standardise(regime.world.cached.width, root=True)
    standardise.fit(pooled["train"])
    x = {part: standardise(values).double() for part, values in pooled.items()}
    train, val = (nearest_text.Photos(x[part], torch.from_numpy(regime.labels(part))) for part in ("train", "val"))
    table = label_vectors(task.arm.text, regime.world.names.tolist(), ~regime.rare, task.draw)
    solve = {"nearest": nearest_text.nearest, "weights": nearest_text.weights}[task.arm.method]
    scores, value = solve(train, val, torch.from_numpy(table).double(), regime.trained, x["test"])
    return {"scores": scores.numpy().astype(np.float32), "val": value, "epoch": 0, "epochs": 0}


WORLD: World  # of this process


def start() -> None:
    """Called once in every worker."""
    global WORLD
    torch.set_num_threads(1)
    WORLD = World()


def run(task: Task) -> str:
    """Do one task and keep its result, whole or not at all; a line to print."""
    started = time.monotonic()
    regime = Regime(WORLD, task.draw, task.shots)
    closed = task.arm.method in ("nearest", "weights")
    kept = (closed_scores if closed else trained_scores)(regime, task)
    seconds = time.monotonic() - started
    draft = task.file.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez(draft, about=task.about, seconds=seconds, **kept)
    os.replace(draft, task.file)
    return f"{task.file.stem}: validation {100 * kept['val']:.1f}, epoch {kept['epoch'] + 1}, {seconds:.0f} s"


def work(tasks: Sequence[Task], jobs: int) -> None:
    """Run what is not finished, in `jobs` processes of one thread each."""
    todo = [task for task in tasks if task.load() is None]
    if not todo:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=start) as pool:
        for number, done in enumerate(as_completed([pool.submit(run, task) for task in todo]), 1):
            if done.exception():
                pool.shutdown(cancel_futures=True)  # rather than do the rest first
            print(f"[{number}/{len(todo)}] {done.result()}", flush=True)


def tries(arms: Sequence[Arm]) -> list[Task]:
    """The fits that learning rates are chosen on."""
    own = {arm.rates for arm in arms if arm.rates}
    return [Task(arm, 0, max(SHOTS), lr) for arm in ARMS if arm.name in own for lr in RATES]


def chosen_rates(tried: Sequence[Task]) -> dict[str, float]:
    """Arm -> the rate of the best validation mAP."""
    best: dict[str, tuple[float, float]] = {}
    for task in tried:
        kept = task.load()
        assert kept is not None
        best[task.arm.name] = max(best.get(task.arm.name, (-1.0, 0.0)), (float(kept["val"]), task.lr))
    return {name: lr for name, (_, lr) in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=[arm.name for arm in ARMS], default=[arm.name for arm in ARMS])
    parser.add_argument("--draws", nargs="+", type=int, choices=(1, 2, 3), default=[1, 2, 3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    RUNS.mkdir(parents=True, exist_ok=True)
    world = World()
    assert world.cached.ok.all(), "a photograph of coco80 cannot be read"  # and features are there before workers start
    arms = [arm for arm in ARMS if arm.name in options.arms]
    tried = tries(arms)
    work(tried, options.jobs)
    rates = chosen_rates(tried)
    tasks = [Task(arm, d - 1, k, rates.get(arm.rates, 0.0)) for d in options.draws for arm in arms for k in arm.shots]
    work(tasks, options.jobs)
    if len(arms) < len(ARMS) or len(options.draws) < 3:
        print("a part only: no table is written")
        return
    report(world, tried, tasks, rates)


def report(world: World, tried: Sequence[Task], tasks: Sequence[Task], rates: dict[str, float]) -> None:
    """Write the tables and the plot."""
    kept = {(t.arm.name, t.draw, t.shots): t.load() for t in tasks}
    results = ROOT / "benchmarks/results"
    taken = {arm.name: rates.get(arm.rates, "preset") for arm in ARMS}
    rows = regime_rows(kept, world.test, world.rare, taken)
    write(results / "regimes.csv", rows)
    write(results / "regimes-paired.csv", paired_rows(kept, world.test, world.rare))
    write(results / "regimes-interaction.csv", interaction_rows(kept, world.test, world.rare))
    write(results / "regimes-rates.csv", rate_rows([(t.arm.name, t.lr, t.load()) for t in tried], rates))
    write(results / "regimes-draws.csv", draw_rows(world.names, world.present, world.rare, world.photos))
    plot(rows, ROOT / "docs/images/regimes.png")


if __name__ == "__main__":
    main()
