"""One file per method: the file's name is the method's name on the command line and in the docs.

A method file holds a frozen dataclass `Config`, a function `build(config, vocabulary, width)` that returns a
`Method`, and optionally `PRESETS` (named settings; the first is the default), `NEEDS_TEXT = True` where it reads
`vocabulary.text` (and `TEXT_OPTIONAL = True` where it can do without), and its own `train`, with the arguments of
`loops.train.fit`, where the common loop does not fit.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from manylabel.labels import ManylabelError, did_you_mean
from manylabel.parts.batch import Batch, Clock, Features


class Method(nn.Module):
    """What every method is to the loop: a module whose forward is its loss.

    The loss is the forward pass so that data-parallel wrappers synchronise everything that learns, a learnable
    objective included.
    """

    needs_grid = True
    """Whether `Features.grid` is read; pooled-only methods are spared loading it."""

    frozen_only = False
    """Whether something in it is fitted once to features that training the encoder would move."""

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Named scalar losses; the loop minimises their sum."""
        raise TypeError(f"{type(self).__name__} must define forward(batch, clock)")

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits."""
        raise TypeError(f"{type(self).__name__} must define scores(inputs)")

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) of how much each patch of the grid speaks for each class, or None where the method cannot say.

        Any scale; below 0 a patch speaks against the class. `manylabel explain` shows it. By default None.
        """
        return None

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimiser groups, each with its peak `lr`; by default everything trainable at `lr`."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": lr}]

    def before_epoch(self, clock: Clock, train: Any) -> None:
        """Called before each epoch with the training set; by default nothing."""

    def after_step(self, clock: Clock) -> None:
        """Called after each optimiser step; by default nothing."""


def names() -> list[str]:
    """The methods there are, by reading this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """The module of a method by its name; a typo names the nearest valid word."""
    if name not in names():
        raise ManylabelError(f"there is no method {name!r}.{did_you_mean(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def check_text(vocabulary: Any, method: str) -> Tensor:
    """The (C, M) label vectors of a vocabulary, or an error that says how to give some."""
    if vocabulary.text is None:
        raise ManylabelError(
            f"method {method!r} reads label text, and this vocabulary has none:"
            " give --text sentence, clip, random or an .npz file with names and emb"
        )
    return torch.from_numpy(vocabulary.text).float()
