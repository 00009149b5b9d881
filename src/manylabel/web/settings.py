"""What a server is told when it starts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from manylabel.labels import ManylabelError

MIB = 1 << 20
MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # beyond it no image is decoded anywhere in manylabel


@dataclass(frozen=True)
class Settings:
    """Where a server listens, whom it answers, and how much it takes.

    Arguments:
        name: of the model, as the answers give it.
        host, port: the address to listen at; port 0 takes any that is free.
        token: what requests must carry as `Authorization: Bearer TOKEN`.
        no_token: listen beyond this machine without one.
        names: further host names by which the server is called; IP addresses, `localhost` and `host` always are.
        url_hosts: from which hosts (NAME or NAME:PORT) images may be fetched.
        review: the CSV that verdicts are appended to.
        max_files: images in a request.
        max_bytes: of a request's body.
        max_image_bytes: of one image file.
        max_pixels: of one image, width times height.
        max_waiting: images in the queue.
        max_held: bytes of all bodies held at once.
        max_connections: open at once.
        timeout: seconds that a body may take to arrive, and then an answer.

    Raises ManylabelError for a value that is no good, and for an address beyond this machine without a token.
    """

    name: str = "model"
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    no_token: bool = False
    names: tuple[str, ...] = ()
    url_hosts: tuple[str, ...] = ()
    review: Path | None = None
    max_files: int = 32
    max_bytes: int = 64 * MIB
    max_image_bytes: int = 20 * MIB
    max_pixels: int = 50_000_000
    max_waiting: int = 256
    max_held: int = 512 * MIB
    max_connections: int = 512
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for word in ("max_files", "max_bytes", "max_image_bytes", "max_pixels", "max_waiting", "max_connections"):
            if getattr(self, word) < 1:
                raise ManylabelError(f"expected 1 or more as {word.replace('_', '-')}, got {getattr(self, word)}")
        if not 0 < self.timeout < 86_400:
            raise ManylabelError(f"expected seconds above 0 and below a day as the timeout, got {self.timeout}")
        if self.max_pixels > MOST_PIXELS:
            raise ManylabelError(f"max-pixels can be {MOST_PIXELS:,} at most, got {self.max_pixels:,}")
        if self.max_waiting < self.max_files:
            raise ManylabelError(
                f"max-waiting {self.max_waiting} is less than max-files {self.max_files}: a full request never fits"
            )
        if self.max_held < self.max_bytes:
            raise ManylabelError(f"max_held {self.max_held} is less than max_bytes {self.max_bytes}")
        self._check_who()

    def _check_who(self) -> None:
        if self.token is not None and not re.fullmatch(r"[!-~]+", self.token):
            raise ManylabelError("a token is made of visible ASCII characters without blanks, and is not empty")
        if self.token is None and not self.no_token and not is_loopback(self.host):
            raise ManylabelError(
                f"listening at {self.host} lets other machines in: give a token (--token, or better the variable"
                " MANYLABEL_TOKEN), or say --no-token if everybody who can reach it may use it"
            )
        for place in self.url_hosts:
            if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s/:@\[\]?#]+)(:\d{1,5})?", place):
                raise ManylabelError(f"expected a host name such as images.example.org as --url-host, got {place!r}")


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is reached from this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "192.168.1.5", "example.org")]
    [True, True, True, False, False, False]
    """
    address = literal(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host name spells out, or None where it is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
