"""A server on a real socket, in a thread, with a model of three colours that needs no torch."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
from PIL import Image

from manylabel.classes import Classes
from manylabel.model import Model
from manylabel.web.app import make_app
from manylabel.web.desk import Desk
from manylabel.web.run import listen, make_server
from manylabel.web.settings import Settings

COLOURS = ("red", "green", "blue")


class Colours:
    """Logits: how much there is of each colour. `gate` holds computing back; `seen` are the sizes of the batches."""

    image_size, resize, at_least = 16, "squash", None

    def __init__(self, workers: int = 2) -> None:
        self.workers, self.gate, self.seen = workers, threading.Event(), []
        self.gate.set()
        self.begun = threading.Semaphore(0)

    def scores(self, images):
        self.seen.append(len(images))
        self.begun.release()
        assert self.gate.wait(20)
        return ((images.mean(axis=(1, 2)) - 128) / 32).astype(np.float32)

    @contextmanager
    def side_by_side(self) -> Iterator[int]:
        yield self.workers


def colour_model(workers: int = 2) -> Model:
    """`red` has an ancestor and an alias; recall up to 0.9 can be guaranteed."""
    cuts = {f"{w:.2f}": -w for w in (0.5, 0.8, 0.9)}
    classes = Classes(
        COLOURS, np.zeros(3), np.ones(3), np.zeros(3), counts=np.array([5, 0, 7]), images=9,
        pairs=(("red", "warm"),), aliases={"scarlet": "red"}, guarantee={"recall": {"images": 9, "cuts": cuts}},
    )  # fmt: skip
    return Model(Colours(workers), classes)


def picture(colour="red", size=(40, 20), kind="PNG") -> bytes:
    """An image file of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def noise(side=64, kind="PNG") -> bytes:
    """An image file that does not compress."""
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def until(condition, seconds=10.0):
    """Wait until something is so, and fail where it does not come about."""
    limit = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < limit
        time.sleep(0.002)


class Running:
    """A server, its model and a client."""

    def __init__(self, model: Model, settings: Settings, desk: Desk | None = None) -> None:
        self.model, self.settings = model, settings
        self.listener = listen(settings)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.app = make_app(model, settings, desk)
        self.service = self.app.state.service
        self.server = make_server(self.app, settings)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def predict(self, *files, client=None, **parameters):
        """POST /predict of (name, bytes) or of bytes."""
        pairs = [file if isinstance(file, tuple) else ("x.png", file) for file in files]
        return (client or self.client).post("/predict", files=[("files", pair) for pair in pairs], params=parameters)

    def later(self, *files, **parameters):
        """`predict` in a thread, with a client of its own; the list gets the answer."""
        answers = []

        def ask():
            with httpx.Client(base_url=self.url, timeout=20, trust_env=False) as client:
                answers.append(self.predict(*files, client=client, **parameters))

        thread = threading.Thread(target=ask)
        thread.start()
        return thread, answers


@contextmanager
def running(model: Model | None = None, desk: Desk | None = None, **options) -> Iterator[Running]:
    """A server on a free port of the loopback."""
    model = model or colour_model()
    started = Running(model, Settings(**{"name": "colours", "port": 0, **options}), desk)
    started.thread.start()
    try:
        with started.client:
            yield started
    finally:
        if isinstance(model.network, Colours):
            model.network.gate.set()
        started.server.should_exit = True
        started.thread.join(20)
        assert not started.thread.is_alive()
