"""The lines of a LIBSVM file, and their index:value pairs as compressed rows, converted many lines at a time."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manylabel.delimited import encoding_of
from manylabel.labels import ManylabelError

BLOCK = 20_000  # lines converted at once
HEADER = re.compile(r"\s*(\d{1,18})\s+(\d{1,18})\s+(\d{1,18})\s*")
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Csr:
    """Features of N rows, only those that are listed being stored.

    Arguments:
        starts: (N + 1,) int64 where the features of each row start ("indptr").
        indices: (E,) int64 number of each feature, from 0: files that count from 1 are moved.
        values: (E,) float32, finite.
        width: D, the number of features.
    """

    starts: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[np.float32]
    width: int

    def dense(self) -> NDArray[np.float32]:
        """(N, D): for few features only."""
        table = np.zeros((len(self.starts) - 1, self.width), np.float32)
        table[np.repeat(np.arange(len(table)), np.diff(self.starts)), self.indices] = self.values
        return table


def header_of(path: Path) -> tuple[int, int, int] | None:
    """Images, features and classes, where the first line says them as files of the XMC repository do."""
    with path.open(encoding=encoding_of(path)) as stream:
        first = next((text for text in stream if text.strip() and not text.startswith("#")), "")
    found = HEADER.fullmatch(first.partition("#")[0].removeprefix("\ufeff"))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def rows_of(path: Path, header: tuple[int, int, int] | None) -> Iterator[tuple[int, str, str]]:
    """(line, what is before the comment, comment) of every image. Comments that fill a line are none; an empty line is
    one only where the header says that there are more."""
    rows, before = 0, header is not None
    with path.open(encoding=encoding_of(path)) as stream:
        for number, text in enumerate(stream, 1):
            text = text.rstrip("\r\n")
            empty = not text and (header is None or before or rows >= header[0])
            if empty or text.startswith("#"):
                continue
            if before:
                before = False
                continue
            rows += 1
            body, _, comment = text.partition("#")
            yield number, body, comment.strip()


def read_features(path: Path) -> Csr:
    """The features of all images; their rows are those that `load` finds."""
    header = header_of(path)
    counts, pairs = [0], [np.zeros((0, 2))]
    rows = rows_of(path, header)
    while block := [(number, _pairs(body)) for number, body, _ in islice(rows, BLOCK)]:
        counts += [text.count(":") for _, text in block]
        pairs.append(_numbers(path, block))
    flat = np.concatenate(pairs)
    indices, values = flat[:, 0].astype(np.int64), flat[:, 1].astype(np.float32)
    if header is None and len(indices) and indices.min() > 0:
        indices -= 1
    width = int(indices.max(initial=-1)) + 1
    if header is not None and width > header[1]:
        raise ManylabelError(f"{path}: the first line says {header[1]:,} features, but feature {width - 1} is listed")
    return Csr(np.cumsum(counts), indices, values, width if header is None else header[1])


def _pairs(text: str) -> str:
    """A line without its labels."""
    body = text.strip()
    while body and ":" not in (first := body.split(None, 1))[0]:
        body = first[1] if len(first) > 1 else ""
    return body


def _numbers(path: Path, lines: list[tuple[int, str]]) -> NDArray[np.float64]:
    """(E, 2) index and value of every pair; where they are not numbers, an error that names the line."""
    text = " ".join(body for _, body in lines if ":" in body)
    expected = 2 * text.count(":")
    found = _parsed(text)
    if found is not None and len(found) == expected and len(text.split()) * 2 == expected:
        pairs = found.reshape(-1, 2)
        index = np.where((pairs[:, 0] >= 0) & (pairs[:, 0] < 1 << 53), pairs[:, 0], 0.5)
        if ((index % 1 == 0) & (np.abs(pairs[:, 1]) < LARGEST)).all():  # NaN is not below it either
            return pairs
    if len(lines) > 1:  # the line is found by halves
        half = len(lines) // 2
        return np.concatenate([_numbers(path, lines[:half]), _numbers(path, lines[half:])])
    number, body = lines[0]
    raise ManylabelError(
        f"{path}, line {number}: expected features such as 7:0.5, the index whole and not negative, the value finite;"
        f" got {body[:60]!r}"
    )


def _parsed(text: str) -> NDArray[np.float64] | None:
    if not text:
        return np.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text.replace(":", " "), np.float64, sep=" ")
        except (DeprecationWarning, ValueError, RuntimeWarning):
            return None
