"""Datasets made up to have everything a label file can say, with small photographs that exist."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from manylabel.data.beside import Beside, Cells
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, LabelTable

IMAGES = ("a.png", "b.png", "sub/c d.png", "sub/ü.png", "e.png", "deep/er/f.png")
NAMES = ("cat", "hot dog", "Ü-Boot", "street, wet", "n°1")
PARTS = ("", "train", "val", "test")


def photographs(folder: Path) -> None:
    """Six PNG files of 8 x 6 pixels, no two alike."""
    for k, name in enumerate(IMAGES):
        stream = io.BytesIO()
        Image.new("RGB", (8, 6), (40 * k, 255 - 40 * k, 9 * k)).save(stream, "PNG")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stream.getvalue())


@st.composite
def datasets(draw, folder: Path, *, rich: bool = True) -> Dataset:
    """Any dataset of up to six of the photographs in `folder`; with `rich` all that lies beside the table too."""
    images = draw(st.lists(st.sampled_from(IMAGES), min_size=1, unique=True))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    shape = len(images), len(names)
    state = np.array(draw(st.lists(st.sampled_from([ABSENT, UNKNOWN, PRESENT]), min_size=shape[0] * shape[1],
                                   max_size=shape[0] * shape[1])), np.int8).reshape(shape)  # fmt: skip
    split = np.array(draw(st.lists(st.sampled_from(PARTS), min_size=shape[0], max_size=shape[0])), dtype="<U5")
    site = st.sampled_from(["", "north", "a|b", "x, y"])
    columns = (
        {"site": np.array(draw(st.lists(site, min_size=shape[0], max_size=shape[0])))} if draw(st.booleans()) else {}
    )
    beside, state = draw(_beside(state, names)) if rich else (Beside(), state)
    return Dataset(
        LabelTable(state, tuple(names), tuple(images)), [folder / name for name in images], split, columns,
        folder / "made", "made", (), (0,) * shape[0], beside=beside,
    )  # fmt: skip


@st.composite
def _beside(draw, state, names):
    rows, columns = state.shape
    share = st.floats(0, 0.5).map(lambda v: round(v, 4))
    maybe = st.booleans()
    parts = {}
    cells = st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1)), min_size=1, unique=True)
    if draw(maybe):
        chosen = draw(cells)
        parts["soft"] = _cells(chosen, [draw(share) for _ in chosen], float)
    if draw(maybe):
        chosen = draw(cells)
        parts["candidates"] = _cells(chosen, np.zeros((len(chosen), 0)), np.int8)
    for kind in ("soft", "candidates"):
        if kind in parts:
            state[parts[kind].rows, parts[kind].columns] = UNKNOWN
    if draw(maybe):
        chosen = draw(cells)
        votes = [(draw(st.integers(0, 1)), draw(st.sampled_from([ABSENT, UNKNOWN, PRESENT]))) for _ in chosen]
        parts |= {"votes": _cells(chosen, votes, np.int64), "annotators": ("ann", "Bob B.")}
    if draw(maybe):
        chosen = draw(cells)
        boxes = [[draw(share), draw(share), 0.25, draw(share) + 0.01] for _ in chosen]
        words = tuple(draw(st.sampled_from(["", "crowd", "difficult|truncated"])) for _ in chosen)
        made = _cells(chosen, boxes, float)
        parts["boxes"] = Cells(made.rows, made.columns, made.values, words if any(words) else ())
    if draw(maybe):
        parts["reviewed"] = np.array([draw(st.booleans()) for _ in range(rows)])
    if draw(maybe):
        parts["sizes"] = np.full((rows, 2), (8, 6))
    if draw(maybe):
        parts["parents"] = ((names[0], "animal"),)
    if draw(maybe):
        parts["aliases"] = {"kitty": names[0]}
    if draw(maybe):
        parts["provenance"] = ("drawn by hand", "checked, twice")
    return Beside(**parts), state


def _cells(chosen, values, kind) -> Cells:
    rows, columns = np.array(chosen, np.int64).T
    return Cells(rows, columns, np.array(values, kind))
