"""What `/metrics` tells: the text format of Prometheus, version 0.0.4."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 3, 4, 5, 6, 7, 8)
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts below bounds, with sum and number."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str = "") -> list[str]:
        """Cumulative buckets, sum and count.

        >>> sizes = Histogram((1, 2)); sizes.add(2); sizes.lines("size")
        ['size_bucket{le="1"} 0', 'size_bucket{le="2"} 1', 'size_bucket{le="+Inf"} 1', 'size_sum 2', 'size_count 1']
        """
        before, total, told = f"{labels}," if labels else "", 0, []
        for bound, count in zip((*map("{:g}".format, self.bounds), "+Inf"), self.counts):
            total += count
            told.append(f'{name}_bucket{{{before}le="{bound}"}} {total}')
        around = f"{{{labels}}}" if labels else ""
        return [*told, f"{name}_sum{around} {self.sum:.15g}", f"{name}_count{around} {total}"]


class Counters:
    """Counted since the start; may be told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[tuple[str, int]] = Counter()
        self.errors: Counter[str] = Counter()
        self.images = 0
        self.seconds: dict[str, Histogram] = {}
        self.batches = Histogram(SIZES)

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered; `path` is a route, of which there are few."""
        with self._lock:
            self.requests[path, status] += 1
            self.seconds.setdefault(path, Histogram(SECONDS)).add(seconds)

    def error(self, kind: str) -> None:
        """A request was refused, or an image of one."""
        with self._lock:
            self.errors[kind] += 1

    def batch(self, size: int) -> None:
        """A batch was begun."""
        with self._lock:
            self.batches.add(size)

    def scored(self, images: int) -> None:
        """Images were answered for."""
        with self._lock:
            self.images += images

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it; `gauges`: name -> (what it is, its value now)."""
        with self._lock:
            requests = [f'manylabel_requests_total{{path="{path}",status="{status}"}} {number}'
                        for (path, status), number in sorted(self.requests.items())]  # fmt: skip
            errors = [f'manylabel_errors_total{{kind="{k}"}} {n}' for k, n in sorted(self.errors.items())]
            seconds = [line for path, histogram in sorted(self.seconds.items())
                       for line in histogram.lines("manylabel_request_seconds", f'path="{path}"')]  # fmt: skip
            images = [f"manylabel_images_total {self.images}"]
            batches = self.batches.lines("manylabel_batch_images")
        lines = [
            *_about("requests_total", "counter", "Requests answered, by route and status."), *requests,
            *_about("images_total", "counter", "Images answered for."), *images,
            *_about("errors_total", "counter", "Refused requests and images, by kind."), *errors,
            *_about("request_seconds", "histogram", "From the first byte of a request to its answer."), *seconds,
            *_about("batch_images", "histogram", "Images computed at once."), *batches,
        ]  # fmt: skip
        for name, (meaning, value) in gauges.items():
            lines += [*_about(name, "gauge", meaning), f"manylabel_{name} {value:.15g}"]
        return "\n".join(lines) + "\n"


def _about(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP manylabel_{name} {meaning}", f"# TYPE manylabel_{name} {kind}"]
