"""MLP: pooled features through one hidden layer, with any objective.

What a transformer head has to beat before its structure can be said to matter: features are prepared as for
`linear`, then Linear, GELU, dropout, Linear. Reduction: the mean over B * C cells, unknown ones counting 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from manylabel.labels import Vocabulary
from manylabel.methods.linear import Config as LinearConfig
from manylabel.methods.linear import Linear
from manylabel.parts.mixup import check_mixup


@dataclass(frozen=True)
class Config:
    """Width and regularisation."""

    hidden: int = 1024
    dropout: float = 0.5  # of features (a fifth of it) and of the hidden layer
    objective: str = "bce"  # any of `manylabel objectives`
    options: Mapping[str, Any] = field(default_factory=dict)  # of the objective
    mixup: float = 0.0  # features of two images are mixed with a share drawn from Beta(mixup, mixup); 0: never
    root: bool = True  # signed square root of the features before the z-scores


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "small": {"train": {"epochs": 12, "batch_size": 128, "lr": 2e-3, "weight_decay": 0.1}},
}


def build(config: Config, vocabulary: Vocabulary, width: int) -> Linear:
    """An MLP for the classes of `vocabulary` on features of `width`."""
    check_mixup(config.mixup)
    method = Linear(
        LinearConfig(objective=config.objective, options=config.options, root=config.root, mixup=config.mixup),
        vocabulary, width,
    )  # fmt: skip
    method.classifier = nn.Sequential(
        nn.Dropout(config.dropout / 5),
        nn.Linear(width, config.hidden),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.hidden, len(vocabulary)),
    )
    return method
