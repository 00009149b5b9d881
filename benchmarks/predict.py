"""What `predict` costs beside its bare encoder, and how long it takes from the prompt to the first answer.

    python benchmarks/predict.py [RUN] [--photos FOLDER] [--images 10000] [--starts 5]

RUN is by default a small CPRFL on the photographs of coco80, trained where it is not there. Blocks of 100 photographs
are taken in turn by the bare encoder as it is loaded, by the encoder as `predict` prepares it (batch norms folded,
memory laid out for speed), and by `predict` from files to decisions. The encoders get images that were decoded
beforehand and lie in memory, batches side by side on all cores. A change in the machine's load so meets all three;
their seconds and processor seconds are added up. Start-up is the time of the whole command on one photograph, the
files warm: the median of several, of the run and of its .onnx file. Results: predict.csv and
start.csv in benchmarks/results.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import manylabel
from manylabel.export import onnx_file
from manylabel.model import BATCH, Model
from manylabel.network import Network
from manylabel.progress import bar
from results import write

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 100
Work = Callable[[], object]
WHAT = ("bare encoder, as loaded", "bare encoder, as predict prepares it", "predict, from files to decisions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=ROOT / "runs/predict")
    parser.add_argument("--photos", type=Path, default=ROOT.parent / "shared/data/coco80")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    if not options.run.exists():
        small = {"train": {"epochs": 1}}
        manylabel.train(options.photos / "labels.csv", options.run, method="cprfl", preset="small", options=small)
    files = sorted(options.photos.rglob("*.jpg"))[: options.images]
    model = manylabel.load(options.run)
    results = ROOT / "benchmarks/results"
    write(results / "start.csv", starts(options.run, files[0], options.starts))
    write(results / "predict.csv", throughput(model, files))


def throughput(model: Model, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Seconds and processor seconds of all three over all files, and the peak memory of this process."""
    network = model.network
    assert isinstance(network, Network)
    spent = {what: np.zeros(2) for what in WHAT}
    list(model.stream(files[: 4 * BATCH]))
    with bar("predict", len(files)) as advance:
        for number, start in enumerate(range(0, len(files), BLOCK)):
            some = files[start : start + BLOCK]
            images = np.stack([model.read(file) for file in some])
            works: list[Work] = [
                lambda i=images: encoded(network, network.encoder, i),
                lambda i=images: encoded(network, network.forward.encoder, i),
                lambda s=some: list(model.stream(s)),
            ]
            for place in np.roll(range(3), number):
                spent[WHAT[place]] += timed(works[place])
            advance(len(some), "")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    whole = spent[WHAT[-1]]
    return [
        {
            "what": what, "images": len(files), "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1),
            "predict_is": round(whole[0] / wall, 3), "predict_is_cpu": round(whole[1] / cpu, 3),
            "images_per_second": round(len(files) / wall, 1), "peak_gib": round(peak, 2),
        }
        for what, (wall, cpu) in spent.items()
    ]  # fmt: skip


def encoded(network: Network, encoder: torch.nn.Module, images: np.ndarray) -> None:
    """An encoder on decoded images, batches side by side with one thread each."""

    @torch.inference_mode()
    def features(start: int) -> None:
        encoder(torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2))

    with network.side_by_side() as threads, ThreadPoolExecutor(threads) as pool:
        list(pool.map(features, range(0, len(images), BATCH)))


def timed(work: Work) -> np.ndarray:
    """Seconds and processor seconds of one call."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def starts(run: Path, photo: Path, count: int) -> list[dict[str, Any]]:
    """The median seconds of the command on one photograph."""
    imports = [sys.executable, "-c", "import torch"]
    around = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as users start it
    run_it = partial(subprocess.run, check=True, capture_output=True, env=around)
    with tempfile.TemporaryDirectory() as folder:
        file = onnx_file.write(manylabel.load(run), Path(folder) / "model.onnx")
        rows = []
        for name, model in (("run folder", run), ("onnx file", file)):
            command = [sys.executable, "-m", "manylabel", "predict", str(model), str(photo)]
            seconds = [timed(lambda c=command: run_it(c))[0] for _ in range(count + 1)]
            bare = [timed(lambda: run_it(imports))[0] for _ in range(count)]
            rows.append({
                "model": name, "seconds": round(statistics.median(seconds[1:]), 2), "least": round(min(seconds[1:]), 2),
                "import_torch_alone": round(statistics.median(bare), 2) if name == "run folder" else "",
            })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
