"""Kernel ridge: least squares in the space of a Laplace kernel, in closed form, on pooled features.

A second yardstick, and what CPRFL's `frozen` preset is anchored on: it bends where `ridge` is straight, has nothing
to tune by gradient, and needs no validation image, because every prediction of a training image by the other images
comes in closed form too. From these leave-one-out predictions it takes its penalty (the largest mAP) and, class by
class, the map to the logit scale (Platt 1999). Features are square-rooted and z-scored; an unknown cell takes no
part in its class's system.

    k(x, x') = exp(-gamma |x - x'| / sqrt(D))
    f_c = argmin  sum over known i of (y_ic - f(x_i))^2  +  penalty |f|^2,   f(x) = mean_c + sum_j k(x, x_j) v_jc

Every training image is kept as a landmark x_j, up to `landmarks` of them; beyond that a random choice spans f
(Nystroem). Sources: Saunders et al., ICML 1998 (kernel ridge); Rahimi and Recht's sequel Rudi et al., NIPS 2015
(landmarks).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manylabel.labels import PRESENT, UNKNOWN, ManylabelError, Vocabulary
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.held_out import filled, logit_scale, mean_ap
from manylabel.parts.settings import Fit, Settings
from manylabel.parts.standardise import Standardise


@dataclass(frozen=True)
class Config:
    """Kernel and penalties."""

    gamma: float = 1.0  # the kernel's inverse width; distances between z-scored features are about sqrt(2 D)
    penalties: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)  # the largest leave-one-out mAP wins
    landmarks: int = 10_000  # training images kept at most; cost grows with their cube
    root: bool = True  # signed square root of the features before the z-scores


class KernelRidge(Method):
    """Landmarks (M, D) in half precision, their coefficients (M, C) and biases (C,), all buffers."""

    needs_grid = False
    frozen_only = True
    landmarks: Tensor
    coefficients: Tensor
    bias: Tensor

    def __init__(self, config: Config, images: int, classes: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.standardise = Standardise(width, root=config.root)
        kept = min(images, config.landmarks)
        self.register_buffer("landmarks", torch.zeros(kept, width, dtype=torch.float16))
        self.register_buffer("coefficients", torch.zeros(kept, classes))
        self.register_buffer("bias", torch.zeros(classes))

    def distances(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, M) of standardised x (N, D) and y (M, D); in double precision, as the difference of large squares under a
        root is a poor distance to a near landmark in single."""
        x, y = x.double(), y.double()
        squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
        # not 0: at a landmark itself the root would have no gradient, and `explain` asks for one
        return squares.clamp(min=1e-20).sqrt()

    def kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, M) kernel values of standardised x (N, D) and y (M, D), in double precision."""
        return torch.exp(self.distances(x, y) * (-self.config.gamma / math.sqrt(x.shape[1])))

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits."""
        x = self.standardise(inputs.pooled)
        return self.kernel(x, self.landmarks).to(x.dtype) @ self.coefficients + self.bias

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) shares of the logit: those of the slope on the way from the mean training image to this one.

        Integrated gradients (Sundararajan et al., ICML 2017) in the space of the z-scores z, where that image is 0:

            w_c = mean over t in (0, 1) of df_c/dz (t z)     w_c . z = f_c(z) - f_c(0)

        `Standardise.shares` divides w_c . z among the patches, as of a linear classifier. None where features are not
        pooled by the mean.
        """
        if inputs.grid is None or not inputs.pooled_by_mean():
            return None
        weight = self.slopes(self.standardise(inputs.pooled)).to(inputs.grid.dtype)
        return self.standardise.shares(inputs.grid, inputs.pooled, weight)

    def slopes(self, z: Tensor, steps: int = 32) -> Tensor:
        """(B, C, D) mean slope of the logits between 0 and z (B, D), from the middles of so many steps.

        dk/dx = -gamma / sqrt(D) * k / |x - x_j| * (x - x_j), in which only k and the distance change along the way.
        """
        rate = -self.config.gamma / math.sqrt(z.shape[1])
        near = far = torch.zeros(len(z), len(self.landmarks), dtype=torch.float64, device=z.device)  # (B, M)
        for t in ((step + 0.5) / steps for step in range(steps)):
            away = self.distances(t * z, self.landmarks)
            pull = torch.exp(rate * away) / away / steps
            near, far = near + pull, far + t * pull
        v, landmarks = self.coefficients.double(), self.landmarks.double()
        towards = torch.stack([(v * one[:, None]).T @ landmarks for one in near])  # (B, C, D)
        return rate * ((far @ v)[:, :, None] * z.double()[:, None] - towards)

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """{"squares": mean over B * C of (score - label)^2 in units of -1 and +1}; for information only."""
        error = self.scores(batch.inputs) - batch.labels  # type: ignore[arg-type]
        return {"squares": torch.where(batch.labels == UNKNOWN, 0.0, error.square()).mean()}

    @torch.no_grad()
    def solve(self, train: Any, seed: int = 0) -> dict[str, float]:
        """Take landmarks, penalty, coefficients and scale from a training source.

        Returns the penalty, and of the leave-one-out predictions the mAP and the mean square error.
        """
        self.standardise.fit(train.pooled())
        x = self.standardise(train.pooled().to(self.bias.device))
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[: len(self.landmarks)]
        self.landmarks.copy_(x[order.sort().values.to(x.device)])
        landmarks = self.landmarks.double().cpu()
        x = x.cpu().half().double()  # landmarks are stored in half precision: the training images are then the same
        system = System(self.kernel(x, landmarks), self.kernel(landmarks, landmarks), train.labels)
        penalty, left_out, value = system.choose(self.config.penalties)
        coefficients = system.coefficients(penalty)
        slope, shift = logit_scale(left_out, train.labels)
        self.coefficients.copy_(coefficients * slope)
        self.bias.copy_(system.mean * slope + shift)
        error = (left_out - (train.labels == PRESENT).double())[train.labels != UNKNOWN].square().mean()
        return {"loss": float(error), "penalty": penalty, "left_out_map": value}


class System:
    """The least-squares problem of all classes.

    Arguments:
        cross: (N, M) kernel of training images and landmarks; with every image a landmark it is `own`.
        own: (M, M) kernel of the landmarks.
        labels: (N, C) int8.
    """

    def __init__(self, cross: Tensor, own: Tensor, labels: Tensor) -> None:
        self.cross, self.own, self.exact = cross, own, len(cross) == len(own)
        self.known = (labels != UNKNOWN).to(cross.dtype)
        present = (labels == PRESENT).to(cross.dtype)
        self.mean = present.sum(0) / self.known.sum(0).clamp(min=1)  # (C,)
        self.labels, self.target = labels, (present - self.mean) * self.known  # (N, C)

    def factor(self, penalty: float) -> Tensor:
        """Cholesky factor of the system in which every cell is known: (N, N) where exact, else (M, M)."""
        if self.exact:
            return torch.linalg.cholesky(self.own + penalty * torch.eye(len(self.own), dtype=self.own.dtype))
        jitter = 1e-9 * len(self.cross) * torch.eye(len(self.own), dtype=self.own.dtype)
        return torch.linalg.cholesky(self.cross.T @ self.cross + penalty * self.own + jitter)

    def left_out(self, penalty: float) -> Tensor:
        """(N, C) predictions of each image by the others (Allen 1974); unknown cells stand at their class's mean."""
        factor = self.factor(penalty)
        y = filled(self.labels, self.own.dtype) - self.mean
        if self.exact:  # y_i - p_(-i) = (A^-1 y)_i / (A^-1)_ii
            inverse = torch.cholesky_inverse(factor)
            return self.mean + y - (inverse @ y) / inverse.diagonal()[:, None]
        basis = torch.linalg.solve_triangular(factor, self.cross.T, upper=False)  # (M, N), hat matrix B'B
        leverage = basis.square().sum(0).clamp(max=1 - 1e-6)
        return self.mean + y - (y - basis.T @ (basis @ y)) / (1 - leverage)[:, None]

    def choose(self, penalties: tuple[float, ...]) -> tuple[float, Tensor, float]:
        """The penalty of the largest leave-one-out mAP, its predictions and that mAP (NaN without labels)."""
        best: tuple[float, Tensor, float] | None = None
        for penalty in penalties:
            predictions = self.left_out(penalty)
            value = mean_ap(predictions, self.labels)
            if best is None or value > best[2]:
                best = (penalty, predictions, value)
        assert best is not None
        return best

    def coefficients(self, penalty: float, *, tolerance: float = 1e-8, steps: int = 500) -> Tensor:
        """(M, C) coefficients: at once where all cells are known, else by conjugate gradients, all classes together.

        What the known cells alone determine differs from class to class; the factor of the fully known system makes
        the gradients converge in a few steps.
        """
        factor = self.factor(penalty)
        right = self.target if self.exact else self.cross.T @ self.target
        if bool((self.known == 1).all()):
            return torch.cholesky_solve(right, factor)
        v = torch.zeros_like(right)
        residual = right.clone()
        direction = ahead = self._ahead(residual, factor)
        energy = (residual * ahead).sum(0)
        limit = tolerance * right.norm(dim=0)
        for _ in range(steps):
            if bool((residual.norm(dim=0) <= limit).all()):
                break
            image = self._apply(direction, penalty)
            rate = energy / (direction * image).sum(0).clamp(min=1e-300)
            v += rate * direction
            residual -= rate * image
            ahead = self._ahead(residual, factor)
            before, energy = energy, (residual * ahead).sum(0)
            direction = ahead + energy / before.clamp(min=1e-300) * direction
        return v

    def _apply(self, v: Tensor, penalty: float) -> Tensor:
        """The system matrix of each class times its column of v (M, C)."""
        if self.exact:
            return self.known * (self.own @ (self.known * v)) + penalty * v
        return self.cross.T @ (self.known * (self.cross @ v)) + penalty * (self.own @ v)

    def _ahead(self, residual: Tensor, factor: Tensor) -> Tensor:
        """The residual, preconditioned; an unknown cell of the exact system keeps coefficient 0."""
        ahead = torch.cholesky_solve(residual, factor)
        return self.known * ahead if self.exact else ahead


def build(config: Config, vocabulary: Vocabulary, width: int) -> KernelRidge:
    """Kernel ridge for the classes of `vocabulary`, whose `images` it may keep, on features of `width`."""
    if config.gamma <= 0 or config.landmarks < 1 or not config.penalties or min(config.penalties) <= 0:
        raise ManylabelError("method.gamma, method.landmarks and every one of method.penalties are above 0")
    return KernelRidge(config, vocabulary.images, len(vocabulary), width)


def train(
    method: KernelRidge, train: Any, val: Any, settings: Settings, *,
    fabric: Any = None, folder: Any = None, resume: bool = False, progress: Any = None,
) -> Fit:  # fmt: skip
    """Solve; needs no loop, so nothing is checkpointed. Arguments as for the common loop."""
    started = time.monotonic()
    solved = method.solve(train, settings.seed)
    val_map = math.nan
    if val is not None and len(val):
        pooled = val.pooled().split(256)
        val_map = mean_ap(torch.cat([method.scores(Features(None, part, None)) for part in pooled]), val.labels)
    row = {"epoch": 0, **solved, "val_map": val_map, "seconds": round(time.monotonic() - started, 3)}
    return Fit([row], 0, val_map, "complete")
