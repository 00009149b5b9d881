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
import dataclasses
import json
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

import paired
from arms import ARMS, BASE, METHOD, PAIRS, PRESET, Arm
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
RATES, SEEDS = (0.5, 1.0, 2.0), (0, 1, 2)  # rates as multiples of the preset's
RUNS = len(RATES) + len(SEEDS) - 1

Options = dict[str, dict[str, Any]]


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


class Table:
    """Rows of the CSV, from the finished runs of all arms."""

    def __init__(self, bed: Bed, folder: Path, epochs: int | None, resamples: int) -> None:
        self.bed, self.resamples = bed, resamples
        self.runs = {arm.name: Runs(folder, arm, epochs) for arm in ARMS}
        self.kept: dict[str, dict[str, NDArray[np.float64]]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """One for each arm that is finished, then one for each pair."""
        done = [name for name, runs in self.runs.items() if not runs.left]
        rows = [self.row(self.runs[name].arm, "base" if name != "base" else "") for name in done]
        return rows + [self.row(Arm(a, section), b) for a, b, section in PAIRS if a in done and b in done]

    def row(self, arm: Arm, against: str) -> dict[str, Any]:
        """One arm, and its difference from `against`."""
        runs = self.runs[arm.name]
        good = runs.finished()
        row: dict[str, Any] = {"arm": arm.name, "section": arm.section, "claim": arm.claim}
        row |= {"expected": arm.expected and f"{arm.measure} {arm.expected}", "against": against, "lr": runs.chosen()}
        row["seeds"] = len(good)
        if len(good) < len(SEEDS):
            return row | {"verdict": "diverged"}
        row["val_map"] = percent(np.mean([record["val_map"] for record in good]))
        row |= self.measured(arm, against)
        cost = {key: [record[key] for record in good] for key in ("seconds_per_epoch", "cpu_seconds_per_epoch")}
        row |= {key: round(float(np.median(values)), 2) for key, values in cost.items()}
        row["parameters"] = good[0]["parameters"]
        row["peak_mb"] = max(record["peak_mb"] for record in good)
        return row

    def measured(self, arm: Arm, against: str) -> dict[str, Any]:
        """Test mAP and tail of the arm, and their differences with intervals."""
        row: dict[str, Any] = {}
        for name, values in self.resampled(arm.name).items():
            row[f"test_{name}"], row[f"test_{name}_sd"] = percent(values[0].mean()), percent(values[0].std(ddof=1))
        if not against or len(self.runs[against].finished()) < len(SEEDS):
            return row
        said = {}
        for name, interval in paired.compare(self.resampled(arm.name), self.resampled(against)).items():
            row |= {f"delta_{name}{end}": round(v, 2) for end, v in zip(("", "_low", "_high"), interval)}
            said[name] = paired.verdict(*interval[1:])
        row |= {"verdict": said["total"], "verdict_tail": said["tail"]}
        if arm.expected:
            row["claim_verdict"] = judge(arm.expected, said[arm.measure])
        return row

    def resampled(self, name: str) -> dict[str, NDArray[np.float64]]:
        if name not in self.kept:
            runs = self.runs[name]
            rate = runs.chosen()
            assert rate is not None
            scores = np.stack([runs.scores(rate, seed) for seed in SEEDS])
            self.kept[name] = paired.resampled(scores, self.bed.test, self.bed.tail, resamples=self.resamples)
        return self.kept[name]


def judge(expected: str, verdict: str) -> str:
    """What a verdict says of a claim that expected another or the same.

    >>> judge("hurts", "hurts"), judge("hurts", "helps"), judge("hurts", "undecided")
    ('confirmed', 'contradicted', 'undecided')
    """
    if verdict == "undecided":
        return verdict
    return "confirmed" if verdict == expected else "contradicted"


def percent(value: float) -> float:
    return round(100 * float(value), 2)


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


def run_all(arms: list[Arm], table: Table, arguments: argparse.Namespace) -> list[str]:
    """Train what is missing, `jobs` arms at once, and write the table after each; the names of arms that failed.

    Arms of one encoder go together, after its features are on disk: two processes would else encode the same photos.
    """
    failed = []
    todo = [arm for arm in arms if table.runs[arm.name].left]
    progress = Progress(sum(table.runs[arm.name].left for arm in todo))
    by_encoder = groupby(todo, key=lambda arm: table.runs[arm.name].options["encoder"])
    for options, group in by_encoder:
        torch.set_num_threads(arguments.jobs)
        table.bed.features(encoders.load(**options))
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
        table = Table(Bed(), arguments.runs, arguments.epochs, arguments.resamples)
        failed = run_all(arms, table, arguments)
        write(arguments.out, table.rows())
    except ManylabelError as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, BrokenPipeError):  # the pipe breaks where the bench was killed and its arms were not
        sys.exit(1 if arguments.alone else "stopped; what is finished is kept, start again to go on")
    if failed:
        sys.exit(f"these arms failed, the message is above: {', '.join(failed)}; start again to go on with them")


if __name__ == "__main__":
    main()
