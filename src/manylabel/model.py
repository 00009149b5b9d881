"""A trained model as something to use: images in, names with probabilities and decisions out. No torch here.

`Model` is the same whatever computes the scores: `network.Network` (torch, from a run or model folder) or
`export.runtime.OnnxNetwork` (an .onnx file).
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from manylabel.classes import Classes
from manylabel.data.images import DamagedImage, decode, read_image, to_array, upright_rgb
from manylabel.labels import ManylabelError
from manylabel.prediction import Choice, Prediction, predictions

Photo = str | Path | bytes | Image.Image | NDArray[np.uint8]
"""A path, the bytes of an image file, an opened image, or its pixels (H, W, 3) uint8."""
PLAIN = Choice()
Answer = TypeVar("Answer")
Work = Callable[[Sequence[Photo]], Sequence[Answer]]
BATCH = (
    4  # images a worker takes at once: the maps of more fit no cache, and glibc gives and takes 32 MiB anew each time
)


class ScoresImages(Protocol):
    """What a model needs of whatever computes its scores."""

    image_size: int
    resize: str
    at_least: int | None  # how small a JPEG may be decoded, see `images.read_image`

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, C) logits of prepared images (B, size, size, 3); may be called from several threads."""

    def side_by_side(self) -> AbstractContextManager[int]:
        """While it lasts each thread computes alone; gives how many threads are worth having."""


class Model:
    """A trained model. Make one with `manylabel.load`.

    Arguments:
        network: what computes scores.
        classes: what the model knows of its classes.
        about: the content of config.json, and of metrics.json under "metrics" where there is one.
    """

    def __init__(self, network: ScoresImages, classes: Classes, about: dict[str, Any] | None = None) -> None:
        self.network, self.classes, self.about = network, classes, about or {}

    @property
    def names(self) -> list[str]:
        """The classes, in the order of the scores."""
        return list(self.classes.names)

    def predict(
        self, images: Iterable[Photo], *, batch_size: int = BATCH, min_score: float = 0.0,
        max_labels: int | None = None, guarantee: float | None = None,
    ) -> list[Prediction]:  # fmt: skip
        """A prediction for each image, in order; one that cannot be read gets its `error` and the rest go on.

        Arguments:
            images: paths, bytes of image files, PIL images, or pixels (H, W, 3) uint8.
            batch_size: images computed at once by a thread.
            min_score: leave out labels whose probability is lower.
            max_labels: name at most so many, the most probable.
            guarantee: decide with the thresholds at which so much recall is guaranteed, for instance 0.9.
        """
        return list(self.stream(images, Choice(min_score, max_labels, guarantee), batch_size=batch_size))

    def stream(
        self, images: Iterable[Photo], choice: Choice = PLAIN, *, batch_size: int = BATCH
    ) -> Iterator[Prediction]:
        """As `predict`, one prediction at a time: memory does not grow with the number of images."""
        if isinstance(images, str | Path | bytes | Image.Image):
            raise ManylabelError("predict takes a list of images; for one image: predict([image])[0]")
        return self._side_by_side(images, lambda batch: self._predicted(batch, choice), batch_size)

    def scored(self, images: Iterable[Photo]) -> Iterator[NDArray[np.float32] | str]:
        """The logits (C,) of each image, or why it cannot be read."""
        return self._side_by_side(images, self._scored, BATCH)

    def _side_by_side(self, images: Iterable[Photo], work: Work[Answer], size: int) -> Iterator[Answer]:
        """What `work` makes of batches, in order; several batches are worked on at once, each by one thread."""
        todo = iter(images)
        batches = iter(lambda: list(itertools.islice(todo, size)), [])
        first, second = next(batches, []), next(batches, [])
        if not second:  # one batch: all threads work on it together
            yield from work(first)
            return
        with self.network.side_by_side() as threads, ThreadPoolExecutor(threads) as pool:
            every = itertools.chain([first, second], batches)
            running = deque(pool.submit(work, batch) for batch in itertools.islice(every, 2 * threads))
            try:
                while running:
                    yield from running.popleft().result()
                    running.extend(pool.submit(work, batch) for batch in itertools.islice(every, 1))
            finally:
                pool.shutdown(cancel_futures=True)

    def read(self, image: Photo) -> NDArray[np.uint8]:
        """An image prepared for `scores`, (size, size, 3); DamagedImage where it cannot be read.

        Pixels and opened images are resized as they are; files may be decoded at a half or a quarter where that is
        much larger than needed, as in training, so that the two may differ in the third decimal.
        """
        network = self.network
        return to_array(opened(image, network.at_least), network.image_size, resize=network.resize)

    def scores(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """(B, C) logits of prepared images (size, size, 3), the same as training wrote to its score files."""
        return self.network.scores(np.stack(images))

    def _scored(self, images: Sequence[Photo]) -> list[NDArray[np.float32] | str]:
        read = [self.attempt(image) for image in images]
        good = [i for i in read if not isinstance(i, str)]
        scores = iter(self.scores(good) if good else ())
        return [outcome if isinstance(outcome, str) else next(scores) for outcome in read]

    def _predicted(self, images: Sequence[Photo], choice: Choice) -> list[Prediction]:
        outcomes = self._scored(images)
        names = [str(image) if isinstance(image, str | Path) else "" for image in images]
        good = [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, str)]
        scores = np.array([outcomes[place] for place in good], np.float32).reshape(len(good), len(self.classes))
        made = iter(predictions(self.classes, [names[place] for place in good], scores, choice))
        return [
            Prediction(name, error=outcome) if isinstance(outcome, str) else next(made)
            for name, outcome in zip(names, outcomes)
        ]

    def attempt(self, image: Photo) -> NDArray[np.uint8] | str:
        """As `read`, but the reason instead of an error where the image cannot be read."""
        try:
            return self.read(image)
        except DamagedImage as error:
            return str(error)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None, token: str | None = None) -> Model:
        """The model of a folder, of an .onnx file, or of a repository OWNER/NAME of the Hugging Face hub."""
        from manylabel import sharing

        return load(sharing.local(name, revision=revision, token=token))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model folder: weights with the encoder's, config.json, labels.json, a model card; no pickle."""
        from manylabel import sharing

        return sharing.save(self, Path(folder))

    def push_to_hub(
        self, repository: str, *, private: bool = False, token: str | None = None, message: str = "Upload model"
    ) -> str:
        """Upload the model folder to the Hugging Face hub (extra: hf); returns its address."""
        from manylabel import sharing

        return sharing.push(self, repository, private=private, token=token, message=message)


def load(path: str | Path) -> Model:
    """The model of a run folder, a model folder or an .onnx file, ready to predict.

    Raises ManylabelError where there is none, or where an encoder that is not in the folder has other weights now
    than it was trained on.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        from manylabel.export.runtime import load_onnx

        return load_onnx(path)
    try:
        from manylabel.network import load_network
    except ModuleNotFoundError as missing:
        if missing.name not in ("torch", "safetensors", "lightning_fabric"):
            raise
        raise ManylabelError(
            f"{path} needs {missing.name}, which is not installed here; `manylabel export` makes an .onnx file of it,"
            " which does not"
        ) from None
    return load_network(path)


def opened(image: Photo, at_least: int | None = None) -> Image.Image:
    """An image upright and RGB, whatever it came as; DamagedImage where it cannot be read. See `read_image`."""
    if isinstance(image, str | Path):
        return read_image(image, at_least=at_least)
    if isinstance(image, bytes):
        return decode(image, "the image", at_least=at_least)
    if isinstance(image, Image.Image):
        return upright_rgb(image)
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise DamagedImage(f"expected pixels (H, W, 3) of uint8, got {pixels.shape} of {pixels.dtype}")
    return Image.fromarray(pixels)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
