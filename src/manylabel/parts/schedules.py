"""Schedules as plain functions of where training stands; nothing to save, so a resumed run cannot drift."""

from __future__ import annotations

import math


def one_cycle(step: int, steps: int, *, warmup: float = 0.1) -> tuple[float, float]:
    """Learning-rate factor and Adam's beta1 of the one-cycle policy (Smith and Topin 2019; torch's OneCycleLR).

    The factor rises along a cosine from 1/25 to 1 over the first `warmup` share of the steps, then falls to
    1/250,000; beta1 goes 0.95, 0.85, 0.95. Equal to torch's at any length that torch accepts, and defined for
    runs of a few steps, where torch's is not.

    >>> [round(one_cycle(step, 20, warmup=0.1)[0], 3) for step in (0, 1, 10, 19)]
    [0.04, 1.0, 0.5, 0.0]
    """
    top, end = max(warmup * steps - 1, 0.0), steps - 1
    if step < top:
        share = step / top
        return _cosine(1 / 25, 1.0, share), _cosine(0.95, 0.85, share)
    share = (step - top) / max(end - top, 1)
    return _cosine(1.0, 1 / 25e4, share), _cosine(0.85, 0.95, share)


def _cosine(start: float, stop: float, share: float) -> float:
    return stop + (start - stop) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
