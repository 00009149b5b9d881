"""Who may come in: host, origin and token of a request, before a byte of its body is read."""

from __future__ import annotations

import hmac
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings, literal

OPEN = ("/", "/review", "/browse", "/health")
"""Paths that need no token: they say nothing of images; nor do the files of the pages below /static/."""
READS = ("GET", "HEAD", "OPTIONS")


def check(method: str, path: str, headers: Headers, settings: Settings) -> None:
    """Raise a Refusal for a request that must not come in."""
    _host(headers, settings)
    if method not in READS:
        _origin(headers)
    _token(path, headers, settings)
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "body", "a compressed body is not read; send it as it is")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Refusal(400, "body", "Content-Length is no number")
    if len(length) > 15 or int(length) > settings.max_bytes:
        raise too_long(settings)


def too_long(settings: Settings) -> Refusal:
    """413 for a body."""
    return Refusal(413, "bytes", f"the request has more than {settings.max_bytes:,} bytes")


def _host(headers: Headers, settings: Settings) -> None:
    """Only names that are ours: a page elsewhere may let its own name lead here (DNS rebinding), never an address."""
    host = _name(headers.get("host", ""))
    ours = {"localhost", settings.host.lower(), *(name.lower() for name in settings.names)}
    if host not in ours and literal(host) is None:
        raise Refusal(400, "host", f"this server is not called {host!r}; name it with --name to allow that")


def _name(host: str) -> str:
    """The host of "host:port" in small letters, an IPv6 address without its brackets; what is neither stays whole."""
    parts = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^\s/:@\[\]?#]*))(?::\d{1,5})?", host.lower())
    return (parts[1] or parts[2]) if parts else host


def _origin(headers: Headers) -> None:
    """No page of another site may have its visitors' browsers send anything here."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    other = origin is not None and _place(origin) != headers.get("host", "").lower()
    if other or site in ("cross-site", "same-site"):
        raise Refusal(403, "cross_site", "this came from a page of another site")


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _token(path: str, headers: Headers, settings: Settings) -> None:
    if settings.token is None or path in OPEN or path.startswith("/static/"):
        return
    scheme, _, given = headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), settings.token.encode())
    if scheme.lower() != "bearer" or not right:
        raise Refusal(401, "token", "expected Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
