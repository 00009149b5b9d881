"""Decisions: from scores to yes or no, and to calibrated probabilities; one rule per file, numpy only.

A rule is fitted on validation scores and stored with the model; fitting one on test scores makes every number
that follows an "oracle" one. The file's name is the rule's name; the class inside bears the same name in capitals
(`f1` holds `F1`).
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean

CALIBRATORS = ("platt", "temperature", "beta", "isotonic")


class Decision(Protocol):
    """What turns scores into decisions.

    The calibrators `platt`, `temperature`, `beta` and `isotonic` have the same shape but give probabilities (N, C).
    """

    def fit(self, scores: NDArray[np.floating], labels: NDArray[np.int8]) -> Self:
        """Learn from (N, C) scores and int8 labels; unknown cells are left out. Returns self."""

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N, C) decisions."""

    def to_dict(self) -> dict[str, Any]:
        """What was learned, as JSON holds it, with its `rule`."""


def names() -> list[str]:
    """The rules there are, by reading this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def load(name: str) -> Any:
    """The class of a rule by its name; a typo names the nearest valid word.

    >>> load("f1").__name__
    'F1'
    """
    if name not in names():
        raise ManylabelError(f"there is no decision rule {name!r}.{did_you_mean(name, names())}")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    return getattr(importlib.import_module(f"{__name__}.{name}"), class_name)


def from_dict(data: dict[str, Any]) -> Any:
    """The rule that `to_dict` wrote, whichever it was; an error names what is missing or wrong.

    >>> from_dict({"rule": "fixed", "threshold": 0.5}).threshold
    0.5
    """
    if not isinstance(data, dict) or "rule" not in data:
        got = ", ".join(data) or "nothing" if isinstance(data, dict) else type(data).__name__
        raise ManylabelError(f"not a decision: expected a key 'rule', got {got}")
    try:
        return load(data["rule"]).from_dict(data)
    except KeyError as missing:
        raise ManylabelError(f"the rule {data['rule']!r} is kept without its {missing}; `to_dict` writes it") from None
    except ManylabelError:
        raise
    except (TypeError, ValueError) as error:
        raise ManylabelError(f"the rule {data['rule']!r} is not as `to_dict` writes it: {error}") from None
