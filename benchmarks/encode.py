"""Images per second of the bare backbone and from JPEG files to the cache, by precision.

    python benchmarks/encode.py [FOLDER_OF_IMAGES] [--images 512] [--repeats 5]

The bare backbone runs on images already decoded and in memory, in two ways: as a plain loop over batches of 32 on all
threads ("loop"), and as `encode` runs it, batches of 4 side by side with one thread each ("side by side"). The ratio is
end to end over the better of the two in the same precision. Variants take turns, so that a change in the machine's load
meets all of them; medians and quartiles are written to benchmarks/results/encode.csv.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from manylabel import encoders
from manylabel.data.images import read_image, to_array
from manylabel.encoders import Encoder
from manylabel.encoders.cache import encode
from manylabel.encoders.inference import for_inference
from results import write

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared/data/coco80")
    parser.add_argument("--encoder", default="efficientnet_lite0")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    files = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[: options.images]
    encoder = encoders.load(options.encoder)
    images = np.stack([to_array(read_image(f), encoder.image_size) for f in files])
    speeds = measure(variants(encoder, files, images), len(files), options.repeats)
    write(ROOT / "benchmarks/results/encode.csv", table(speeds, options.encoder, len(files)))


def variants(encoder: Encoder, files: list[Path], images: np.ndarray) -> dict[str, Callable[[], None]]:
    """What is timed, each a function that takes all images once."""
    full, half = for_inference(encoder), for_inference(encoder, "bfloat16")
    return {
        "eager float32, loop": lambda: loop(encoder, images),
        "float32, loop": lambda: loop(full, images),
        "float32, side by side": lambda: side_by_side(full, images),
        "float32, end to end": lambda: end_to_end(encoder, files, "float32"),
        "bfloat16, loop": lambda: loop(half, images),
        "bfloat16, side by side": lambda: side_by_side(half, images),
        "bfloat16, end to end": lambda: end_to_end(encoder, files, "bfloat16"),
        "read and decode only": lambda: decode_only(files, encoder.image_size),
    }


def forward(encoder: Encoder, images: np.ndarray) -> None:
    with torch.inference_mode():
        encoder(torch.from_numpy(images).permute(0, 3, 1, 2))


def loop(encoder: Encoder, images: np.ndarray) -> None:
    for i in range(0, len(images), 32):
        forward(encoder, images[i : i + 32])


def side_by_side(encoder: Encoder, images: np.ndarray) -> None:
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(lambda i: forward(encoder, images[i : i + 8]), range(0, len(images), 8)))
    torch.set_num_threads(threads)


def end_to_end(encoder: Encoder, files: list[Path], precision: str) -> None:
    folder = tempfile.mkdtemp()
    encode(files, encoder, folder=folder, progress=False, precision=precision)
    shutil.rmtree(folder)


def decode_only(files: list[Path], size: int) -> None:
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(lambda f: to_array(read_image(f, at_least=size), size), files))


def measure(todo: dict[str, Callable[[], None]], images: int, repeats: int) -> dict[str, list[float]]:
    """Images per second of every variant, `repeats` times in turn after one round that does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in todo}
    for turn in range(repeats + 1):
        for name, run in todo.items():
            start = time.perf_counter()
            run()
            if turn:
                speeds[name].append(images / (time.perf_counter() - start))
    return speeds


def table(speeds: dict[str, list[float]], encoder: str, images: int) -> list[dict[str, object]]:
    """Rows of the CSV; the ratio is taken within each turn and then its median."""
    rows = []
    for name, values in speeds.items():
        low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
        row: dict[str, object] = {"encoder": encoder, "variant": name, "images": images, "repeats": len(values)}
        row |= {"images_per_s": f"{middle:.1f}", "quartile_1": f"{low:.1f}", "quartile_3": f"{high:.1f}", "ratio": ""}
        precision, _, what = name.partition(", ")
        if what == "end to end":
            bare = zip(speeds[f"{precision}, loop"], speeds[f"{precision}, side by side"])
            row["ratio"] = f"{statistics.median(e / max(b) for e, b in zip(values, bare)):.3f}"
        row["threads"] = torch.get_num_threads()
        rows.append(row)
        print(f"{name:28} {middle:8.1f}/s  ({low:.1f} to {high:.1f})  {row['ratio']}")
    return rows


if __name__ == "__main__":
    main()
