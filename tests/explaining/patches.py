"""A tiny model whose patches are colours, so that tests know where a label stands: squares of colour on grey."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from manylabel import methods
from manylabel.classes import Classes
from manylabel.encoders import Encoder
from manylabel.labels import ABSENT, PRESENT, Vocabulary
from manylabel.loops.train import fit
from manylabel.model import Model
from manylabel.network import Network
from manylabel.parts.batch import Batch, Features
from manylabel.parts.settings import Settings

NAMES, SIDE, SIZE = ("red", "green", "blue"), 4, 16
COLOURS = np.array([(255, 40, 40), (40, 255, 40), (40, 40, 255)], np.uint8)
WIDTH = 6


class Colours(nn.Module):
    """Each of 4 x 4 patches: how far its mean colour lies above and below grey."""

    pooled_by_mean = True

    def forward(self, images: Tensor) -> Features:
        mean = nn.functional.adaptive_avg_pool2d(images, SIDE).flatten(2).transpose(1, 2)  # (B, 16, 3)
        grid = torch.cat([mean, -mean], dim=2).clamp(min=0)
        pooled = grid.mean(1) if self.pooled_by_mean else grid[:, 0] + 1
        return Features(grid, pooled, (SIDE, SIDE))


def encoder() -> Encoder:
    grey = (128 / 255,) * 3
    return Encoder(Colours(), "colours", width=WIDTH, image_size=SIZE, statistics=(grey, (0.2,) * 3)).eval()


def picture(places: dict[int, tuple[int, int]], seed: int = 0) -> np.ndarray:
    """(16, 16, 3) grey with faint noise, and for each class in `places` its colour in the patch (row, column)."""
    image = np.random.default_rng(seed).integers(118, 139, (SIZE, SIZE, 3)).astype(np.uint8)
    step = SIZE // SIDE
    for column, (row, across) in places.items():
        image[row * step : (row + 1) * step, across * step : (across + 1) * step] = COLOURS[column]
    return image


class Squares:
    """A `Source`: pictures with any of the classes, each in a patch of its own."""

    def __init__(self, count: int = 96, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        truth = rng.random((count, len(NAMES))) < 0.5
        images = []
        for number, row in enumerate(truth):
            cells = rng.permutation(SIDE * SIDE)[: len(NAMES)]
            images.append(picture({c: divmod(int(cells[c]), SIDE) for c in np.flatnonzero(row)}, number))
        with torch.no_grad():
            features = encoder()(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))
        self.grid, self.labels = features.grid, torch.from_numpy(np.where(truth, PRESENT, ABSENT).astype(np.int8))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: np.ndarray, epoch: int = 0) -> Batch:
        where = torch.from_numpy(np.asarray(index))
        return Batch(Features(self.grid[where], self.grid[where].mean(1), (SIDE, SIDE)), self.labels[where], where)

    def pooled(self) -> Tensor:
        return self.grid.mean(1)


SMALL = {
    "cprfl": {"width": 16, "heads": 2, "head_width": 8, "hidden": 16},
    "mldecoder": {"width": 16, "heads": 2, "hidden": 16, "dropout": 0.0},
    "mlp": {"hidden": 16, "dropout": 0.0},
}


def trained(name: str) -> Model:
    """A model of the method, trained on squares within a fraction of a second."""
    source, module = Squares(), methods.load(name)
    text = np.eye(len(NAMES), 8, dtype=np.float32)
    vocabulary = Vocabulary(NAMES, (source.labels == PRESENT).sum(0).numpy(), text, images=len(source))
    torch.manual_seed(0)
    method = module.build(module.Config(**SMALL.get(name, {})), vocabulary, WIDTH)
    settings = Settings(epochs=24, batch_size=32, lr=1e-2, patience=0)
    getattr(module, "train", fit)(method, source, None, settings)
    return model_of(method)


def model_of(method: methods.Method, coder: Encoder | None = None) -> Model:
    zeros, ones = np.zeros(len(NAMES)), np.ones(len(NAMES))
    return Model(Network(coder or encoder(), method.eval()), Classes(NAMES, zeros, ones, zeros))
