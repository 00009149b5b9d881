"""An exported model from a file: `torch.export` (.pt2) or ONNX, frozen, on the CPU, in its own precision.

The rule. Input: one float tensor (B, 3, S, S), pixels in [0, 1] less `mean` and divided by `std`. Outputs, told apart
by rank, the first of each: (B, D, h, w) or (B, P, D) is the grid, P a square number; (B, D) is pooled. One of the two
is enough: the mean of the grid stands in for pooled, and without a grid only pooled methods can be trained. A fixed
batch size is respected.

`mean`, `std` and `image_size` are read from PATH.json beside the file, for instance {"image_size": 224, "mean":
[0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}; without it mean is 0, std 1, and S is the file's own size or 224.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.encoders.grids import from_map, from_tokens, weights_of, width_of
from manylabel.encoders.torchvision_repair import import_extra
from manylabel.labels import ManylabelError
from manylabel.parts.batch import Features

NAMES = {"file:PATH": "your own model, exported by torch.export (.pt2) or to ONNX (.onnx, extra: onnx)"}

Run = Callable[[Tensor], Sequence[Tensor]]
FixedShape = list[int | None]  # (B, 3, H, W), None where any number goes


class FileFeatures(nn.Module):
    """Calls `run` on float images, in batches of the one size it takes if `batch` is set."""

    def __init__(self, run: Run, batch: int | None) -> None:
        super().__init__()
        self.run, self.batch = run, batch

    def forward(self, images: Tensor) -> Features:
        return as_features(self._outputs(images.float().cpu()))

    def _outputs(self, images: Tensor) -> list[Tensor]:
        if self.batch is None:
            return list(self.run(images))
        full = torch.cat([images, images[:1].expand(-len(images) % self.batch, -1, -1, -1)])
        parts = [self.run(some) for some in full.split(self.batch)]
        return [torch.cat(p)[: len(images)] for p in zip(*parts, strict=True)]


def as_features(outputs: Sequence[Tensor]) -> Features:
    """The first output of each rank by the rule above.

    >>> as_features([torch.zeros(2, 8, 3, 3)]).grid.shape, as_features([torch.zeros(2, 8)]).grid
    (torch.Size([2, 9, 8]), None)
    """
    by_rank = {x.ndim: x for x in reversed(outputs)}
    pooled = by_rank.get(2)
    if 4 in by_rank:
        return from_map(by_rank[4], pooled)
    if 3 in by_rank:
        return from_tokens(by_rank[3], pooled)
    if pooled is None:
        shapes = [tuple(x.shape) for x in outputs]
        raise ManylabelError(f"the file must give (B, D, h, w), (B, P, D) or (B, D), it gives {shapes}")
    return Features(None, pooled, (0, 0))


def load(name: str, *, image_size: int | None, pretrained: bool) -> Encoder:
    """`file:PATH`; its key is the hash of the file's bytes, so it may be moved."""
    path = Path(name.partition(":")[2])
    readers = {".pt2": read_export, ".onnx": read_onnx}
    if path.suffix not in readers:
        raise ManylabelError(f"{path} must end in .pt2 (torch.export) or .onnx")
    if not path.is_file():
        raise ManylabelError(f"there is no file {path}")
    with weights_of(name):
        run, shape = readers[path.suffix](path)
    about = read_about(path)
    own = shape[2] or about["image_size"] or 224
    if shape[2] and image_size not in (None, own):
        raise ManylabelError(f"{path} takes images of {own} px only, {image_size} were asked for")
    size = image_size or own
    network = FileFeatures(run, shape[0])
    return Encoder(
        network,
        name,
        width=width_of(network, size),
        image_size=size,
        statistics=(about["mean"], about["std"]),
        identity="file:" + hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest(),
    )


def read_about(path: Path) -> dict:
    """`image_size`, `mean` and `std` of the file, from the .json beside it."""
    about = {"image_size": None, "mean": (0.0,) * 3, "std": (1.0,) * 3}
    beside = path.with_name(path.name + ".json")
    if beside.exists():
        given = json.loads(beside.read_text())
        if set(given) - set(about):
            raise ManylabelError(f"{beside} may hold image_size, mean and std, it has {sorted(given)}")
        about |= given
    return about


def read_export(path: Path) -> tuple[Run, FixedShape]:
    """A `torch.export` program."""
    program = torch.export.load(path)
    first = program.graph_signature.user_inputs[0]
    shape = next(n.meta["val"].shape for n in program.graph.nodes if n.name == first)
    module = program.module()

    def run(images: Tensor) -> Sequence[Tensor]:
        out = module(images)
        out = list(out.values()) if isinstance(out, dict) else out
        return [out] if isinstance(out, Tensor) else out

    return run, [n if isinstance(n, int) else None for n in shape]


def read_onnx(path: Path) -> tuple[Run, FixedShape]:
    """An ONNX model, run by onnxruntime."""
    ort = import_extra("onnxruntime", "onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # whole batches run side by side, see cache.in_threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]

    def run(images: Tensor) -> Sequence[Tensor]:
        return [torch.from_numpy(x) for x in session.run(None, {entry.name: images.contiguous().numpy()})]

    return run, [n if isinstance(n, int) else None for n in entry.shape]
