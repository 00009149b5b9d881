"""The model at work behind the routes: queue, workers, heat maps, verdicts."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from starlette.requests import Request

from manylabel.data.images import DamagedImage
from manylabel.decisions.platt import sigmoid
from manylabel.labels import ManylabelError, did_you_mean
from manylabel.model import BATCH, Model
from manylabel.prediction import Choice, Prediction, predictions
from manylabel.web import pictures
from manylabel.web.batching import Batcher, Full
from manylabel.web.body import Upload, gone
from manylabel.web.counters import Counters
from manylabel.web.feedback import Review
from manylabel.web.refusal import Refusal, full
from manylabel.web.room import Room
from manylabel.web.settings import Settings

MOST_EXPLAINING = 8
LONGEST = 448


class Service:
    """What the routes call.

    Arguments:
        model: from `manylabel.load`.
        settings: limits and names.
        counters: told of images and batches.
    """

    def __init__(self, model: Model, settings: Settings, counters: Counters) -> None:
        self.model, self.settings, self.counters = model, settings, counters
        self.review = Review(settings.review, settings.name) if settings.review else None
        self.explaining = self.fetching = 0
        self.room = Room(settings.max_pixels)
        self.batcher: Batcher
        self.hands: ThreadPoolExecutor  # short work: headers, verdicts
        self.explainer: ThreadPoolExecutor

    @contextmanager
    def running(self) -> Generator[None]:
        """Workers, one for each core, while it lasts; at its end what waits is finished."""
        with (
            self.model.network.side_by_side() as workers,
            ThreadPoolExecutor(workers, "hand") as self.hands,
            ThreadPoolExecutor(1, "explain") as self.explainer,
            Batcher(self.compute, workers=workers, room=self.settings.max_waiting, size=BATCH,
                    tell=self.counters.batch) as self.batcher,
        ):  # fmt: skip
            yield

    def compute(self, batch: Sequence[tuple[bytes, int]]) -> list[Any]:
        """Of each image, its bytes and pixels, the logits (C,), or the Refusal of one that cannot be decoded."""
        outcomes: list[Any] = [self._read(data, pixels) for data, pixels in batch]
        good = [place for place, outcome in enumerate(outcomes) if not isinstance(outcome, Refusal)]
        if good:
            for place, row in zip(good, self.model.scores([outcomes[place] for place in good])):
                outcomes[place] = row
        return outcomes

    def _read(self, data: bytes, pixels: int) -> Any:
        try:
            with self.room.taken(pixels):
                return pictures.prepared(self.model, data)
        except DamagedImage as problem:
            return Refusal(422, "damaged", str(problem))

    async def predict(self, uploads: list[Upload], choice: Choice, request: Request) -> bytes:
        """The JSON of the answer; Refusal where no image could be read."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.hands, self.look, uploads)
        good = [upload for upload in uploads if upload.refused is None]
        if not good:
            return self.answer(uploads, [], choice)
        try:
            job = self.batcher.submit(
                [(u.data, u.pixels) for u in good], lambda outcomes: self.answer(uploads, outcomes, choice)
            )
        except Full:
            raise full(f"{len(self.batcher)} images wait already") from None
        for upload in uploads:
            upload.data = b""  # the queue holds them now, each until it is computed
        try:
            return bytes(await self.awaited(job.future, request))
        finally:
            self.batcher.drop(job)

    def look(self, uploads: list[Upload]) -> None:
        """Check headers, before anything is queued."""
        for upload in uploads:
            try:
                if upload.refused is None:
                    upload.pixels = pictures.check(upload.data, self.settings)
            except Refusal as refused:
                upload.refused = refused

    def answer(self, uploads: list[Upload], outcomes: Sequence[Any], choice: Choice) -> bytes:
        """The JSON of `outcomes`, one for each upload that was not refused before."""
        left = iter(outcomes)
        results = [upload.refused or next(left) for upload in uploads]
        broken = next((result for result in results if not isinstance(result, Refusal | np.ndarray)), None)
        if broken is not None:
            raise broken
        refused = [result for result in results if isinstance(result, Refusal)]
        if len(refused) == len(uploads):
            raise all_refused(uploads, refused)
        for one in refused:
            self.counters.error(one.kind)
        told = self.told(uploads, results, choice)
        self.counters.scored(len(uploads) - len(refused))
        entries = [{**one.as_dict(), **self.raised(one, result)} for one, result in zip(told, results)]
        body = {"model": self.settings.name, "predictions": entries}
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")

    def told(self, uploads: list[Upload], results: list[Any], choice: Choice) -> list[Prediction]:
        """A prediction for each upload."""
        names = [u.name for u, result in zip(uploads, results) if not isinstance(result, Refusal)]
        scores = np.stack([result for result in results if not isinstance(result, Refusal)])
        made = iter(predictions(self.model.classes, names, scores, choice))
        return [
            Prediction(upload.name, error=result.detail) if isinstance(result, Refusal) else next(made)
            for upload, result in zip(uploads, results)
        ]

    def raised(self, told: Prediction, result: Any) -> dict[str, dict[str, float]]:
        """`own`: of each class that a hierarchy raised to one below, the probability that its threshold is held to."""
        classes = self.model.classes
        if not classes.pairs or isinstance(result, Refusal):
            return {}
        own = dict(zip(classes.names, np.asarray(sigmoid(classes.calibrated(result))).tolist()))
        found = {name: round(own[name], 6) for name, p in told.probabilities.items() if own[name] < p}
        return {"own": found} if found else {}

    async def awaited(self, future: Future[Any], request: Request) -> Any:
        """What `future` brings, unless time runs out or the client goes first."""
        answer = asyncio.wrap_future(future)
        leaving = asyncio.ensure_future(left(request))
        done, _ = await asyncio.wait(
            {answer, leaving}, timeout=self.settings.timeout, return_when=asyncio.FIRST_COMPLETED
        )
        leaving.cancel()
        if answer in done:
            return answer.result()
        answer.cancel()
        if leaving in done:
            raise gone()
        raise Refusal(504, "timeout", f"there was no answer within {self.settings.timeout:g} seconds")

    async def explain(self, upload: Upload, label: str, request: Request) -> bytes:
        """The PNG of a heat map."""
        if self.explaining >= MOST_EXPLAINING:
            raise full(f"{self.explaining} heat maps are being made or wait already")
        self.explaining += 1
        future = self.explainer.submit(self.heat, upload, label)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._explained))
        return bytes(await self.awaited(future, request))

    def _explained(self) -> None:
        self.explaining -= 1

    def heat(self, upload: Upload, label: str) -> bytes:
        """Check, decode, explain and draw, in a thread."""
        from manylabel.explain import heat_maps
        from manylabel.explaining.drawing import heat_image

        if upload.refused is not None:
            raise upload.refused
        try:
            with self.room.taken(pictures.check(upload.data, self.settings)):
                photo = pictures.pixels(upload.data)
        except DamagedImage as problem:
            raise Refusal(422, "damaged", str(problem)) from None
        heat = heat_maps(self.model, photo, [label])[0]
        photo.thumbnail((LONGEST, LONGEST))
        buffer = io.BytesIO()
        heat_image(heat, photo.size).save(buffer, "PNG")
        return buffer.getvalue()

    def known(self, label: str) -> str:
        """A class by its name or another; Refusal for what the model does not know."""
        name = self.model.classes.aliases.get(label, label)
        if name not in self.model.classes.names:
            hint = did_you_mean(label, self.model.classes.names)
            raise Refusal(422, "parameter", f"the model has no label {label[:200]!r}.{hint}")
        return name

    def labels(self) -> list[dict[str, Any]]:
        """What is known of each class; thresholds as probabilities."""
        classes = self.model.classes
        cuts = np.asarray(sigmoid(classes.calibrated(classes.thresholds)))
        counts: list[Any] = classes.counts.tolist() or [None] * len(classes)
        return [
            {"name": name, "threshold": cut, "train_positives": count,
             "ancestors": list(classes.ancestors[name]), "aliases": list(classes.other_names.get(name, ()))}
            for name, cut, count in zip(classes.names, cuts.tolist(), counts)
        ]  # fmt: skip

    def choice(self, min_score: float, max_labels: int | None, guarantee: str | None) -> Choice:
        """Which labels are named; Refusal for a guarantee that cannot be given."""
        from manylabel.classes import parse_guarantee

        try:
            recall = None if guarantee is None else parse_guarantee(guarantee)
            self.model.classes.cuts(recall)
            return Choice(min_score, max_labels, recall)
        except ManylabelError as problem:
            raise Refusal(422, "parameter", str(problem)) from None


def all_refused(uploads: list[Upload], refused: list[Refusal]) -> Refusal:
    """One refusal for a request of which no image could be read: of their status if they agree, else 422."""
    statuses, first = {one.status for one in refused}, refused[0]
    if len(refused) == 1:
        return first
    told = "; ".join(f"{upload.name}: {one.detail}" for upload, one in list(zip(uploads, refused))[:5])
    more = f"; and {len(refused) - 5} more" if len(refused) > 5 else ""
    status = first.status if len(statuses) == 1 else 422
    return Refusal(status, first.kind, f"none of {len(refused)} images can be read: {told}{more}")


async def left(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
