"""Scores of a whole data set by a trained model, aligned with whatever labels the data set has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manylabel.data import Dataset
from manylabel.encoders.cache import encode
from manylabel.labels import UNKNOWN, LabelTable, ManylabelError, did_you_mean
from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource, ImageSource, Source
from manylabel.model import Model
from manylabel.network import Network
from manylabel.scores import ScoreFile


def score_dataset(model: Model, dataset: Dataset, *, split: str | None = None) -> tuple[ScoreFile, list[str]]:
    """The score file of `dataset`, or of one part of it, and notes on classes that did not match.

    A class the data set does not know gets unknown labels; a class the model does not know is left aside and
    named. Damaged images stop the work with their rows named.
    """
    if split is not None:
        if split not in set(dataset.split):
            parts = sorted(set(dataset.split.tolist()) - {""})
            raise ManylabelError(f"{dataset.source} has no part {split!r}.{did_you_mean(split, parts)}")
        dataset = dataset.rows(dataset.split == split)
    labels, notes = align(dataset.labels, model.names)
    scores = score(torch_network(model).method, source(model, dataset, labels))
    return ScoreFile(np.array(dataset.labels.ids), np.array(model.names), scores, "logit", labels), notes


def align(table: LabelTable, names: list[str]) -> tuple[NDArray[np.int8], list[str]]:
    """(N, C) labels in the order of `names`, unknown where the table does not have the class, and notes."""
    labels = np.full((len(table), len(names)), UNKNOWN, dtype=np.int8)
    where = {name: column for column, name in enumerate(table.names)}
    for column, name in enumerate(names):
        if name in where:
            labels[:, column] = table.state[:, where[name]]
    absent = [name for name in names if name not in where]
    aside = [name for name in table.names if name not in set(names)]
    notes = [f"the labels do not have {', '.join(absent)}: unknown"] if absent else []
    return labels, notes + ([f"the model does not know {', '.join(aside)}: left aside"] if aside else [])


def torch_network(model: Model) -> Network:
    """What scores whole data sets through the feature cache; an .onnx file has no such inside."""
    if not isinstance(model.network, Network):
        raise ManylabelError("scoring a data set needs a run or model folder, not an .onnx file")
    return model.network


def source(model: Model, dataset: Dataset, labels: NDArray[np.int8]) -> Source:
    """Cached features for a model on a frozen encoder; images for one with its own."""
    network = torch_network(model)
    if not network.frozen:
        return ImageSource(dataset.paths, labels, network.encoder)
    cached = encode(dataset.paths, network.encoder, precision=network.precision)
    if cached.errors:
        told = [f"{dataset.place(row)}: {reason}" for row, reason in sorted(cached.errors.items())[:20]]
        raise ManylabelError(f"{len(cached.errors)} images cannot be read:\n  " + "\n  ".join(told))
    return FeatureSource(cached, np.arange(len(dataset)), labels, grid=network.method.needs_grid)
