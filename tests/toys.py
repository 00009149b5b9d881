"""Small synthetic sources that tests share: features with a learnable signal, labels of every condition."""

from __future__ import annotations

import numpy as np
import torch

from manylabel import methods
from manylabel.classes import Classes
from manylabel.encoders import Encoder
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, Vocabulary
from manylabel.loops.train import fit
from manylabel.model import Model
from manylabel.network import Network
from manylabel.parts.batch import Batch, Features
from manylabel.parts.settings import Settings

CLASSES, WIDTH, PATCHES, TEXT = 5, 12, 4, 8


class ToySource:
    """A `Source` in memory: each class has a direction, written into one patch of every image that holds it."""

    def __init__(self, count: int, condition: str = "mixed", *, seed: int = 0, classes: int = CLASSES) -> None:
        rng = np.random.default_rng(seed)
        truth = rng.random((count, classes)) < 0.4
        truth[np.arange(count), rng.integers(0, classes, count)] = True
        directions = np.random.default_rng(99).normal(size=(classes, WIDTH))
        grid = np.abs(rng.normal(size=(count, PATCHES, WIDTH))) * 0.3
        for row, column in np.argwhere(truth):
            grid[row, rng.integers(PATCHES)] += np.abs(directions[column])
        self.grid = torch.from_numpy(grid).float()
        self.labels = torch.from_numpy(hide(np.where(truth, PRESENT, ABSENT), condition, rng).astype(np.int8))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: np.ndarray, epoch: int = 0) -> Batch:
        where = torch.from_numpy(np.asarray(index))
        grid = self.grid[where]
        return Batch(Features(grid, grid.mean(1), (2, PATCHES // 2)), self.labels[where], where)

    def pooled(self) -> torch.Tensor:
        return self.grid.mean(1)


def hide(state: np.ndarray, condition: str, rng: np.random.Generator) -> np.ndarray:
    """The labels under a condition: full, mixed (a third unknown), single (one positive a row), unlabelled."""
    if condition == "full":
        return state
    if condition == "mixed":
        return np.where(rng.random(state.shape) < 1 / 3, UNKNOWN, state)
    hidden = np.full_like(state, UNKNOWN)
    if condition == "single":
        for row in range(len(state)):
            hidden[row, rng.choice(np.flatnonzero(state[row] == PRESENT))] = PRESENT
    return hidden


def vocabulary(source: ToySource) -> Vocabulary:
    """Names, counts and unit text vectors for a toy source."""
    classes = source.labels.shape[1]
    text = np.random.default_rng(7).normal(size=(classes, TEXT)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    counts = (source.labels == PRESENT).sum(0).numpy().astype(np.int64)
    return Vocabulary(tuple(f"class {i}" for i in range(classes)), counts, text, images=len(source))


class Seeing(torch.nn.Module):
    """A network of one convolution for images: WIDTH channels on a grid, made positive as a ReLU network's are."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.conv = torch.nn.Conv2d(3, WIDTH, 8, stride=8)

    def forward(self, images: torch.Tensor) -> Features:
        x = torch.relu(self.conv(images))
        return Features(x.flatten(2).transpose(1, 2), x.mean((2, 3)), (x.shape[2], x.shape[3]))


def encoder(*, flip: bool = False) -> Encoder:
    """An encoder for images of 32 pixels that costs nothing."""
    half = (0.5, 0.5, 0.5)
    made = Encoder(Seeing(), "toy", width=WIDTH, image_size=32, statistics=(half, half))
    made.flip = flip
    return made.eval()


def model(name: str, *, flip: bool = False) -> Model:
    """A trained method of `toys` on that encoder, with thresholds, calibration and a hierarchy."""
    module, source = methods.load(name), ToySource(40, "full")
    torch.manual_seed(0)
    words = vocabulary(source)
    method = module.build(module.Config(), words, WIDTH)
    getattr(module, "train", fit)(method, source, ToySource(20, "full", seed=1), Settings(epochs=1, batch_size=10))
    rng = np.random.default_rng(3)
    classes = Classes(
        words.names, rng.normal(size=CLASSES), rng.uniform(0.5, 2, CLASSES), rng.normal(size=CLASSES),
        counts=words.counts, images=words.images, pairs=(("class 4", "class 0"), ("class 0", "thing")),
        aliases={"fourth": "class 3"}, decision={"rule": "f1"},
    )  # fmt: skip
    section = {"name": "toy", "image_size": 32, "finetune": False}
    return Model(Network(encoder(flip=flip), method.eval()), classes, {"encoder": section, "method": {"name": name}})
