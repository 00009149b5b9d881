"""Copies of an encoder made for running, not for training: batch-norms folded away, memory laid out for speed."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from manylabel.encoders import Encoder
from manylabel.labels import ManylabelError, did_you_mean

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def for_inference(encoder: Encoder, precision: str = "float32", *, device: str = "cpu") -> Encoder:
    """A frozen copy with the same features up to rounding, in evaluation mode; `encoder` stays as it is."""
    if precision not in PRECISIONS:
        raise ManylabelError(f"there is no precision {precision!r}.{did_you_mean(precision, PRECISIONS)}")
    if encoder.name.startswith("file:") and precision != "float32":
        raise ManylabelError(f"{encoder.name} runs in the precision it was exported in; leave precision at float32")
    fast = copy.deepcopy(encoder).eval().requires_grad_(False)
    fold(fast.network)
    fast.precision = PRECISIONS[precision]
    fast.network.to(fast.precision)
    fast.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return fast.to(device)


def fold(module: nn.Module) -> None:
    """Fold each batch-norm that follows a convolution in an `nn.Sequential` into it, in place."""
    for child in module.modules():
        if isinstance(child, nn.Sequential):
            for i in range(len(child) - 1):
                first, second = child[i], child[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    child[i] = fuse_conv_bn_eval(first, second)
                    child[i + 1] = nn.Identity()
