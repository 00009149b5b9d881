"""Options of conditions, checked: a wrong one is named with what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.labels import ManylabelError, did_you_mean

Rates = float | Mapping[str, float]


def number(what: str, value: Any, *, least: float = 0.0, most: float = float("inf")) -> float:
    """A number in [least, most].

    >>> number("rate", 1.5, most=1)
    Traceback (most recent call last):
    manylabel.labels.ManylabelError: rate: expected a number from 0 to 1, got 1.5
    """
    plain_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not plain_number or not np.isfinite(value) or not least <= value <= most:
        raise ManylabelError(f"{what}: expected {_range(least, most)}, got {value!r}")
    return float(value)


def _range(least: float, most: float) -> str:
    return f"a number from {least:g} to {most:g}" if most < float("inf") else f"a number of at least {least:g}"


def whole(what: str, value: Any, *, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ManylabelError(f"{what}: expected a whole number of at least {least}, got {value!r}")
    return int(value)


def word(what: str, value: Any, valid: Iterable[str]) -> str:
    """One of the valid words."""
    valid = list(valid)
    if value not in valid:
        raise ManylabelError(f"{what}: expected {' or '.join(valid)}, got {value!r}.{did_you_mean(str(value), valid)}")
    return str(value)


def truth(what: str, value: Any) -> bool:
    """true or false."""
    if not isinstance(value, (bool, np.bool_)):
        raise ManylabelError(f"{what}: expected true or false, got {value!r}")
    return bool(value)


def classes(what: str, value: Any, names: Sequence[str]) -> list[int]:
    """The numbers of the classes named, each once; one name may stand alone."""
    place = {name: c for c, name in enumerate(names)}
    if not isinstance(value, (str, Sequence)):
        raise ManylabelError(f"{what}: expected names of classes, got {value!r}")
    wanted = [value] if isinstance(value, str) else list(value)
    for name in wanted:
        if not isinstance(name, str) or name not in place:
            raise ManylabelError(f"{what}: there is no class {name!r}.{did_you_mean(str(name), names)}")
    if len(set(wanted)) < len(wanted):
        raise ManylabelError(f"{what}: a class is named twice in {wanted}")
    return [place[name] for name in wanted]


def per_class(
    what: str, value: Any, names: Sequence[str], *, least: float = 0.0, most: float = 1.0
) -> NDArray[np.float64]:
    """(C,) one number for all classes, or an object of class and number, in which "*" stands for all others.

    >>> per_class("rate", {"cat": 0.5, "*": 0.1}, ["dog", "cat"])
    array([0.1, 0.5])
    """
    if not isinstance(value, Mapping):
        return np.full(len(names), number(what, value, least=least, most=most))
    own = {name: number(f"{what} of {name!r}", one, least=least, most=most) for name, one in value.items()}
    classes(what, [name for name in own if name != "*"], names)
    if "*" not in own and (lacking := [name for name in names if name not in own]):
        raise ManylabelError(f"{what}: class {lacking[0]!r} has none; name every class, or give '*' for all others")
    return np.array([own.get(name, own.get("*", 0.0)) for name in names], np.float64)


def plain(value: Rates) -> float | dict[str, float]:
    """A number, or one for each class, as JSON holds it."""
    return {name: float(one) for name, one in value.items()} if isinstance(value, Mapping) else float(value)
