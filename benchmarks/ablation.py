"""The ablation bench of CPRFL: every arm of `arms.py` on frozen features, with paired intervals against `base`.

    python benchmarks/ablation.py                 # every arm: `make bench-ablation`
    python benchmarks/ablation.py bce residual    # these and base

An arm gets the same budget as any other: three learning rates at seed 0, of which the best on validation goes on to
seeds 1 and 2. Training rows are coco80's `long_tail=1` (1,849 photos); epoch and rate are chosen on the 1,000 of val,
numbers are of the 2,000 of test. A finished run is kept in runs/ablation/<arm>/<rate>-<seed> and never run again;
kill the bench at any moment and start it again. benchmarks/results/ablation.csv is rewritten after every arm.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ablation_runs import Runs
from ablation_table import Table
from arms import ARMS, METHOD, Arm
from manylabel import config, encoders, methods
from manylabel import data as datasets
from manylabel.encoders import text
from manylabel.encoders.cache import Cached, encode
from manylabel.labels import ManylabelError, Vocabulary, did_you_mean
from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource, chunks
from manylabel.loops.train import fit
from manylabel.metrics import frequency_groups
from manylabel.parts.settings import Settings
from results import write

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT / ".." / "shared" / "data"
SUBSET = ("long_tail", "1")
PARTS = ("train", "val", "test")


class Bed:
    """What every arm shares: labels and parts of coco80."""

    def __init__(self) -> None:
        dataset = datasets.read(SHARED / "coco80" / "labels.csv")
        self.dataset = dataset.rows((dataset.split != "train") | dataset.where(*SUBSET))
        self.rows = {part: np.flatnonzero(self.dataset.split == part) for part in PARTS}
        self.names = self.dataset.labels.names
        self.counts = self.dataset.labels.rows(self.rows["train"]).counts
        self.tail = {"tail": frequency_groups(self.counts) == "tail"}

    @cached_property
    def test(self) -> NDArray[np.int8]:
        """(N, C) labels of the test part."""
        return self.dataset.labels.state[self.rows["test"]]

    def features(self, encoder: encoders.Encoder) -> Cached:
        return encode(self.dataset.paths, encoder)

    def sources(self, cached: Cached) -> dict[str, FeatureSource]:
        """The parts, every feature read once, so that memory measured afterwards is that of training."""
        state = self.dataset.labels.state
        sources = {part: FeatureSource(cached, rows, state[rows]) for part, rows in self.rows.items()}
        for source in sources.values():
            for rows in chunks(len(source), 8):
                source.batch(rows)
        return sources


def label_vectors(names: tuple[str, ...], options: dict[str, Any], seed: int) -> tuple[NDArray[np.float32], str]:
    """Unit vectors (C, M) and where they come from; the random control is drawn anew by every seed."""
    source = options["source"]
    if source == "glove":
        listed = (SHARED / "protocols" / "coco_labels.txt").read_text(encoding="utf-8").splitlines()
        place = {line.rsplit(maxsplit=1)[0]: int(line.rsplit(maxsplit=1)[1]) for line in listed}  # "hot dog 52"
        table = np.load(SHARED / "protocols" / "coco_glove300.npy").astype(np.float32)
        mean = table.mean(0) if options["centre"] else 0
        vectors, about = text.unit(table[[place[n] for n in names]] - mean), "GloVe-300 (80 names)"
    else:
        file = str(SHARED / "text" / "clip_vitb32_1612_names.npz")
        found, about = text.vectors(names, file if source == "clip" else source, seed=seed, centre=options["centre"])
        assert found is not None
        vectors = found
    if options["shuffled"]:  # a cycle through all classes in random order: no class keeps its own vector
        order = np.random.default_rng(0).permutation(len(names))
        shuffled = np.empty_like(vectors)
        shuffled[order] = vectors[np.roll(order, 1)]
        vectors, about = shuffled, f"{about}, shuffled among the classes"
    return vectors, about


def train_arm(runs: Runs) -> None:
    """Every missing run of one arm, one printed line each; single-threaded."""
    torch.set_num_threads(1)
    bed, options = Bed(), runs.options["encoder"]
    encoder = encoders.load(**options)
    sources = bed.sources(bed.features(encoder))
    before = peak_mb()
    while missing := runs.missing():
        rate, seed = missing[0]
        record, scores = train_run(runs, bed, sources, encoder.width, rate, seed)
        record["peak_mb"] = round(peak_mb() - before, 1)
        runs.save(record, scores)
        told = "diverged" if scores is None else f"val {100 * record['val_map']:.2f}"
        print(f"{runs.arm.name}, rate {rate:g}, seed {seed}: {told}, {record['seconds']:.0f} s", flush=True)


def train_run(
    runs: Runs, bed: Bed, sources: dict[str, FeatureSource], width: int, rate: float, seed: int
) -> tuple[dict[str, Any], NDArray[np.float32] | None]:
    """One run: its record, and its (N, C) test scores at the best validated epoch; None where the loss diverged."""
    module = methods.load(METHOD)
    vectors, about = label_vectors(bed.names, runs.options["text"], seed)
    vocabulary = Vocabulary(bed.names, bed.counts, vectors, images=len(bed.rows["train"]), text_source=about)
    settings = config.fill(Settings, {**runs.options["train"], "lr": rate, "seed": seed}, "train")
    torch.manual_seed(seed)
    method = module.build(config.fill(module.Config, runs.options["method"], "method"), vocabulary, width)
    record: dict[str, Any] = {
        "arm": runs.arm.name, "lr": rate, "seed": seed, "val_map": None, "text": about,
        "parameters": sum(p.numel() for p in method.parameters() if p.requires_grad),
    }  # fmt: skip
    # Rate and seed are the run's own; everything else must stay the same for the arm's runs to be comparable.
    record["options"] = runs.options
    started, processor = time.monotonic(), time.process_time()
    try:
        outcome = fit(method, sources["train"], sources["val"], settings)
    except ManylabelError as error:
        return record | {"diverged": str(error), "seconds": round(time.monotonic() - started, 2)}, None
    if outcome.ended == "interrupted":
        raise KeyboardInterrupt
    epochs = len(outcome.log)
    record |= {
        "val_map": outcome.best_map, "best_epoch": outcome.best_epoch, "epochs": epochs, "ended": outcome.ended,
        "seconds_per_epoch": float(np.median([row["seconds"] for row in outcome.log])),
        "cpu_seconds_per_epoch": (time.process_time() - processor) / epochs,
    }  # fmt: skip
    scores = score(method, sources["test"])
    return record | {"seconds": round(time.monotonic() - started, 2)}, scores


def peak_mb() -> float:
    """The most memory this process has held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class Progress:
    """Prints finished runs with an estimate of the time left, by the mean of the runs so far."""

    def __init__(self, left: int) -> None:
        self.left, self.done, self.started, self.lock = left, 0, time.monotonic(), Lock()

    def tell(self, line: str) -> None:
        with self.lock:
            self.done += 1
            ahead = max(self.left - self.done, 0)
            minutes = (time.monotonic() - self.started) / self.done * ahead / 60
            print(f"{line}; {ahead} runs to go, about {minutes:.0f} min", flush=True)


def train_apart(name: str, arguments: argparse.Namespace, progress: Progress) -> int:
    """Train one arm in a process of its own, so that its memory can be measured; the exit code."""
    command = [sys.executable, __file__, "--alone", name, "--runs", str(arguments.runs)]
    command += ["--epochs", str(arguments.epochs)] if arguments.epochs else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            progress.tell(line.rstrip())
    return process.returncode


def run_all(arms: list[Arm], bed: Bed, table: Table, arguments: argparse.Namespace) -> list[str]:
    """Train what is missing, `jobs` arms at once, and write the table after each; the names of arms that failed.

    Arms of one encoder go together, after its features are on disk: two processes would else encode the same photos.
    """
    failed = []
    todo = [arm for arm in arms if table.runs[arm.name].left]
    progress = Progress(sum(table.runs[arm.name].left for arm in todo))
    by_encoder = groupby(todo, key=lambda arm: table.runs[arm.name].options["encoder"])
    for options, group in by_encoder:
        torch.set_num_threads(arguments.jobs)
        bed.features(encoders.load(**options))
        with ThreadPoolExecutor(arguments.jobs) as pool:
            jobs = {pool.submit(train_apart, arm.name, arguments, progress): arm.name for arm in group}
            try:
                for job in as_completed(jobs):
                    if job.result():
                        failed.append(jobs[job])
                    write(arguments.out, table.rows())
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
    return failed


def chosen_arms(names: list[str]) -> list[Arm]:
    """The arms of those names, base first; all of them where none is named."""
    known = {arm.name: arm for arm in ARMS}
    for name in names:
        if name not in known:
            raise ManylabelError(f"there is no arm {name!r}.{did_you_mean(name, known)}")
    return [arm for arm in ARMS if not names or arm.name in ("base", *names)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", help="all by default")
    parser.add_argument("--jobs", type=int, default=2, help="arms trained at once, one thread each")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--epochs", type=int, help="fewer, for a try; give it --runs and --out of its own")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ablation")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ablation.csv")
    parser.add_argument("--alone", metavar="ARM", help=argparse.SUPPRESS)  # what the bench calls itself with
    arguments = parser.parse_args()
    if not (SHARED / "coco80" / "labels.csv").exists():
        sys.exit(f"the bench needs {SHARED / 'coco80' / 'labels.csv'}, which is not here")
    try:
        if arguments.alone:
            [arm] = [arm for arm in ARMS if arm.name == arguments.alone]
            return train_arm(Runs(arguments.runs, arm, arguments.epochs))
        arms = chosen_arms(arguments.arms)
        bed = Bed()
        table = Table(bed.test, bed.tail, arguments.runs, epochs=arguments.epochs, resamples=arguments.resamples)
        failed = run_all(arms, bed, table, arguments)
        write(arguments.out, table.rows())
    except ManylabelError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, BrokenPipeError):  # the pipe breaks where the bench was killed and its arms were not
        sys.exit(1 if arguments.alone else "stopped; what is finished is kept, start again to go on")
    if failed:
        sys.exit(f"these arms failed, the message is above: {', '.join(failed)}; start again to go on with them")


if __name__ == "__main__":
    main()
