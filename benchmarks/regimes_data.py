"""What the bench of regimes is made of: the arms, which classes are rare, which photos they keep, label vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.encoders import text

Mask = NDArray[np.bool_]

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"
SHOTS = (0, 1, 2, 5, 10)
FEW = 15  # classes of a draw
FREQUENT = 8  # classes that are never drawn

# The unseen classes of the 65/15 split of COCO (Rahman, Khan & Barnes, "Polarity loss", arXiv 1811.08982).
KNOWN_SPLIT = (
    "airplane", "train", "parking meter", "cat", "bear", "suitcase", "frisbee", "snowboard", "fork", "sandwich",
    "hot dog", "toilet", "mouse", "toaster", "hair drier",
)  # fmt: skip


SMALL = {"width": 128, "heads": 2, "head_width": 64, "hidden": 128}
SHORT = {"epochs": 5, "patience": 0}  # as good on validation as 8 epochs stopped after two without gain, and annealed


@dataclass(frozen=True)
class Arm:
    """A method with its label vectors, over the values of k in `shots`; `options` lie over its preset `small`."""

    name: str
    method: str
    text: str = "none"
    options: dict[str, Any] = field(default_factory=dict)
    rates: str = ""  # the arm whose learning rate it takes; itself: it chooses; "": the preset's
    shots: tuple[int, ...] = SHOTS


CONTROL = (0, 1, 10)
QUERIES = {"queries": "text", "width": 128, "heads": 2, "hidden": 128, "dropout": 0.0}  # the size of CPRFL here
MLDECODER = {"method": QUERIES, "train": SHORT}
ARMS = [
    Arm("cprfl", "cprfl", "clip", {"method": SMALL, "train": SHORT}, "cprfl"),
    Arm("cprfl-random", "cprfl", "random", {"method": SMALL, "train": SHORT}, "cprfl", CONTROL),
    Arm("cprfl-apart", "cprfl", "clip", {"method": {**SMALL, "interact": False}, "train": SHORT}, "cprfl", CONTROL),
    Arm("mldecoder-glove", "mldecoder", "glove", MLDECODER, "mldecoder-glove"),
    Arm("mldecoder-clip", "mldecoder", "clip", MLDECODER, "mldecoder-clip", CONTROL),
    Arm("linear", "linear"),
    Arm("nearest-text", "nearest", "clip"),
    Arm("nearest-glove", "nearest", "glove"),
    Arm("ridge-text", "weights", "clip"),
]


def draws(names: Sequence[str], counts: NDArray[np.int64], seed: int = 0) -> list[Mask]:
    """Three (C,) masks of rare classes: the published split, and two disjoint draws, stratified by training count.

    Beyond the 8 most frequent, classes are ordered by count and cut into 15 strata; each gives one to either draw.
    """
    strata = np.array_split(np.argsort(-counts, kind="stable")[FREQUENT:], FEW)
    rng = np.random.default_rng(seed)
    drawn = np.array([rng.choice(stratum, 2, replace=False) for stratum in strata])  # (15, 2)
    classes = np.arange(len(names))
    return [np.isin(names, KNOWN_SPLIT), np.isin(classes, drawn[:, 0]), np.isin(classes, drawn[:, 1])]


def keep_few(present: Mask, shots: Sequence[int], seed: int) -> dict[int, NDArray[np.int64]]:
    """For each k of `shots` the photos to keep, so that every rare class has k of them, or fewer where it must.

    Greedy, the rarest class first, photos in one random order. A photo that shows several rare classes counts for all
    of them, and is passed over where one of them is full. The photos of a smaller k are among those of a larger.

    Arguments:
        present: (N, R) which photos show which rare class.
        shots: values of k.
        seed: of the order.
    """
    order = np.random.default_rng(seed).permutation(len(present))
    have = np.zeros(present.shape[1], np.int64)
    kept: list[int] = []
    result = {}
    for k in sorted(shots):
        for c in np.argsort(present.sum(axis=0), kind="stable"):
            for row in order[present[order, c]]:
                if have[c] >= k:
                    break
                if row not in kept and (have + present[row] <= k).all():
                    kept.append(int(row))
                    have += present[row]
        result[k] = np.sort(np.array(kept, np.int64))
    return result


def training_rows(rows: NDArray[np.int64], present: Mask, rare: Mask, seed: int) -> dict[int, NDArray[np.int64]]:
    """k -> those of the training photos `rows` that are left, `present` (N, C) telling what all N photos show."""
    shows = present[rows][:, rare]
    some = shows.any(axis=1)
    kept = keep_few(shows, SHOTS, seed)
    return {k: np.sort(np.concatenate([rows[~some], rows[kept[k]]])) for k in SHOTS}


def label_vectors(source: str, names: Sequence[str], seen: Mask, seed: int) -> NDArray[np.float32]:
    """(C, M) unit vectors of the names from "clip", "glove" or "random", centred on the mean of the seen classes.

    Whatever the regime: what is known of a rare class stays out of the vectors of the others.
    """
    if source == "random":
        table, _ = text.vectors(names, "random", seed=seed)
        assert table is not None
        return table
    return centred(raw_vectors(source, names), seen)


def centred(table: NDArray[np.float32], seen: Mask) -> NDArray[np.float32]:
    """Rows less the mean of the `seen` ones, scaled to length 1."""
    return text.unit(table - table[seen].mean(axis=0))


def raw_vectors(source: str, names: Sequence[str]) -> NDArray[np.float32]:
    """(C, M) vectors as the files give them."""
    listed, table = read_table(source)
    return table[text.match(names, listed, DATA / source)[0]]


def read_table(source: str) -> tuple[list[str], NDArray[np.float32]]:
    """All names and vectors of the CLIP or the GloVe file."""
    if source == "clip":
        return text.read_vectors(DATA / "text/clip_vitb32_1612_names.npz")
    lines = (DATA / "protocols/coco_labels.txt").read_text(encoding="utf-8").split("\n")
    return [line.rsplit(" ", 1)[0] for line in lines if line], np.load(DATA / "protocols/coco_glove300.npy")


def other_names(names: Sequence[str], number: int, seed: int) -> list[str]:
    """`number` names of the CLIP file that are not among `names`, in random order; fewer are the first of more."""
    taken = {text.fold(n) for n in names}
    left = sorted({n for n in read_table("clip")[0] if text.fold(n) not in taken})
    order = np.random.default_rng(seed).permutation(len(left))
    return [left[i] for i in order[:number]]
