"""What `predict` costs beside its bare encoder, and how long it takes from the prompt to the first answer.

    python benchmarks/predict.py [RUN] [--photos FOLDER] [--images 10000] [--starts 5]

RUN is by default a small CPRFL on the photographs of coco80, trained where it is not there. Blocks of 250 photographs
are taken in turn by the bare encoder (images decoded beforehand and in memory, batches side by side on all cores, as
`predict` runs it) and by `predict` (from files to decisions), so that a change in the machine's load meets both; their
seconds are added up. Start-up is the time of the whole command on one photograph, the files warm: the median of
several, of the run and of its .onnx file. Results: benchmarks/results/predict.csv.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
BLOCK = 250
Work = Callable[[], object]


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
    write(
        ROOT / "benchmarks/results/predict.csv",
        [throughput(model, files), *starts(options.run, files[0], options.starts)],
    )


def throughput(model: Model, files: Sequence[Path]) -> dict[str, Any]:
    """Seconds of both over all files, and the peak memory of this process."""
    spent = {"encoder": 0.0, "predict": 0.0}
    list(model.stream(files[: 4 * BATCH]))
    with bar("predict", len(files)) as advance:
        for number, start in enumerate(range(0, len(files), BLOCK)):
            some = files[start : start + BLOCK]
            images = np.stack([model.read(file) for file in some])
            works: dict[str, Work] = {
                "encoder": lambda i=images: encoded(model, i),
                "predict": lambda s=some: list(model.stream(s)),
            }
            for name in list(works) if number % 2 else list(works)[::-1]:
                spent[name] += timed(works[name])
            advance(len(some), "")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "what": f"{len(files)} photographs",
        "encoder_seconds": round(spent["encoder"], 1), "predict_seconds": round(spent["predict"], 1),
        "ratio": round(spent["predict"] / spent["encoder"], 3),
        "images_per_second": round(len(files) / spent["predict"], 1),
        "peak_gib": round(peak, 2),
    }  # fmt: skip


def encoded(model: Model, images: np.ndarray) -> None:
    """The bare encoder on decoded images, batches side by side with one thread each."""
    network = model.network
    assert isinstance(network, Network)

    @torch.inference_mode()
    def features(start: int) -> None:
        network.forward.encoder(torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2))

    with network.side_by_side() as threads, ThreadPoolExecutor(threads) as pool:
        list(pool.map(features, range(0, len(images), BATCH)))


def timed(work: Work) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def starts(run: Path, photo: Path, count: int) -> list[dict[str, Any]]:
    """The median seconds of the command on one photograph."""
    with tempfile.TemporaryDirectory() as folder:
        file = onnx_file.write(manylabel.load(run), Path(folder) / "model.onnx")
        rows = []
        for name, model in (("run folder", run), ("onnx file", file)):
            command = [sys.executable, "-m", "manylabel", "predict", str(model), str(photo)]
            seconds = [
                timed(lambda c=command: subprocess.run(c, check=True, capture_output=True)) for _ in range(count + 1)
            ]
            rows.append({"what": f"start to first answer, {name}", "seconds": round(statistics.median(seconds[1:]), 2)})
    return rows


if __name__ == "__main__":
    main()
