"""Linear: one logistic regression a class on pooled features, with any objective.

The baseline every paper should be compared with. Pooled features are square-rooted and z-scored with statistics
of the training images. Reduction: the mean over B * C cells, unknown ones counting 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from torch import Tensor, nn

from manylabel import objectives
from manylabel.labels import Vocabulary
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.mixup import check_mixup, mixed_loss
from manylabel.parts.standardise import Standardise


@dataclass(frozen=True)
class Config:
    """What is minimised and how features are prepared."""

    objective: str = "bce"  # any of `manylabel objectives`
    options: Mapping[str, Any] = field(default_factory=dict)  # of the objective, such as gamma_negative
    root: bool = True  # signed square root of the features before the z-scores
    dropout: float = 0.0  # of features
    mixup: float = 0.0  # features of two images are mixed with a share drawn from Beta(mixup, mixup); 0: never


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "small": {"train": {"epochs": 20, "batch_size": 128, "lr": 5e-4, "weight_decay": 1.0}},
}


class Linear(Method):
    """Standardised pooled features times a (C, D) matrix plus a bias."""

    needs_grid = False

    def __init__(self, config: Config, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        self.standardise, self.mixup = Standardise(width, root=config.root), config.mixup
        linear = nn.Linear(width, len(vocabulary))
        nn.init.zeros_(linear.weight)  # a convex problem: start from no opinion rather than from noise
        nn.init.zeros_(linear.bias)
        self.classifier = nn.Sequential(nn.Dropout(config.dropout), linear)
        self.objective = objectives.load(
            config.objective, counts=vocabulary.counts, images=vocabulary.images, **config.options
        )

    def before_epoch(self, clock: Clock, train: Any) -> None:
        """Take the features' statistics, once."""
        if clock.epoch == 0:
            self.standardise.fit(train.pooled())

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits."""
        return self.classifier(self.standardise(inputs.pooled))

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) shares of the logit, see `Standardise.shares`; None where a hidden layer mixes the features, and
        where they are pooled otherwise than by the mean."""
        if len(self.classifier) > 2 or inputs.grid is None or not inputs.pooled_by_mean():
            return None
        return self.standardise.shares(inputs.grid, inputs.pooled, cast(Tensor, self.classifier[-1].weight))

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """{"loss": mean over B * C}."""
        inputs = cast(Features, batch.inputs)
        # mixed as the classifier sees them: the root of a mixture is not the mixture of the roots
        prepared = Features(None, self.standardise(inputs.pooled), None)
        return {"loss": mixed_loss(self._loss, prepared, batch.labels, self.mixup)}

    def _loss(self, prepared: Features) -> Callable[[Tensor], Tensor]:
        """What takes labels (B, C) to the loss of features that are rooted and z-scored."""
        scores = self.classifier(prepared.pooled)
        return lambda labels: self.objective(scores, labels).mean()


def build(config: Config, vocabulary: Vocabulary, width: int) -> Linear:
    """Linear classifiers for the classes of `vocabulary` on features of `width`."""
    check_mixup(config.mixup)
    return Linear(config, vocabulary, width)
