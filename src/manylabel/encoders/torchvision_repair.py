"""torchvision's published wheel does not import beside a torch of another build; this mends exactly that.

Its Python code registers shape rules for operators that its C++ part defines, and that part cannot be loaded without
the CUDA libraries it links. Declaring the two operators it stumbles over is enough for everything timm, open_clip and
transformers use: models and transforms work, the C++ operators themselves (nms, roi_align) do not.
"""

from __future__ import annotations

import importlib
import sys

import torch

from manylabel.labels import ManylabelError

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[torch.library.Library] = []  # a library's operators go when it is collected


def import_extra(package: str, extra: str):
    """Import an optional package, or say which command installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ManylabelError(f"this needs the package {package}: pip install manylabel[{extra}] ({error})") from error


def import_mended(package: str, extra: str):
    """`import_extra` of a package that itself imports torchvision."""
    mend()
    return import_extra(package, extra)


def mend() -> None:
    """Import torchvision if there is one; if it fails for want of `torchvision::nms`, declare that and try again."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(operator + SIGNATURE)
        _kept.append(library)
        importlib.import_module("torchvision")
