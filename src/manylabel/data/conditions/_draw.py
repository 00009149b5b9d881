"""Draws that hang on seed, condition, image id and class name, never on where a row or column stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manylabel.data.dataset import Dataset

Floats = NDArray[np.float64]
BLOCK = 1 << 18  # cells drawn at once: what is worked on stays in the cache
CLASSES = 8  # classes drawn at once for all images
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: the step between streams


class Draws:
    """Uniform numbers in [0, 1), one for each image, or for each cell, in as many streams as are wanted.

    A number is the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) on the sum of a hash of the image, a
    hash of the class and a multiple of the golden ratio for the stream: any cell is drawn at once and alone.

    Arguments:
        name: the condition, which draws apart from every other, and anew each time it is applied.

    >>> from manylabel.data.conditions import example
    >>> data, at = example(4), np.arange(4)
    >>> one, other = Draws(data, "partial", 0), Draws(data.rows([2, 0]), "partial", 0)
    >>> bool((one.cells(at[[2, 0]], at[[1, 1]]) == other.cells(at[:2], at[[1, 1]])).all())
    True
    """

    def __init__(self, dataset: Dataset, name: str, seed: int) -> None:
        times = sum(line.startswith(f"condition {name} ") for line in dataset.beside.provenance)
        self.salt = f"{int(seed)} {name} {times}"
        self._images = _hashes(dataset.labels.ids, f"{self.salt} image")
        self._classes = _hashes(dataset.labels.names, f"{self.salt} class")

    def images(self, stream: int = 0) -> Floats:
        """(N,) a number for each image."""
        return _uniform(self._images + _step(stream + 1))

    def cells(self, rows: NDArray[np.integer], columns: NDArray[np.integer], stream: int = 0) -> Floats:
        """A number for each cell; integer `rows` and `columns` broadcast together."""
        return _uniform(self._images[rows] + self._classes[columns] + _step(stream))

    def block(self, some: slice, stream: int = 0) -> Floats:
        """(R, C) a number for each cell of some rows."""
        return _uniform(self._images[some, None] + self._classes + _step(stream))

    def generator(self, *words: str) -> np.random.Generator:
        """A generator for what concerns no image; one for each choice of words."""
        return np.random.default_rng(int.from_bytes(_digest("\x00".join(words), f"{self.salt} words"), "little"))


def _step(stream: int) -> np.uint64:
    return np.uint64(stream * GOLDEN % (1 << 64))


def _digest(word: str, salt: str) -> bytes:
    return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8, key=_key(salt)).digest()


def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode()).digest()  # of one length, however long the seed


def _hashes(words: Sequence[str], salt: str) -> NDArray[np.uint64]:
    """(N,) a number for each word."""
    start = hashlib.blake2b(digest_size=8, key=_key(salt))
    found = bytearray()
    for word in words:
        one = start.copy()
        one.update(word.encode("utf-8", "surrogatepass"))
        found += one.digest()
    return np.frombuffer(bytes(found), "<u8").astype(np.uint64)


def _uniform(bits: NDArray[np.uint64]) -> Floats:
    """Numbers in [0, 1) from 64 bits each, which are overwritten."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Blocks of whole rows of a table (N, C).

    >>> [(some.start, some.stop) for some in row_blocks((5, 1 << 17))]
    [(0, 2), (2, 4), (4, 5)]
    """
    rows = max(1, BLOCK // max(1, shape[1]))
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def lowest(keys: Floats, eligible: NDArray[np.bool_], number: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(R, K) mask of the `number` (R,) lowest keys among the eligible cells of each row, or all if those are fewer.

    >>> lowest(np.array([[0.3, 0.1, 0.2]]), np.array([[True, False, True]]), np.array([1])).tolist()
    [[False, False, True]]
    """
    keys = np.where(eligible, keys, np.inf)
    if not keys.size or number.max() <= 0:
        return np.zeros(keys.shape, bool)
    ordered = np.sort(keys, axis=1)
    last = np.clip(number, 1, keys.shape[1])[:, None] - 1
    return eligible & (keys <= np.take_along_axis(ordered, last, axis=1)) & (number > 0)[:, None]


def lowest_of(keys: Floats, groups: NDArray[np.integer], number: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(E,) mask of the number[g] lowest keys of each group g; `groups` (E,) are numbered from 0.

    >>> lowest_of(np.array([0.3, 0.1, 0.2]), np.array([1, 0, 1]), np.array([1, 1])).tolist()
    [False, True, True]
    """
    order = np.lexsort((keys, groups))
    of = groups[order]
    starts = np.searchsorted(of, np.arange(len(number)))
    chosen = np.zeros(len(keys), bool)
    chosen[order] = np.arange(len(keys)) - starts[of] < number[of]
    return chosen


def share_of(rate: float, number: ArrayLike) -> NDArray[np.int64]:
    """Whole numbers nearest to rate times `number`, halves upwards.

    >>> share_of(0.5, [1, 2, 3]).tolist()
    [1, 1, 2]
    """
    return np.floor(rate * np.asarray(number) + 0.5 + 1e-9).astype(np.int64)  # 0.1 * 5 is a half too
