"""The pointing game on the demo scenes: does the hottest point of a label's heat map lie in a box of the label?

    python benchmarks/pointing.py [--images 150] [--seeds 3] [--tolerance 0] [--only METHOD]    # `make bench-pointing`

Zhang et al., ECCV 2016. Methods are trained on the demo's training scenes with each seed and asked about test scenes,
for labels that are present, and of those for the ones the method also predicts. Accuracy is the mean over classes of
the share of hits. The article allows 15 pixels beside a box; here none by default. Beside it: a point drawn at random,
and the middle of the scene. All methods read the same frozen features, so each scene, bare or with a square over it,
passes the encoder once. Runs are kept in runs/pointing; results go to benchmarks/results/pointing.csv. `--only` asks
one method and keeps the other rows of the file, with their date.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import manylabel
from manylabel.data import demo
from manylabel.encoders.cache import default_folder
from manylabel.explaining import evidence
from manylabel.explaining.occlusion import falls
from manylabel.explaining.pointing import Box, accuracy, hits, hottest
from manylabel.model import Model
from manylabel.plan import plan
from manylabel.run import train
from results import write

ROOT = Path(__file__).resolve().parents[1]
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "cprfl": ("cprfl", {}),
    "cprfl + kernel": ("cprfl", {"anchor": "kernel", "mixup": 1.0}),
    "mldecoder": ("mldecoder", {}),
    "linear": ("linear", {}),
    "ridge": ("ridge", {}),
    "mlp": ("mlp", {}),
}
Game = dict[tuple[str, str, int], list[tuple[bool, int, bool]]]
"""(method, kind, seed) -> for each present label whether it was hit, its class, whether it was predicted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tolerance", type=float, default=0.0, help="pixels beside a box that still count")
    parser.add_argument("--only", choices=list(METHODS), metavar="METHOD", help="; ".join(METHODS))
    options = parser.parse_args()
    labels = demo.build(default_folder() / "demo")
    models = {(name, seed): trained(name, seed, labels) for name in METHODS if options.only in (None, name)
              for seed in range(options.seeds)}  # fmt: skip
    game: Game = defaultdict(list)
    scenes = drawn(labels.parent, options.images)
    for number, (file, boxes) in enumerate(scenes):
        play(game, models, file, boxes, options.tolerance)
        print(f"\r{number + 1} of {len(scenes)} scenes", end="", flush=True)
    print()
    path = ROOT / "benchmarks" / "results" / "pointing.csv"
    if options.only is None:
        write(path, table(game, options))
    else:
        replace(path, options.only, [row for row in table(game, options) if row["method"] == options.only])


def replace(path: Path, method: str, rows: list[dict[str, Any]]) -> None:
    """Put the rows of one method in place of earlier ones, the methods in their order."""
    kept = [row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if row["method"] != method]
    write(path, rows)
    with path.open(newline="", encoding="utf-8") as file:
        every = [*csv.DictReader(file), *kept]
    order = [*METHODS, *dict.fromkeys(row["method"] for row in kept if row["method"] not in METHODS)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(every[0]))
        writer.writeheader()
        writer.writerows(sorted(every, key=lambda row: order.index(row["method"])))


def trained(name: str, seed: int, labels: Path) -> Model:
    """The model of a method and a seed, trained unless it is there."""
    method, options = METHODS[name]
    folder = ROOT / "runs" / "pointing" / f"{name.replace(' + ', '-')}-seed{seed}"
    if not (folder / "metrics.json").exists():
        sections = {"method": options, "train": {"seed": seed}}
        train(plan(str(labels), folder, method=method, options=sections), resume=True)
    return manylabel.load(folder)


def drawn(folder: Path, count: int) -> list[tuple[Path, dict[str, list[Box]]]]:
    """Some test scenes with the boxes of their classes."""
    coco = json.loads((folder / "boxes.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in coco["categories"]}
    boxes: dict[int, dict[str, list[Box]]] = defaultdict(lambda: defaultdict(list))
    for thing in coco["annotations"]:
        boxes[thing["image_id"]][names[thing["category_id"]]].append(tuple(thing["bbox"]))
    test = [image for image in coco["images"] if image["split"] == "test"]
    chosen = np.random.default_rng(0).permutation(len(test))[:count]
    return [(folder / test[i]["file_name"], boxes[test[i]["id"]]) for i in chosen]


def play(
    game: Game, models: dict[tuple[str, int], Model], file: Path, boxes: dict[str, list[Box]], tolerance: float
) -> None:
    """One scene: every method, kind and seed asked about the labels that are present."""
    first = next(iter(models.values()))
    prepared = first.read(file)
    features = evidence.features_of(first.network, prepared)
    size = (prepared.shape[1], prepared.shape[0])
    columns = [first.names.index(name) for name in boxes]
    covered = falls(lambda images: side_by_side(models, images), prepared)[:, None]
    covered = covered.reshape(len(models), len(first.names), *covered.shape[2:])
    for place, ((name, seed), model) in enumerate(models.items()):
        with torch.no_grad():
            logits = model.network.head.scores(features).numpy()
        predicted = model.classes.decide(logits)[0, columns]
        maps = {"gradient": evidence.gradient(model.network, features, columns), "occlusion": covered[place][columns]}
        if evidence.chosen(model.network, features) == "own":
            maps["own"] = evidence.own(model.network, features)[columns]
        for kind, found in maps.items():
            for heat, column, some, also in zip(found, columns, boxes.values(), predicted):
                hit = hits(hottest(heat, size), some, tolerance=tolerance)
                game[name, kind, seed].append((hit, column, bool(also)))
    for seed in {seed for _, seed in models}:
        rng = np.random.default_rng([seed, len(game["a random point", "", seed])])
        for column, some in zip(columns, boxes.values()):
            point = tuple(rng.uniform(0, size))
            game["a random point", "", seed].append((hits(point, some, tolerance=tolerance), column, False))
    middle = (size[0] / 2, size[1] / 2)
    for column, some in zip(columns, boxes.values()):
        game["the middle", "", 0].append((hits(middle, some, tolerance=tolerance), column, False))


def side_by_side(models: dict[tuple[str, int], Model], images: np.ndarray) -> np.ndarray:
    """(B, M * C) logits of all M models, which share the encoder."""
    with torch.inference_mode():
        features = next(iter(models.values())).network.forward.features(torch.from_numpy(images))
        return np.concatenate([model.network.head.scores(features).numpy() for model in models.values()], axis=1)


def table(game: Game, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each method, kind and seed."""
    rows = []
    for (name, kind, seed), outcomes in game.items():
        also = [one for one in outcomes if one[2]]
        row: dict[str, Any] = {"method": name, "kind": kind, "seed": seed, "scenes": options.images}
        row |= {"labels": len(outcomes), "all": share(outcomes), "labels_predicted": len(also) or ""}
        rows.append(row | {"predicted": share(also) if also else "", "tolerance": options.tolerance})
    return rows


def share(outcomes: list[tuple[bool, int, bool]]) -> float:
    return round(accuracy([hit for hit, _, _ in outcomes], [column for _, column, _ in outcomes]), 5)


if __name__ == "__main__":
    main()
