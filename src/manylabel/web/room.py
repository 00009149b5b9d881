"""How many pixels are decoded at once, so that memory does not grow with the number of cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """So many pixels at once, in all threads together; who comes first goes first.

    A picture of few bytes can have many pixels, and each takes up to 40 bytes while it becomes RGB. Sixteen workers
    with the largest one each would take thirty gigabytes.

    Arguments:
        most: pixels; a picture of more has the room for itself.

    >>> room = Room(100)
    >>> with room.taken(60), room.taken(40):
    ...     room.used
    100
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self._turn, self._change = threading.Lock(), threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait until they fit in, and hold them."""
        pixels = min(pixels, self.most)
        with self._turn, self._change:  # one waits at a time: small pictures do not pass a large one for ever
            self._change.wait_for(lambda: self.used + pixels <= self.most)
            self.used += pixels
        try:
            yield
        finally:
            with self._change:
                self.used -= pixels
                self._change.notify()
