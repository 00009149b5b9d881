"""Smaller ONNX files: the encoder's convolutions in 8 bits, calibrated on photographs.

Static quantisation by onnxruntime (Jacob et al., CVPR 2018: q = round(x / scale) + zero): weights per channel, signed,
in 7 of the 8 bits, without which sums overflow on processors that lack VNNI; activations by the range seen on the
photographs, unsigned. The last convolution and the method's own layers stay in float32: they are a small part of the
time, and features, attention and what is standardised lose most by rounding.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.encoders.torchvision_repair import import_extra
from manylabel.labels import ManylabelError
from manylabel.model import Model, Photo
from manylabel.parts.files import write_bytes

ENOUGH = 128  # photographs to calibrate on; more change little


def write(model: Model, source: Path, target: Path, photos: Sequence[Photo]) -> Path:
    """Write the ONNX file `source` of `model` to `target` in 8 bits, calibrated on (at most `ENOUGH`) photographs."""
    import_extra("onnx", "onnx")
    quantization = import_extra("onnxruntime.quantization", "onnx")
    images = [read for photo in photos[:ENOUGH] if not isinstance(read := model.attempt(photo), str)]
    if not images:
        raise ManylabelError("not one of the photographs to calibrate on can be read")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]
        batches: Iterator[Any] = ({"images": np.stack(images[i : i + 8])} for i in range(0, len(images), 8))

        def get_next(self) -> Any:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder, _silence():
        made = Path(folder, "model.onnx")
        quantization.quantize_static(
            str(source), str(made), Reader(), op_types_to_quantize=["Conv"], per_channel=True, reduce_range=True,
            nodes_to_exclude=last_convolutions(import_extra("onnx", "onnx").load(str(source)).graph),
            quant_format=quantization.QuantFormat.QDQ, activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        write_bytes(target, made.read_bytes())
    return target


def last_convolutions(graph: Any) -> list[str]:
    """The names of the convolutions after which no other comes."""
    follows: set[str] = set()  # values from which a convolution is reached
    last = []
    for node in reversed(graph.node):  # a graph is in the order of computing
        reached = not follows.isdisjoint(node.output)
        if node.op_type == "Conv" and not reached:
            last.append(node.name)
        if reached or node.op_type == "Conv":
            follows.update(node.input)
    return last


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without the advice that onnxruntime prints."""
    before = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.setLevel(before)
