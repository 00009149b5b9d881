"""A model as one ONNX file: resizing, network, calibration and thresholds in the graph, names in the metadata.

Input `images`: (batch, height, width, 3) uint8, upright RGB pixels. They are squashed to the model's square inside, by
the antialiased bilinear resampling of ONNX (which differs from Pillow's by less than a grey level on average);
images that already are of that size pass untouched, and so give what manylabel gives. Outputs (batch, C): `logits`,
`probabilities` (calibrated), `decisions` (bool, by the threshold of each class).

Metadata: `manylabel.format`, `manylabel.labels` (labels.json), `manylabel.config` (config.json).
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from manylabel.encoders.torchvision_repair import import_extra
from manylabel.export.graph import INPUT, OUTPUTS, traced
from manylabel.labels import ManylabelError
from manylabel.model import Model
from manylabel.parts.files import write_bytes

FORMAT = 1
OPSET = 20


def write(model: Model, path: str | Path) -> Path:
    """Write the model of a run or model folder to `path`, which ends in .onnx (extra: onnx)."""
    path = Path(path)
    if path.suffix != ".onnx":
        raise ManylabelError(f"{path}: an ONNX file ends in .onnx")
    onnx = import_extra("onnx", "onnx")
    import_extra("onnxscript", "onnx")
    proto = to_proto(model)
    resized_inside(onnx, proto, model.network.image_size)
    described(onnx, proto, model)
    onnx.checker.check_model(proto)
    write_bytes(path, proto.SerializeToString())
    return path


def to_proto(model: Model) -> Any:
    """The graph from prepared images on, as torch writes it."""
    import torch

    program = traced(model)
    chatty = logging.getLogger("torch.onnx")
    before = chatty.level
    chatty.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own makers
            made = torch.onnx.export(
                program, dynamo=True, opset_version=OPSET, input_names=[INPUT], output_names=list(OUTPUTS),
                verbose=False,
            )  # fmt: skip
    finally:
        chatty.setLevel(before)
    assert made is not None
    return made.model_proto


def resized_inside(onnx: Any, proto: Any, size: int) -> None:
    """Put the resizing before the graph, whose input then takes images of any height and width."""
    make, graph = onnx.helper.make_node, proto.graph
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([size, size], np.int64), "side"))
    first = [
        make("Transpose", [INPUT], ["planes"], perm=[0, 3, 1, 2]),
        make("Shape", ["planes"], ["ahead"], end=2),
        make("Concat", ["ahead", "side"], ["sizes"], axis=0),
        make("Resize", ["planes", "", "", "sizes"], ["square"], mode="linear", antialias=1),
        make("Transpose", ["square"], ["prepared"], perm=[0, 2, 3, 1]),
    ]
    for node in graph.node:
        node.input[:] = ["prepared" if name == INPUT else name for name in node.input]
    for node in reversed(first):
        graph.node.insert(0, node)
    shape = ["batch", "height", "width", 3]
    graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, shape))


def described(onnx: Any, proto: Any, model: Model) -> None:
    """Names, thresholds, calibration and where it comes from, into the metadata."""
    config = {k: v for k, v in model.about.items() if k != "metrics"}
    content = {"format": FORMAT, "labels": model.classes.to_dict(), "config": config}
    proto.producer_name, proto.doc_string = "manylabel", "multi-label image classifier; see metadata manylabel.*"
    del proto.metadata_props[:]
    onnx.helper.set_model_props(
        proto, {f"manylabel.{key}": json.dumps(value, ensure_ascii=False) for key, value in content.items()}
    )
