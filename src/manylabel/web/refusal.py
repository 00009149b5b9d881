"""What a server answers where it does not do as asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

AGAIN = {"Retry-After": "1"}


@dataclass(eq=False)
class Refusal(Exception):
    """An answer of a 4xx or 5xx status.

    Arguments:
        status: of HTTP.
        kind: one word for the counters.
        detail: what was wrong and what to do, for the one who asked.
        headers: to send with it.
    """

    status: int
    kind: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """The JSON of the answer."""
        return json.dumps({"detail": self.detail}, ensure_ascii=False).encode("utf-8", "replace")


def full(what: str) -> Refusal:
    """503: come again."""
    return Refusal(503, "full", f"{what}; try again in a second", AGAIN)
