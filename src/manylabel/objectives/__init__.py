"""Objectives: pure functions of (scores, labels), one per file; the file's name is the objective's name.

Each returns its loss unreduced, one value per cell (B, C), and is exactly 0, in value and in gradient, where the
label is UNKNOWN. Methods take the mean over all B * C cells; papers that sum differ by that factor. All are
computed in log space, so they and their gradients stay finite for scores up to 1e4 in float32.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from manylabel.labels import ManylabelError, did_you_mean

Objective = Callable[[Tensor, Tensor], Tensor]
"""(scores (B, C), labels (B, C) int8) -> losses (B, C)."""


def names() -> list[str]:
    """The objectives there are, by reading this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def load(name: str, *, counts: ArrayLike | None = None, images: int = 0, **options: Any) -> Objective:
    """An objective by its name, with its options bound; a typo names the nearest valid word.

    Arguments:
        counts: (C,) training positives of each class, for the objectives that weigh by them.
        images: number of training images, for the objectives that weigh by it.
        options: the objective's own keyword arguments.

    >>> load("asl", gamma_negative=2.0)(torch.zeros(1, 2), torch.tensor([[1, 0]], dtype=torch.int8))
    tensor([[0.6931, 0.0000]])
    """
    if name not in names():
        raise ManylabelError(f"there is no objective {name!r}.{did_you_mean(name, names())}")
    function = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    takes = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in takes:
            own = [word for word in takes if word not in ("counts", "images")]
            raise ManylabelError(f"objective {name!r} has no option {option!r}.{did_you_mean(option, own)}")
    if "counts" in takes:
        if counts is None:
            raise ManylabelError(f"objective {name!r} weighs classes by frequency: give counts (training positives)")
        options["counts"] = torch.as_tensor(np.asarray(counts), dtype=torch.float64)
    if "images" in takes:
        options["images"] = images
    return functools.partial(function, **options)


def check(scores: Tensor, labels: Tensor) -> Tensor:
    """The scores, half precision raised to float32 (as autocast does for losses); errors on shape and label type.

    Labels must be int8 because a table of 0 and 1 would otherwise be read as "unknown and present".
    """
    if scores.shape != labels.shape or scores.ndim != 2:
        raise ManylabelError(
            f"scores and labels must both be (images, classes), got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    if labels.dtype != torch.int8:
        raise ManylabelError(
            f"labels must be int8 of -1 absent, 0 unknown, 1 present, got {labels.dtype};"
            " LabelTable.from_values(...).state makes them from 0, 1 and NaN"
        )
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def class_counts(counts: Any, scores: Tensor) -> Tensor:
    """(C,) counts beside the scores; a class never seen in training counts as seen once, so that 1/n is finite."""
    tensor = torch.as_tensor(counts, dtype=scores.dtype, device=scores.device)
    if tensor.shape != scores.shape[1:]:
        raise ManylabelError(f"counts has shape {tuple(tensor.shape)} for {scores.shape[1]} classes")
    return tensor.clamp(min=1)
