"""manylabel: multi-label image classification under the labels people really have.

>>> import manylabel
>>> sorted(manylabel.__all__)
['LabelTable', 'ManylabelError', 'MultiLabelClassifier', 'Vocabulary', 'load', 'read', 'train']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manylabel.labels import LabelTable, ManylabelError, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from manylabel.data import Dataset
    from manylabel.estimator import MultiLabelClassifier
    from manylabel.model import Model

__version__ = "0.1.0"
__all__ = ["LabelTable", "ManylabelError", "MultiLabelClassifier", "Vocabulary", "load", "read", "train"]

# The functions import what they need when called: `import manylabel` costs no torch.


def read(path: str | Path, **options: Any) -> Dataset:
    """Read a label file or folder; options as `manylabel.data.read`."""
    from manylabel.data import read as read_data

    return read_data(path, **options)


def train(data: str | Path, out: str | Path | None = None, **options: Any) -> Path:
    """Train on a label file or folder and return the run folder; options as `manylabel.plan.plan`.

    `manylabel.train("photos.csv", "runs/x", method="linear", options={"train": {"epochs": 5}})`
    """
    from manylabel.plan import plan
    from manylabel.run import train as run

    return run(plan(data, out, **options))


def load(run: str | Path) -> Model:
    """The trained model of a run folder: `manylabel.load("runs/x").predict(["photo.jpg"])`."""
    from manylabel.model import load as load_model

    return load_model(run)


def __getattr__(name: str) -> Any:
    """`MultiLabelClassifier` brings scikit-learn (extra: sklearn) and torch only where it is asked for."""
    if name != "MultiLabelClassifier":
        raise AttributeError(f"module 'manylabel' has no attribute {name!r}")
    try:
        from manylabel.estimator import MultiLabelClassifier
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "sklearn":
            raise
        raise ManylabelError("this needs scikit-learn: pip install 'manylabel[sklearn]'") from None
    return MultiLabelClassifier
