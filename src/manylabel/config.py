"""From defaults, preset, file and command line to one resolved, checked configuration.

Later wins: the dataclass defaults, the method's preset, a TOML file, `--set section.key=value`. A key nobody
knows and a value of the wrong type are errors that name the nearest valid key.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from manylabel.labels import ManylabelError, did_you_mean

T = TypeVar("T")


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file as nested dicts; a missing or malformed one is an error that names it."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManylabelError(f"there is no file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManylabelError(f"{path} is not valid TOML: {error}") from None


def parse_set(items: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`["method.tau=0.25", "train.options.gamma_negative=2"]` as nested dicts; values are TOML, else plain text.

    >>> parse_set(["method.tau=0.25", "method.objective=asl", "method.options.clip=0"])
    {'method': {'tau': 0.25, 'objective': 'asl', 'options': {'clip': 0}}}
    """
    nested: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        path = key.strip().split(".")
        if not equals or len(path) < 2 or not all(path):
            raise ManylabelError(f"--set wants section.key=value, such as method.tau=0.25; got {item!r}")
        node = nested
        for part in path[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ManylabelError(f"--set {item}: {part!r} was already set to the value {node!r}")
        if isinstance(node.get(path[-1]), dict):
            raise ManylabelError(f"--set {item}: values inside {path[-1]!r} were already set")
        node[path[-1]] = parse_value(text.strip())
    return nested


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none.

    >>> parse_value("1e-3"), parse_value("true"), parse_value("asl"), parse_value("[0.1, 1]")
    (0.001, True, 'asl', [0.1, 1])
    """
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts laid over each other, the later above.

    >>> merge({"train": {"lr": 1, "epochs": 2}}, {"train": {"lr": 3}})
    {'train': {'lr': 3, 'epochs': 2}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = merge(merged[key], value) if both else value
    return merged


def fill(cls: type[T], values: Mapping[str, Any], section: str) -> T:
    """An instance of a dataclass from a dict, every key and type checked.

    >>> from manylabel.parts.settings import Settings
    >>> fill(Settings, {"epochs": 3, "lr": 1}, "train").lr
    1.0
    """
    hints = typing.get_type_hints(cls)
    checked = {}
    for key, value in values.items():
        if key not in hints:
            raise ManylabelError(f"there is no {section}.{key}.{did_you_mean(key, hints)}")
        checked[key] = _checked(value, hints[key], f"{section}.{key}")
    return cls(**checked)


def _checked(value: Any, hint: Any, where: str) -> Any:
    """`value` if it fits `hint`; an int serves as a float, a list as a tuple."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return None if value is None else _checked(value, options[0], where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_checked(item, typing.get_args(hint)[0], where) for item in value)
    if origin is not None and isinstance(value, Mapping):
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ManylabelError(f"{where} is of type {getattr(hint, '__name__', hint)}, got {value!r}")


def command_line() -> str:
    """The command that is running, as a shell would take it again."""
    return shlex.join(["manylabel", *sys.argv[1:]])


def as_plain(config: Any) -> dict[str, Any]:
    """A dataclass as a dict that TOML and JSON can hold: tuples as lists, None left out."""
    plain = dataclasses.asdict(config)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items() if v is not None}
