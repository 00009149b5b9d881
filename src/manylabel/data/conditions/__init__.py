"""Label conditions: ONE FILE PER CONDITION, file name = condition name = what `manylabel condition --to` takes.

Each holds `apply(dataset, *, seed=0, ..., parts="train") -> Dataset`: a pure function from dataset to dataset. What it
draws hangs on the seed, the ids of the images and the names of the classes only, so the order of the rows does not
matter, and an image keeps its draw when others come or go. It touches the rows of `parts` and no others, adds a note,
and adds a line of provenance with its name, parameters and seed, so that a file says how its labels were made. A
condition that is applied a second time draws anew. A new condition is one file here and one test.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from manylabel.data.conditions._change import history
from manylabel.data.dataset import Dataset
from manylabel.labels import ABSENT, PRESENT, LabelTable, ManylabelError, did_you_mean

__all__ = ["apply", "compose", "example", "find", "history", "names", "options"]


def names() -> list[str]:
    """The conditions there are.

    >>> {"partial", "single_positive", "long_tail"} <= set(names())
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find(name: str) -> ModuleType:
    """The module of a condition; a typo names the nearest.

    >>> find("single-positive").__name__
    'manylabel.data.conditions.single_positive'
    """
    word = name.strip().lower().replace("-", "_")
    if word not in names():
        raise ManylabelError(f"there is no label condition {name!r}.{did_you_mean(word, names())}")
    return importlib.import_module(f"{__name__}.{word}")


def options(name: str) -> dict[str, Any]:
    """The options of a condition with their defaults, but for the seed.

    >>> options("partial")
    {'rate': 0.1, 'by': 'cell', 'negatives': 'rate', 'parts': 'train'}
    """
    given = inspect.signature(find(name).apply).parameters.values()
    return {one.name: one.default for one in given if one.name not in ("dataset", "seed")}


def apply(dataset: Dataset, name: str, *, seed: int = 0, given: Mapping[str, Any] | None = None) -> Dataset:
    """A condition by its name; `given` are options of it. An option it does not have names the nearest.

    >>> found = apply(example(), "partial", given={"rate": 0.5})
    >>> found.beside.provenance
    ('condition partial {"rate": 0.5, "by": "cell", "negatives": "rate", "parts": "train", "seed": 0}',)
    """
    valid, chosen = options(name), dict(given or {})
    for option in chosen:
        if option not in valid:
            raise ManylabelError(f"condition {name} has no option {option!r}.{did_you_mean(option, valid)}")
    made: Dataset = find(name).apply(dataset, seed=seed, **chosen)
    return made


def compose(dataset: Dataset, steps: Sequence[tuple[str, Mapping[str, Any]]], *, seed: int = 0) -> Dataset:
    """Conditions one after another, each a (name, options), such as a long tail of which few cells are known.

    >>> found = compose(example(200), [("long_tail", {"ratio": 5}), ("partial", {"rate": 0.2})])
    >>> [name for name, _ in history(found)]
    ['long_tail', 'partial']
    """
    for name, given in steps:
        dataset = apply(dataset, name, seed=seed, given=given)
    return dataset


def example(images: int = 60) -> Dataset:
    """A dataset for examples: `images` rows (four of five in train), classes cat, dog and owl ever rarer, all known.

    >>> data = example()
    >>> data.labels.counts.tolist(), data.split[:5].tolist()
    ([30, 20, 12], ['train', 'train', 'train', 'train', 'test'])
    """
    row = np.arange(images)
    shown = np.stack([row % 2 == 0, row % 3 == 0, row % 5 == 1], axis=1)
    ids = tuple(f"{k:04d}.jpg" for k in row)
    labels = LabelTable(np.where(shown, PRESENT, ABSENT).astype(np.int8), ("cat", "dog", "owl"), ids)
    split = np.where(row % 5 == 4, "test", "train")
    return Dataset(
        labels, [Path("/photos", name) for name in ids], split, {}, Path("example"), "made", (), (0,) * images
    )
