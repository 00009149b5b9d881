"""What the right half costs at size: seconds and peak memory of each task, on one thread, without torch.

    python benchmarks/at_size.py [--small] [--only TASK ...] [--out benchmarks/results/at_size.csv]

Every task runs in a fresh process, so that the peak (`ru_maxrss`) is its own. Its data are made there from a seed and
stay in memory: `data_seconds` is what making them took, `data_gib` the peak of the process up to then, `peak_gib` the
peak at the end, which holds the data too. `--small` takes a tenth of the images and of the classes; `--only` measures
some tasks and keeps the other rows of the file.

table: scores with classes from 40 % to 4 in 100,000 of the images, one cell in ten unknown, logits that are calibrated
but for a factor of 1.5. lists: the 100 highest of 100,000 classes, about 5 labels an image, one in ten unknown.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel import decisions
from manylabel.audits.bias import RESAMPLES
from manylabel.decisions.platt import sigmoid
from manylabel.scores import ScoreFile
from manylabel.sparse import SparseLabels, TopScores
from results import hardware, write

Work = Callable[[], object]
ROWS = 1000  # images made at once: making takes little more memory than what is made
MOST_COMMON, RAREST, UNKNOWN_SHARE = 0.4, 4e-5, 0.1
SEPARATION, SURE = 3.0, 1.5  # standard deviations between present and absent; how much too sure the logits are
LISTED = 100  # classes in each image's list
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Task:
    """What is timed: `prepare` makes the data and gives the work; `most_gib` is a promise on the peak."""

    images: int
    classes: int
    resamples: int
    prepare: Callable[[Task], Work]
    most_gib: float = float("inf")

    @property
    def small(self) -> Task:
        """The same at a hundredth of the cells."""
        return replace(self, images=self.images // 10, classes=self.classes // 10)


@dataclass(frozen=True, eq=False)
class Table:
    """Scores (logits) with labels, and what else `evaluate` can be given: all (N, C) but `counts` (C,)."""

    scores: NDArray[np.float32]
    labels: NDArray[np.int8]
    decisions: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    counts: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        return [f"class {c}" for c in range(self.labels.shape[1])]

    @property
    def file(self) -> ScoreFile:
        """As `manylabel.scores` reads it from disk."""
        ids = np.array([f"{row:06}.jpg" for row in range(len(self.labels))])
        return ScoreFile(ids, np.array(self.names), self.scores, "logit", self.labels)


def table(images: int, classes: int, *, seed: int = 0, noise: float = 0.0) -> Table:
    """A table of a model whose logits are the true ones times `SURE`; `noise` spoils them by so many deviations."""
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    share = np.geomspace(MOST_COMMON, RAREST, classes)
    made = Table(
        np.empty((images, classes), np.float32), np.empty((images, classes), np.int8),
        np.empty((images, classes), np.bool_), np.empty((images, classes), np.float32),
        np.rint(share * images).astype(np.int64),
    )  # fmt: skip
    prior = np.log(share / (1 - share)).astype(np.float32)
    for start in range(0, images, ROWS):
        some = np.s_[start : start + ROWS]
        shape = made.labels[some].shape
        present = rng.random(shape, dtype=np.float32) < share
        seen = rng.standard_normal(shape, dtype=np.float32) + np.float32(SEPARATION) * (present - np.float32(0.5))
        logits = np.float32(SEPARATION) * seen + prior  # Bayes' rule for two normal distributions
        if noise:
            logits += np.float32(noise) * other.standard_normal(shape, dtype=np.float32)
        unknown = rng.random(shape, dtype=np.float32) < UNKNOWN_SHARE
        made.labels[some] = np.where(unknown, 0, np.where(present, 1, -1))
        made.scores[some] = SURE * logits
        made.decisions[some] = logits >= 0
        made.probabilities[some] = sigmoid(logits.astype(np.float64))
    return made


def lists(images: int, classes: int, *, seed: int = 0) -> tuple[TopScores, SparseLabels, NDArray[np.int64]]:
    """The highest `LISTED` classes of each image, labels of which most are listed, and training counts (C,)."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1)
    edges = np.cumsum(share / share.sum())
    columns, scores, truth = [], [], []
    for _ in range(images):
        drawn = rng.permutation(np.unique(np.searchsorted(edges, rng.random(4 * LISTED) * edges[-1])))
        more = rng.permutation(np.setdiff1d(np.arange(2 * LISTED), drawn))
        columns.append(np.concatenate([drawn, more])[:LISTED])
        scores.append(rng.standard_normal(LISTED, dtype=np.float32))
        scores[-1][:4] += np.float32(SEPARATION)
        missed = rng.integers(0, classes, rng.integers(0, 3))  # labels that no list holds
        truth.append(np.union1d(columns[-1][:4], missed))
    labels = SparseLabels.from_lists(truth, classes=classes)
    states = np.where(rng.random(len(labels.states)) < UNKNOWN_SHARE, 0, labels.states).astype(np.int8)
    known = SparseLabels(labels.starts, labels.columns, states, classes)
    counts = np.rint(4 * images * share / share.sum()).astype(np.int64)
    return TopScores(np.array(columns), np.array(scores), classes), known, counts


def evaluation(task: Task) -> Work:
    from manylabel import metrics

    made = table(task.images, task.classes)
    return lambda: metrics.evaluate(
        made.scores, made.labels, names=made.names, train_counts=made.counts, decisions=made.decisions,
        probabilities=made.probabilities, train_images=task.images,
        settings=metrics.Settings(resamples=task.resamples),
    )  # fmt: skip


def audit(task: Task) -> Work:
    """What the command `audit` does once it has read its files: calibrate, find, write, tell."""
    from manylabel.audits import findings
    from manylabel.cli import auditing

    file = table(task.images, task.classes).file

    def work() -> None:
        subject = auditing.Subject(file, auditing.probabilities_of(file))
        found = findings.find(subject.table, subject.probabilities)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            out = Path(folder) / "findings.csv"
            findings.write(out, found)
            auditing.tell_findings(found, subject.table, out)
            auditing.tell_stats(subject, None)

    return work


def fitted(rule: str) -> Callable[[Task], Work]:
    """Fitting a rule or calibrator with its defaults."""

    def prepare(task: Task) -> Work:
        made = table(task.images, task.classes)
        return lambda: decisions.load(rule)().fit(made.scores, made.labels)

    return prepare


def page(task: Task) -> Work:
    """The report that `evaluate --report` writes, from numbers that are there."""
    from manylabel import metrics, report

    made = table(task.images, task.classes)
    numbers = metrics.evaluate(
        made.scores, made.labels, names=made.names, train_counts=made.counts, thresholds=0.0,
        settings=metrics.Settings(resamples=0),
    )  # fmt: skip
    data = report.ReportData(
        "At size", made.file, numbers, thresholds=np.zeros(task.classes), parts={"test": made.labels}
    )

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            report.write(Path(folder) / "report.html", data)

    return work


def long_lists(task: Task) -> Work:
    from manylabel import metrics

    top, labels, counts = lists(task.images, task.classes)
    names = [f"class {c}" for c in range(task.classes)]
    return lambda: metrics.evaluate_lists(
        top, labels, names=names, train_counts=counts, thresholds=1.0, train_images=task.images,
        settings=metrics.Settings(resamples=task.resamples),
    )  # fmt: skip


def comparison(task: Task) -> Work:
    from manylabel.compare import Side, compare

    one, other = (table(task.images, task.classes, noise=noise) for noise in (1.0, 0.0))  # of the same labels
    before, after = (Side(k, t.scores, t.decisions, t.probabilities) for k, t in (("a", one), ("b", other)))
    return lambda: compare(before, after, one.labels, train_counts=one.counts, number=task.resamples)


TASKS = {
    "evaluate": Task(100_000, 1000, 0, evaluation),
    "evaluate, intervals": Task(100_000, 1000, 1000, evaluation),
    "audit": Task(100_000, 1000, RESAMPLES, audit),  # of what annotators forget
    "F1 thresholds": Task(100_000, 1000, 0, fitted("f1")),
    "temperature": Task(100_000, 1000, 0, fitted("temperature")),
    "Platt": Task(100_000, 1000, 0, fitted("platt")),
    "report": Task(10_000, 1000, 0, page),
    "evaluate lists": Task(5000, 100_000, 1000, long_lists, most_gib=4.0),
    "compare two files": Task(20_000, 1000, 1000, comparison),
}  # in the order of the table


def peak_gib() -> float:
    """The most memory this process ever held; Linux counts in kB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30


def measure(name: str, task: Task) -> dict[str, object]:
    """Run one task in this process."""
    start = time.perf_counter()
    work = task.prepare(task)
    ready, data, cpu = time.perf_counter(), peak_gib(), time.process_time()
    work()
    seconds, used = time.perf_counter() - ready, time.process_time() - cpu
    if "torch" in sys.modules:
        raise AssertionError(f"{name} imported torch")
    return {
        "task": name, "images": task.images, "classes": task.classes, "resamples": task.resamples,
        "seconds": round(seconds, 2), "cpu_seconds": round(used, 2), "data_seconds": round(ready - start, 2),
        "data_gib": round(data, 2), "peak_gib": round(peak_gib(), 2),
    }  # fmt: skip


def in_own_process(name: str, small: bool) -> dict[str, object]:
    """`measure` in a fresh process with one thread."""
    command = [sys.executable, __file__, "--here", name, *(["--small"] if small else [])]
    done = subprocess.run(
        command, env=os.environ | dict.fromkeys(THREADS, "1"), stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def kept(path: Path, measured: list[str], column: str = "task") -> list[dict[str, str]]:
    """The rows of an earlier file that are not measured anew; an error where they are of another machine."""
    text = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [row for row in csv.DictReader(text) if row[column] not in measured]
    if any(row["hardware"] != hardware() for row in rows):
        raise SystemExit(f"{path} was measured on another machine: leave out --only, or give another --out")
    return rows


def write_with(path: Path, rows: list[dict[str, object]], earlier: list[dict[str, str]]) -> None:
    """Write rows, and earlier ones with the date they bear, in the order of the table."""
    write(path, rows)
    with path.open(newline="", encoding="utf-8") as stream:
        every = {row["task"]: row for row in [*earlier, *csv.DictReader(stream)]}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(every[str(rows[0]["task"])]))
        writer.writeheader()
        writer.writerows(every[name] for name in TASKS if name in every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the cells; wants --out")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--out", type=Path, help="by default benchmarks/results/at_size.csv")
    parser.add_argument("--here", choices=list(TASKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        task = TASKS[arguments.here]
        return print(json.dumps(measure(arguments.here, task.small if arguments.small else task)))
    wanted = [name for name in TASKS if name in (arguments.only or TASKS)]
    if arguments.small and arguments.out is None:
        parser.error("--small wants --out: its numbers do not belong beside those at size")
    out = arguments.out or Path(__file__).parent / "results" / "at_size.csv"
    earlier, rows = kept(out, wanted) if arguments.only else [], []
    for name in wanted:
        rows.append(in_own_process(name, arguments.small))
        print(rows[-1], flush=True)
    write_with(out, rows, earlier)
    broken = [row for row in rows if float(str(row["peak_gib"])) > TASKS[str(row["task"])].most_gib]
    if broken:
        raise SystemExit(f"more memory than promised: {broken}")


if __name__ == "__main__":
    main()
