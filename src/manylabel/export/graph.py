"""The whole of a model as one torch module: prepared images in; logits, probabilities and decisions out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from manylabel.hierarchy import ancestors
from manylabel.labels import ManylabelError
from manylabel.model import Model
from manylabel.network import Network

INPUT, OUTPUTS = "images", ("logits", "probabilities", "decisions")


class Answer(nn.Module):
    """Images (B, S, S, 3) uint8 to logits, calibrated probabilities and decisions, (B, C) each.

    As `Classes` makes them of logits, in float32: with a hierarchy a probability is at least that of every class
    below, and whatever lies above a class that is decided present is present.
    """

    above: Tensor | None

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network, classes = torch_network(model).forward, model.classes
        for name in ("thresholds", "temperatures", "biases"):
            self.register_buffer(name, torch.from_numpy(getattr(classes, name)).float())
        if np.isinf(classes.thresholds).any():  # no finite logit reaches it; some runtimes dislike infinities
            self.thresholds = self.thresholds.clamp(-torch.finfo().max, torch.finfo().max)
        closure = torch.from_numpy(ancestors(classes.parents)).float() if classes.pairs else None
        self.register_buffer("above", closure)  # (C, C): [c, a] says whether a is c or above it

    thresholds: Tensor
    temperatures: Tensor
    biases: Tensor

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(images)
        p = torch.sigmoid(logits / self.temperatures + self.biases)
        decided = logits >= self.thresholds
        if self.above is not None:
            p = torch.stack([(p * column).amax(1) for column in self.above.unbind(1)], 1)
            decided = decided.float() @ self.above > 0
        return logits, p, decided


def torch_network(model: Model) -> Network:
    """What is exported; a model that came out of an .onnx file is exported already."""
    if not isinstance(model.network, Network):
        raise ManylabelError("export takes a run or model folder; this is an .onnx file already")
    return model.network


def example(model: Model, images: int = 2) -> Tensor:
    """Black images of the right size."""
    size = model.network.image_size
    return torch.zeros((images, size, size, 3), dtype=torch.uint8)


def traced(model: Model) -> torch.export.ExportedProgram:
    """The program of `Answer` for any number of images."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    with torch.no_grad():
        return torch.export.export(Answer(model).eval(), (example(model),), dynamic_shapes=({0: batch},))
