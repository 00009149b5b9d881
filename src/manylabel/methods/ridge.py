"""Ridge: least squares with a quadratic penalty, in closed form, on pooled features.

One second of algebra, and hard to beat on frozen features: the yardstick of every other method here. Features
are square-rooted and z-scored; targets are 1 and 0; an unknown cell takes no part in its class's system. Each
class's scores are then brought to the logit scale by a monotone map fitted on validation (Platt 1999), which
changes no ranking.

    w_c = argmin  sum over known i of (y_ic - x_i . w - b)^2  +  alpha * n_c * |w|^2
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manylabel.labels import PRESENT, UNKNOWN, Vocabulary
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.held_out import filled, logit_scale, mean_ap
from manylabel.parts.settings import Fit, Settings
from manylabel.parts.standardise import Standardise


@dataclass(frozen=True)
class Config:
    """The penalty; all its values are tried on validation, the largest mAP wins."""

    alphas: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # per training image; one value: no choice
    default: float = 0.3  # where there is no validation image to choose on
    root: bool = True  # signed square root of the features before the z-scores


class Ridge(Method):
    """Weights (C, D) and biases (C,) as buffers: nothing here is learnt by gradient."""

    needs_grid = False
    frozen_only = True
    weight: Tensor
    bias: Tensor

    def __init__(self, config: Config, classes: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.standardise = Standardise(width, root=config.root)
        self.register_buffer("weight", torch.zeros(classes, width))
        self.register_buffer("bias", torch.zeros(classes))

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits."""
        return self.standardise(inputs.pooled) @ self.weight.T + self.bias

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) shares of the logit, see `Standardise.shares`; None where features are not pooled by the mean."""
        if inputs.grid is None or not inputs.pooled_by_mean():
            return None
        return self.standardise.shares(inputs.grid, inputs.pooled, self.weight)

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """{"squares": mean over B * C of (score - label)^2 in units of -1 and +1}; for information only."""
        error = self.scores(batch.inputs) - batch.labels  # type: ignore[arg-type]
        return {"squares": torch.where(batch.labels == UNKNOWN, 0.0, error.square()).mean()}


def build(config: Config, vocabulary: Vocabulary, width: int) -> Ridge:
    """Ridge for the classes of `vocabulary` on features of `width`."""
    return Ridge(config, len(vocabulary), width)


def solve_known(x: Tensor, y: Tensor, penalties: list[float]) -> list[tuple[Tensor, Tensor]]:
    """Weights (C, D) and biases (C,) for each penalty, from x (N, D) and targets y (N, C), all cells known.

    One eigendecomposition serves all penalties; it is of the smaller of x'x and xx'.
    """
    mean_x, mean_y = x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    dual = len(x) < x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if dual else x.T @ x)
    right = vectors.T @ (y if dual else x.T @ y)
    solutions = []
    for penalty in penalties:
        inner = vectors @ (right / (values + penalty)[:, None])
        weight = ((x.T @ inner) if dual else inner).T
        solutions.append((weight, mean_y - weight @ mean_x))
    return solutions


def solve(x: Tensor, labels: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Weights (C, D) and biases (C,): classes with the same known rows share one system.

    Arguments:
        x: (N, D) standardised features, float64.
        labels: (N, C) int8; a class without a known cell gets weight 0 and bias 0.
        alpha: penalty per known row.
    """
    weight = torch.zeros(labels.shape[1], x.shape[1], dtype=x.dtype)
    bias = torch.zeros(labels.shape[1], dtype=x.dtype)
    known = labels != UNKNOWN
    gram = x.T @ x
    masks, group = torch.unique(known.T, dim=0, return_inverse=True)
    for number, mask in enumerate(masks):
        classes = torch.nonzero(group == number).flatten()
        if not mask.any():
            continue
        y = (labels[mask][:, classes] == PRESENT).to(x.dtype)
        weight[classes], bias[classes] = _solve_rows(x, gram, mask, y, alpha)
    return weight, bias


def _solve_rows(x: Tensor, gram: Tensor, mask: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """One system on the rows of `mask`; x'x of those rows by taking the fewer rows from or into account."""
    rows, count = x[mask], int(mask.sum())
    if count < x.shape[1]:
        return solve_known(rows, y, [alpha * count])[0]
    left_out = x[~mask]
    product = gram - left_out.T @ left_out if len(left_out) < count else rows.T @ rows
    mean_x, mean_y = rows.mean(0), y.mean(0)
    system = product - count * torch.outer(mean_x, mean_x)
    system.diagonal().add_(alpha * count)
    weight = torch.cholesky_solve(rows.T @ y - count * torch.outer(mean_x, mean_y), torch.linalg.cholesky(system)).T
    return weight, mean_y - weight @ mean_x


def choose_alpha(x: Tensor, train: Tensor, x_val: Tensor, val: Tensor, config: Config) -> tuple[float, float]:
    """The alpha of the largest validation mAP, and that mAP; for this choice alone unknown cells stand at their
    class's mean, which lets one decomposition serve all alphas."""
    best = (config.default, math.nan)
    solutions = solve_known(x, filled(train, x.dtype), [a * len(x) for a in config.alphas])
    for alpha, (weight, bias) in zip(config.alphas, solutions):
        value = mean_ap(x_val @ weight.T + bias, val)
        if (math.isnan(best[1]) and not math.isnan(value)) or value > best[1]:
            best = (alpha, value)
    return best


def leave_one_out(x: Tensor, y: Tensor, penalties: list[float]) -> list[Tensor]:
    """For each penalty the predictions (N, C) for each row by the solution without that row, in closed form.

    With the leverages h of the full solution, y_i - p_(-i) = (y_i - p_i) / (1 - h_i) (Allen 1974), from one
    decomposition of the smaller Gram matrix. Arguments as for `solve_known`.
    """
    mean_y = y.mean(0)
    centred, y = x - x.mean(0), y - mean_y
    dual = len(x) < x.shape[1]
    values, vectors = torch.linalg.eigh(centred @ centred.T if dual else centred.T @ centred)
    values = values.clamp(min=0)
    if dual:
        basis, strength = vectors, values  # (N, N): predictions are U diag(v / (v + a)) U'y
    else:
        basis, strength = centred @ vectors / values.clamp(min=1e-12).sqrt(), values  # (N, D)
    outcomes, squares = basis.T @ y, basis.square()
    predictions = []
    for penalty in penalties:
        shrunk = strength / (strength + penalty)
        leverage = (squares @ shrunk + 1 / len(x)).clamp(max=1 - 1e-6)  # the mean is fitted too
        residual = y - basis @ (shrunk[:, None] * outcomes)
        predictions.append(y - residual / (1 - leverage)[:, None] + mean_y)
    return predictions


def solve_alone(ridge: Ridge, train: Any) -> None:
    """Solve on a training source without any held-out image: the penalty of the largest leave-one-out mAP, and
    scores brought to the logit scale by a map fitted on leave-one-out predictions.

    Unknown cells stand at their class's mean in the leave-one-out predictions, and take no part in the solution.
    """
    pooled, labels = train.pooled(), train.labels
    ridge.standardise.fit(pooled)
    x = ridge.standardise(pooled.to(ridge.weight.device)).double().cpu()
    alphas = ridge.config.alphas
    left_out = leave_one_out(x, filled(labels, x.dtype), [alpha * len(x) for alpha in alphas])
    values = [mean_ap(prediction, labels) for prediction in left_out]
    best = max(range(len(alphas)), key=lambda i: -math.inf if math.isnan(values[i]) else values[i])
    alpha = ridge.config.default if math.isnan(values[best]) else alphas[best]
    weight, bias = solve(x, labels, alpha)
    slope, shift = logit_scale(left_out[best], labels)
    ridge.weight.copy_(weight * slope[:, None])
    ridge.bias.copy_(bias * slope + shift)


def train(
    method: Ridge, train: Any, val: Any, settings: Settings, *,
    fabric: Any = None, folder: Any = None, resume: bool = False, progress: Any = None,
) -> Fit:  # fmt: skip
    """Solve; needs no loop, so nothing is checkpointed. Arguments as for the common loop."""
    started = time.monotonic()
    pooled = train.pooled()
    method.standardise.fit(pooled)
    x = method.standardise(pooled).double()
    has_val = val is not None and len(val) > 0
    held = val if has_val else train
    x_held = method.standardise(held.pooled()).double()
    alpha, value = method.config.default, math.nan
    if has_val:
        alpha, value = choose_alpha(x, train.labels, x_held, held.labels, method.config)
    elif len(method.config.alphas) == 1:
        alpha = method.config.alphas[0]
    weight, bias = solve(x, train.labels, alpha)
    slope, shift = logit_scale((x_held @ weight.T + bias), held.labels)
    method.weight.copy_(weight * slope[:, None])
    method.bias.copy_(bias * slope + shift)
    loss = (x @ weight.T + bias - (train.labels == PRESENT).double())[train.labels != UNKNOWN].square().mean()
    row = {
        "epoch": 0, "loss": float(loss), "alpha": alpha, "val_map": value,
        "seconds": round(time.monotonic() - started, 3),
    }  # fmt: skip
    return Fit([row], 0, value, "complete")
