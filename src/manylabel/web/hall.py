"""Around every request: the door, the bytes of its body, headers, counters, one line of log; nothing else leaves."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manylabel.web import door
from manylabel.web.counters import Counters
from manylabel.web.refusal import Refusal, full
from manylabel.web.settings import Settings

HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
DRAIN_SECONDS, DRAIN_IDLE = 5.0, 0.5
SEND_SECONDS = 120.0  # for an answer that its client takes slowly; then the connection is closed


class Hall:
    """The outermost layer of the application.

    Arguments:
        app: what answers.
        settings: of the server.
        counters: told of every request.
    """

    def __init__(self, app: ASGIApp, settings: Settings, counters: Counters) -> None:
        self.app, self.settings, self.counters = app, settings, counters
        self.held = 0  # bytes of bodies, all requests together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        visit = Visit(self, scope, receive, send)
        try:
            await visit.serve()
        finally:
            self.held -= visit.held


@dataclass
class Visit:
    """One request on its way through."""

    hall: Hall
    scope: Scope
    inner_receive: Receive
    inner_send: Send
    size: int = 0
    held: int = 0  # bytes of its body that count as held
    status: int = 0
    ended: bool = False  # the body has come to its end, or its sender has gone
    begun: float = field(default_factory=time.perf_counter)

    async def serve(self) -> None:
        """Let it in and answer it, or refuse it; and say so."""
        told = ""
        try:
            headers = Headers(scope=self.scope)
            self.ended = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
            door.check(self.scope["method"], self.scope["path"], headers, self.hall.settings)
            await self.hall.app(self.scope, self.receive, self.send)
        except Refusal as refusal:
            told = refusal.detail if refusal.status >= 500 else ""
            await self.refuse(refusal)
        except Exception as problem:
            told = where(problem)
            await self.refuse(Refusal(500, "internal", "the server failed; its log says why"))
        finally:
            self.note(told)

    async def receive(self) -> Message:
        """The next message; a body that is too long or too slow, or for which there is no room, is refused."""
        settings = self.hall.settings
        if self.ended:
            return await self.inner_receive()
        try:
            async with asyncio.timeout(self.begun + settings.timeout - time.perf_counter()):
                message = await self.inner_receive()
        except TimeoutError:
            raise Refusal(408, "slow", f"the body did not arrive within {settings.timeout:g} seconds") from None
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        count = len(message.get("body", b""))
        self.size += count
        self.held += count
        self.hall.held += count
        if self.size > settings.max_bytes:
            raise door.too_long(settings)
        if self.hall.held > settings.max_held:
            raise full("the server holds as many bytes as it may")
        return message

    async def send(self, message: Message) -> None:
        """Pass an answer on; before its end the rest of the body is let in and thrown away.

        A server that closes while its client still sends takes the answer away from it.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.hall.held -= self.held  # the body has been read, however slowly its answer is taken
            self.held = 0
            given = [(name, value) for name, value in message["headers"] if name.decode().lower() not in HEADERS]
            message = {**message, "headers": [*given, *((k.encode(), v.encode()) for k, v in HEADERS.items())]}
        elif not self.ended and not message.get("more_body", False):
            await self.inner_send({**message, "more_body": True})
            await self.drain()
            message = {"type": "http.response.body", "body": b""}
        async with asyncio.timeout(SEND_SECONDS):
            await self.inner_send(message)

    async def drain(self) -> None:
        """Throw away what still comes: for some seconds, at most two longest bodies, not once nothing comes."""
        rest, end = 0, time.perf_counter() + DRAIN_SECONDS
        try:
            while rest < 2 * self.hall.settings.max_bytes and time.perf_counter() < end:
                async with asyncio.timeout(DRAIN_IDLE):
                    message = await self.inner_receive()
                rest += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
        except TimeoutError:
            pass

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, if no answer was begun."""
        self.hall.counters.error(refusal.kind)
        if self.status:
            return
        body = refusal.body()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        if not self.ended:
            headers["connection"] = "close"
        raw = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": b"" if self.scope["method"] == "HEAD" else body})

    def note(self, told: str) -> None:
        """Count the request and log it, without the names of images."""
        seconds = time.perf_counter() - self.begun
        route = getattr(self.scope.get("route"), "path", "other")
        self.hall.counters.request(route, self.status, seconds)
        client = (self.scope.get("client") or ("-",))[0]
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {client} {self.scope['method']} "
        line += quote(self.scope["path"], errors="replace")[:100]
        images = self.scope.get("state", {}).get("images")
        line += f" {self.status} {seconds:.3f}s {self.size}B" + (f" {images} images" if images is not None else "")
        print(line + (f" {told}" if told else ""), file=sys.stderr, flush=True)


def where(problem: BaseException) -> str:
    """An exception in one line: kind, message, file and line."""
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}{place}"
