"""A bounded queue in front of workers that take what waits, from any number of requests, a batch at a time."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any

Work = Callable[[Sequence[Any]], Sequence[Any]]


class Full(Exception):
    """There is no room in the queue, or it takes no more."""


class Job:
    """The items of one request; `future` gets what `then` makes of their outcomes, in the thread of the last one."""

    def __init__(self, items: Sequence[Any], then: Callable[[list[Any]], Any]) -> None:
        self.items: list[Any] = list(items)
        self.outcomes: list[Any] = [None] * len(self.items)
        self.left = len(self.items)
        self.then = then
        self.future: Future[Any] = Future()


class Batcher:
    """Workers and the queue before them.

    Each worker is a thread that takes up to `size` of the items that wait and hands them to `work` at once. It never
    waits for more to come: a lone item is worked on at once, and batches grow by themselves while all are busy.
    Where several workers are idle they share what came.

    Arguments:
        work: outcomes of a batch of items, in order; what it raises becomes the outcome of each.
        workers: threads.
        room: how many items may wait.
        size: of a batch.
        tell: is told the size of each batch, in the worker's thread.

    >>> with Batcher(lambda items: [2 * i for i in items], workers=1, room=4) as batcher:
    ...     batcher.submit([1, 2], sum).future.result()
    6
    """

    def __init__(
        self, work: Work, *, workers: int, room: int, size: int = 8, tell: Callable[[int], None] = lambda size: None
    ) -> None:
        self.work, self.workers, self.room, self.size, self.tell = work, workers, room, size, tell
        self._queue: deque[tuple[Job, int]] = deque()
        self._change = threading.Condition()
        self._idle, self._open = 0, False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Batcher:
        self._open = True
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{k}", daemon=True) for k in range(self.workers)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more, finish what waits, end the workers."""
        with self._change:
            self._open = False
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def __len__(self) -> int:
        return len(self._queue)

    def submit(self, items: Sequence[Any], then: Callable[[list[Any]], Any]) -> Job:
        """Queue the items of a request, all or none; Full where they do not fit."""
        job = Job(items, then)
        with self._change:
            if not self._open or len(self._queue) + len(job.items) > self.room:
                raise Full
            self._queue.extend((job, place) for place in range(len(job.items)))
            self._change.notify(len(job.items))
        return job

    def drop(self, job: Job) -> None:
        """Take the items that still wait out of the queue: nobody wants them any more."""
        job.future.cancel()
        with self._change:
            self._queue = deque(entry for entry in self._queue if entry[0] is not job)

    def _run(self) -> None:
        while batch := self._take():
            self.tell(len(batch))
            try:
                outcomes = self.work([job.items[place] for job, place in batch])
            except Exception as problem:
                outcomes = [problem] * len(batch)
            for (job, place), outcome in zip(batch, outcomes):
                self._finish(job, place, outcome)

    def _take(self) -> list[tuple[Job, int]]:
        """The next batch; empty at the end."""
        with self._change:
            self._idle += 1
            while not self._queue and self._open:
                self._change.wait()
            share = -(-len(self._queue) // self._idle)
            self._idle -= 1
            return [self._queue.popleft() for _ in range(min(self.size, share))]

    def _finish(self, job: Job, place: int, outcome: Any) -> None:
        with self._change:
            job.items[place], job.outcomes[place] = None, outcome  # its bytes are wanted no longer
            job.left -= 1
            if job.left or job.future.cancelled():
                return
        try:
            answer = job.then(job.outcomes)
        except Exception as problem:
            _settle(job.future.set_exception, problem)
        else:
            _settle(job.future.set_result, answer)


def _settle(settle: Callable[[Any], None], value: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # dropped in the meantime
        settle(value)
