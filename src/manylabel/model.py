"""A trained run as something to use: images in, names with probabilities and decisions out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from manylabel import config as configuration
from manylabel import encoders, methods
from manylabel.data.images import DamagedImage, read_image, to_array, upright_rgb
from manylabel.encoders.inference import for_inference
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.loops.finetune import EndToEnd
from manylabel.methods import Method
from manylabel.parts.batch import Features


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Arguments:
        image: the path, or "" for an image that came without one.
        labels: names decided present, the most probable first; may be empty.
        probabilities: calibrated, in [0, 1], of every class, the most probable first.
        thresholds: on the same scale; a class is decided present at or above its threshold.
        error: why the image could not be read, or None.
    """

    image: str
    labels: tuple[str, ...] = ()
    probabilities: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the decided labels with probability and threshold, then all probabilities."""
        if self.error:
            return {"image": self.image, "error": self.error}
        decided = [
            {"name": n, "probability": round(self.probabilities[n], 6), "threshold": round(self.thresholds[n], 6)}
            for n in self.labels
        ]
        every = {n: round(p, 6) for n, p in self.probabilities.items()}
        return {"image": self.image, "labels": decided, "probabilities": every}


class Model:
    """A trained run. Make one with `manylabel.load`."""

    def __init__(
        self, encoder: encoders.Encoder, method: Method, labels: dict[str, Any], *, precision: str = "float32"
    ) -> None:
        self.encoder, self.method, self.precision = encoder, method, precision
        self.fast = for_inference(encoder, precision)
        self.head = method.method if isinstance(method, EndToEnd) else method
        self.names: list[str] = labels["names"]
        self.thresholds = np.asarray(labels["thresholds"], dtype=np.float64)  # on the logit scale
        self.temperatures = np.asarray(labels["temperatures"], dtype=np.float64)
        self.biases = np.asarray(labels["biases"], dtype=np.float64)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Calibrated probabilities of logits (..., C): sigmoid(score / temperature + bias)."""
        logits = np.asarray(scores, dtype=np.float64) / self.temperatures + self.biases
        return 0.5 * (1 + np.tanh(logits / 2))  # a sigmoid that cannot overflow

    @torch.inference_mode()
    def scores(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(B, C) logits of prepared images (size, size, 3), the same as training wrote to its score files."""
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        features = self.fast(batch)
        if self.head is self.method:  # a frozen encoder: round the features as the cache stores them
            grid = features.grid.half().float() if features.grid is not None else None
            features = Features(grid, features.pooled.half().float(), features.size)
        return self.head.scores(features).float().numpy()

    def predict(self, images: Sequence[str | Path | Image.Image], *, batch_size: int = 32) -> list[Prediction]:
        """A prediction for each image (path or PIL image), in order.

        One that cannot be read gets its `error` and the rest go on.
        """
        if isinstance(images, str | Path | Image.Image):
            raise ManylabelError("predict takes a list of images; for one image: predict([image])[0]")
        return list(self.stream(images, batch_size=batch_size))

    def stream(self, images: Sequence[str | Path | Image.Image], *, batch_size: int = 32) -> Iterator[Prediction]:
        """As `predict`, one prediction at a time; the next batch is decoded while this one is computed."""
        starts = range(0, len(images), batch_size)
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(self._read, image) for image in images[:batch_size]]
            for start in starts:
                read = [job.result() for job in waiting]
                waiting = [pool.submit(self._read, i) for i in images[start + batch_size : start + 2 * batch_size]]
                yield from self._predict_batch(images[start : start + batch_size], read)

    def read(self, image: str | Path | Image.Image) -> NDArray[np.uint8]:
        """An image prepared for `scores`, (size, size, 3); DamagedImage where it cannot be read."""
        enough = self.encoder.image_size if self.head is self.method else None  # as the cache decodes, or training
        opened = upright_rgb(image) if isinstance(image, Image.Image) else read_image(image, at_least=enough)
        return to_array(opened, self.encoder.image_size, resize=self.encoder.resize)

    def _read(self, image: str | Path | Image.Image) -> NDArray[np.uint8] | str:
        """The prepared image, or why there is none."""
        try:
            return self.read(image)
        except DamagedImage as error:
            return str(error)

    def _predict_batch(
        self, images: Sequence[str | Path | Image.Image], read: list[NDArray[np.uint8] | str]
    ) -> Iterator[Prediction]:
        good = [i for i in read if not isinstance(i, str)]
        scores = iter(self.scores(good)) if good else iter(())
        for image, outcome in zip(images, read, strict=True):
            name = "" if isinstance(image, Image.Image) else str(image)
            yield Prediction(name, error=outcome) if isinstance(outcome, str) else self._decide(name, next(scores))

    def _decide(self, image: str, scores: NDArray[np.float32]) -> Prediction:
        p = self.probabilities(scores)
        cut = self.probabilities(self.thresholds)
        order = np.argsort(-p, kind="stable")
        return Prediction(
            image,
            labels=tuple(self.names[i] for i in order if scores[i] >= self.thresholds[i]),
            probabilities={self.names[i]: float(p[i]) for i in order},
            thresholds={self.names[i]: float(cut[i]) for i in order},
        )


def load(run: str | Path) -> Model:
    """The model of a run folder, ready to predict on the CPU.

    Raises ManylabelError where the folder holds no finished run, or the encoder's weights are not those of
    training.
    """
    folder = Path(run)
    if not (folder / "config.json").exists() or not (folder / "labels.json").exists():
        raise ManylabelError(f"{folder} holds no finished run: it has no config.json and labels.json")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    options = dict(config["encoder"])
    encoder = encoders.load(
        options["name"], image_size=options["image_size"], normalise=options["normalise"],
        flip=options.get("flip", False),
        pretrained=not options["finetune"],  # its own weights are in model.safetensors
    )  # fmt: skip
    method = _build(config, labels)
    if options["finetune"]:
        method = EndToEnd(encoder, method)
    elif encoder.key != options["key"]:
        raise ManylabelError(
            f"{folder} was trained on features of {options['name']!r} with other weights or preprocessing than"
            " are installed now; install the versions in its config.toml"
        )
    method.load_state_dict(load_file(folder / "model.safetensors"))
    precision = "float32" if options["finetune"] else options["precision"]
    return Model(encoder, method.eval(), labels, precision=precision)


def _build(config: dict[str, Any], labels: dict[str, Any]) -> Method:
    """The untrained method, with label vectors of the right shape in place of the text."""
    options = {k: v for k, v in config["method"].items() if k not in ("name", "preset")}
    module = methods.load(config["method"]["name"])
    width = config["text_width"]
    text = np.ones((len(labels["names"]), width), np.float32) if width else None
    vocabulary = Vocabulary(
        tuple(labels["names"]), np.asarray(labels["counts"], np.int64), text, images=labels["images"]
    )
    return module.build(configuration.fill(module.Config, options, "method"), vocabulary, config["encoder"]["width"])
