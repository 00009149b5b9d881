"""Damaged copies of a label file: what a full disk, a broken download or a careless script makes of it."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manylabel.data import read
from manylabel.labels import ManylabelError

ABSURD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1e308,
    0.5,
    "",
    "\u0000",
    "x" * 5000,
    [],
    [[]],
    {},
    {"a": []},
    [None],
)


def corruptions(data: bytes, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """(what was done, the bytes) for any file: cut off, bytes changed, lines lost or doubled, encodings mixed."""
    rng = random.Random(seed)
    yield "empty", b""
    yield "one blank line", b"\n"
    yield "binary", bytes(rng.randrange(256) for _ in range(300))
    yield "zip", b"PK\x03\x04" + data
    yield "zeros at the end", data[: len(data) // 2] + bytes(200)
    yield "utf-16", data.decode("utf-8", "replace").encode("utf-16")
    yield "latin-1 in the middle", data[: len(data) // 2] + "Ü-Boot é".encode("latin-1") + data[len(data) // 2 :]
    yield "twice", data + data
    for _ in range(8):
        cut = rng.randrange(1, max(2, len(data)))
        yield f"cut off at byte {cut}", data[:cut]
    for _ in range(12):
        place = rng.randrange(max(1, len(data)))
        yield f"byte {place} changed", data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
    lines = data.splitlines(keepends=True)
    for _ in range(4):
        place = rng.randrange(max(1, len(lines)))
        yield f"line {place} lost", b"".join(lines[:place] + lines[place + 1 :])
        yield f"line {place} twice", b"".join(lines[: place + 1] + lines[place:])
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    for absurd in (b"-1", b"1e308", b"1e999", b"NaN", b"99999999999999999999", b"", b"x", b"0.5"):
        if numbers:
            one = rng.choice(numbers)
            yield f"number at {one.start()} made {absurd!r}", data[: one.start()] + absurd + data[one.end() :]


def json_corruptions(data: Any, seed: int = 0, limit: int = 400) -> Iterator[tuple[str, bytes]]:
    """(what was done, the bytes) for JSON: each field in turn lost, doubled, or of another type or an absurd value."""
    rng = random.Random(seed)
    places = list(_places(data, ()))
    made = [(place, absurd) for place in places for absurd in (*ABSURD, KeyError, IndexError)]
    for place, absurd in made if len(made) <= limit else rng.sample(made, limit):
        broken = copy.deepcopy(data)
        inner = broken
        for key in place[:-1]:
            inner = inner[key]
        if absurd is KeyError:
            del inner[place[-1]]
        elif absurd is IndexError:
            if not isinstance(inner, list):
                continue
            inner.append(inner[place[-1]])
        else:
            inner[place[-1]] = absurd
        word = {KeyError: "lost", IndexError: "twice"}.get(absurd) if isinstance(absurd, type) else repr(absurd)[:20]
        yield f"{'/'.join(map(str, place))}: {word}", json.dumps(broken).encode()


def _places(data: Any, before: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield (*before, key)
        yield from _places(value, (*before, key))


def survives(path: Path, what: str, **options: Any) -> str:
    """Read a damaged file; "error" for a `ManylabelError` that names a file, "read" otherwise. Nothing else may happen.

    Arguments:
        path: the file or folder given to `read`.
        what: the damage, for the message where something else happens.
    """
    said = ""
    try:
        read(path, **options)
    except ManylabelError as problem:
        said = str(problem)
    except Exception as problem:
        raise AssertionError(f"{what}: {type(problem).__name__}: {problem}") from problem
    assert not said or path.name in said or str(path.parent) in said, (what, said)
    return "error" if said else "read"
