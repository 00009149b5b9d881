"""A model as a `torch.export` program (.pt2): prepared images in; logits, probabilities and decisions out.

For programs in Python or C++ that have torch: `torch.export.load(path).module()(images)`, with images (B, S, S, 3)
uint8. labels.json and config.json are in the file too (`extra_files`).
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch

from manylabel.export.graph import traced
from manylabel.labels import ManylabelError
from manylabel.model import Model

FILES = ("labels.json", "config.json")


def write(model: Model, path: str | Path) -> Path:
    """Write the model of a run or model folder to `path`, which ends in .pt2."""
    path = Path(path)
    if path.suffix != ".pt2":
        raise ManylabelError(f"{path}: a torch.export program ends in .pt2")
    config = {k: v for k, v in model.about.items() if k != "metrics"}
    content = dict(zip(FILES, (model.classes.to_dict(), config)))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name("unfinished-" + path.name)
    extra = {name: json.dumps(value, ensure_ascii=False) for name, value in content.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found")  # weights that are views; they are all on the CPU
        torch.export.save(traced(model), unfinished, extra_files=extra)
    unfinished.replace(path)
    return path
