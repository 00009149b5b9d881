"""The torch side of a model: encoder and method, built again from a folder."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from manylabel import config as configuration
from manylabel import encoders, folderformat, methods
from manylabel.classes import Classes
from manylabel.encoders.cache import single_threads
from manylabel.encoders.inference import for_inference
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.loops.finetune import EndToEnd
from manylabel.methods import Method
from manylabel.model import Model
from manylabel.parts.batch import Features


class Network:
    """Prepared images to logits.

    Arguments:
        encoder: as it was trained or loaded.
        method: on its features; `EndToEnd` where the encoder was trained too.
        precision: of the encoder's forward pass.
    """

    def __init__(self, encoder: encoders.Encoder, method: Method, *, precision: str = "float32") -> None:
        self.encoder, self.method, self.precision = encoder, method, precision
        self.frozen = not isinstance(method, EndToEnd)
        self.head = method.method if isinstance(method, EndToEnd) else method
        self.image_size, self.resize = encoder.image_size, encoder.resize
        self.at_least = encoder.image_size if self.frozen else None  # as the cache decodes, or training
        self.forward = Whole(for_inference(encoder, precision), self.head, rounded=self.frozen)

    @torch.inference_mode()
    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, C) logits of prepared images (B, size, size, 3)."""
        answer: NDArray[np.float32] = self.forward(torch.from_numpy(images)).numpy()
        return answer

    @contextmanager
    def side_by_side(self) -> Generator[int]:
        """Threads of torch, each of which computes alone."""
        with single_threads() as threads:
            yield threads


class Whole(nn.Module):
    """Prepared images (B, S, S, 3) uint8 to logits (B, C) float32, encoder and method in one.

    Arguments:
        encoder, head: in evaluation mode.
        rounded: whether features are rounded to float16 in between, as the cache stores those of a frozen encoder.
    """

    def __init__(self, encoder: encoders.Encoder, head: Method, *, rounded: bool) -> None:
        super().__init__()
        self.encoder, self.head, self.rounded = encoder, head, rounded

    def forward(self, images: Tensor) -> Tensor:
        return self.head.scores(self.features(images)).float()

    def features(self, images: Tensor) -> Features:
        """What the method reads of images (B, S, S, 3)."""
        found: Features = self.encoder(images.permute(0, 3, 1, 2))
        if not self.rounded:
            return found
        grid = found.grid.half().float() if found.grid is not None else None
        return Features(grid, found.pooled.half().float(), found.size)


def load_network(folder: Path) -> Model:
    """The model of a run folder or model folder, on the CPU."""
    config, labels = folderformat.read(folder)
    options = dict(config["encoder"])
    if options["name"] is None:
        raise ManylabelError(f"{folder} was trained on features, not photographs: MultiLabelClassifier.load reads it")
    classes = Classes.from_dict(labels)
    inside = folder / "encoder.safetensors"
    encoder = encoders.load(
        encoder_name(folder, options["name"]), image_size=options["image_size"], normalise=options["normalise"],
        flip=options["flip"], pretrained=not options["finetune"] and not inside.exists(),  # else they are in the folder
    )  # fmt: skip
    if inside.exists():
        fill(encoder, inside)
    method = build(config, classes)
    if options["finetune"]:
        method = EndToEnd(encoder, method)
    elif encoder.key != options["key"]:
        raise ManylabelError(
            f"{folder} was trained on features of {options['name']!r} with other weights or preprocessing than"
            " are installed now; install the versions in its config.toml"
        )
    fill(method, folder / "model.safetensors")
    precision = "float32" if options["finetune"] else options["precision"]
    return Model(Network(encoder, method.eval(), precision=precision), classes, about(folder, config))


def encoder_name(folder: Path, name: str) -> str:
    """The name with the path of `file:PATH` made whole: a file of the folder, else as it was given in training.

    A folder may come from anybody, and reading a torch.export file may run code that was pickled into it. One is
    therefore read only from outside the folder and by a whole path, which is what training on this machine writes.

    Raises ManylabelError for other torch.export files.
    """
    kind, _, path = name.partition(":")
    if kind != "file":
        return name
    inside, given = (folder / path).resolve(), Path(path)
    if given.suffix != ".onnx" and (not given.is_absolute() or inside.is_relative_to(folder.resolve())):
        raise ManylabelError(
            f"{folder} asks for the encoder {path}, which may hold pickled code and is not read out of model folders;"
            " export the encoder to ONNX, or train with the whole path of a file outside the folder"
        )
    return f"file:{inside if inside.is_file() else given}"


def about(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The content of config.json, with that of metrics.json."""
    metrics = folder / "metrics.json"
    return config | ({"metrics": json.loads(metrics.read_text(encoding="utf-8"))} if metrics.exists() else {})


def fill(module: nn.Module, file: Path) -> None:
    """Load the weights of `file`; ManylabelError where they are missing, damaged or of another model."""
    try:
        module.load_state_dict(load_file(file))
    except FileNotFoundError:
        raise ManylabelError(f"{file.parent} is no whole model: it has no {file.name}") from None
    except Exception as problem:  # a cut file, or weights of another model
        raise ManylabelError(f"{file} does not hold the weights of this model: {problem}") from problem


def build(config: dict[str, Any], classes: Classes) -> Method:
    """The untrained method, with label vectors of the right shape in place of the text."""
    options = {k: v for k, v in config["method"].items() if k not in ("name", "preset")}
    module = methods.load(config["method"]["name"])
    width = config["text_width"]
    text = np.ones((len(classes), width), np.float32) if width else None
    vocabulary = Vocabulary(classes.names, classes.counts, text, images=classes.images)
    method: Method = module.build(
        configuration.fill(module.Config, options, "method"), vocabulary, config["encoder"]["width"]
    )
    return method
