"""The second oracle, importable also where the installed torchvision does not fit a CPU build of torch."""

import importlib

import pytest
import torch


@pytest.fixture(scope="session")
def torchmetrics():
    """`torchmetrics.functional.classification`; it imports torchvision, whose CUDA wheel expects two operators."""
    name = "torchmetrics.functional.classification"
    try:
        importlib.import_module("torchmetrics")  # not `name`: that may be left over from an import that failed
        return importlib.import_module(name)
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    importlib.import_module("torchmetrics")
    module = importlib.import_module(name)
    module.kept = library  # the operators live as long as this object
    return module
