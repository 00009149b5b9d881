"""A model from an ONNX file that `onnx_file.write` made, by onnxruntime alone: no torch."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manylabel.classes import Classes
from manylabel.labels import ManylabelError
from manylabel.model import Model, cores

FORMAT = 1


class OnnxNetwork:
    """Prepared images to logits; see `model.ScoresImages`.

    Arguments:
        path: the file, for messages.
        content: its bytes.
        threads: of a call that is not one of several side by side; None takes all cores.
    """

    def __init__(self, path: Path, content: bytes, *, threads: int | None = None) -> None:
        self.path, self.content = path, content
        self.together = self._session(threads or cores())
        self.alone = self.together
        described = self.together.get_modelmeta().custom_metadata_map
        if "manylabel.labels" not in described:
            raise ManylabelError(f"{path} was not written by `manylabel export`: it has no manylabel.labels inside")
        self.described = {key.removeprefix("manylabel."): json.loads(text) for key, text in described.items()
                          if key.startswith("manylabel.")}  # fmt: skip
        if self.described["format"] > FORMAT:
            raise ManylabelError(f"{path} was written by a newer manylabel; install that one")
        encoder = self.described["config"]["encoder"]
        self.image_size, self.resize = int(encoder["image_size"]), "squash"
        self.at_least = None if encoder["finetune"] else self.image_size

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, C) logits of prepared images (B, size, size, 3)."""
        logits: NDArray[np.float32] = self.alone.run(["logits"], {"images": images})[0]
        return logits

    def answers(self, images: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """Logits, probabilities and decisions (B, C) of images (B, H, W, 3), as the file itself gives them."""
        return tuple(self.together.run(None, {"images": images}))

    @contextmanager
    def side_by_side(self) -> Generator[int]:
        """A session of one thread for each caller: whole batches side by side beat one spread over the cores."""
        self.alone = self._session(1)
        try:
            yield cores()
        finally:
            self.alone = self.together

    def _session(self, threads: int) -> Any:
        try:
            import onnxruntime as ort
        except ImportError:
            raise ManylabelError("this needs onnxruntime: pip install 'manylabel[onnx]'") from None
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        try:
            return ort.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # onnxruntime has many kinds, and not all are exported
            raise ManylabelError(f"{self.path} cannot be read as ONNX: {problem}") from problem


def load_onnx(path: Path, *, threads: int | None = None) -> Model:
    """The model of an .onnx file."""
    if not path.is_file():
        raise ManylabelError(f"there is no file {path}")
    network = OnnxNetwork(path, path.read_bytes(), threads=threads)
    return Model(network, Classes.from_dict(network.described["labels"]), network.described["config"])
