"""The application on a socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
import warnings
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from PIL import Image
from uvicorn.protocols.http.h11_impl import H11Protocol

from manylabel.labels import ManylabelError
from manylabel.web.settings import Settings

HEADER_SECONDS = 10.0
FAREWELL_SECONDS = 5  # on top of the timeout: what was begun is answered by then


class Connection(H11Protocol):
    """One connection, closed where the head of a request takes too long to come, however many bytes drip."""

    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._time_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
        super().connection_lost(exc)

    def _time_head(self) -> None:
        """Start the timer when a head is due, stop it when it is there."""
        due = self.conn.their_state is h11.IDLE
        if due and self.head_timer is None:
            self.head_timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)
        elif not due and self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


def listen(settings: Settings) -> socket.socket:
    """A socket at the address; ManylabelError where it cannot be had."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError) as problem:
        raise _taken(settings, problem) from None
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)  # who comes before the server is ready waits
    except (OSError, OverflowError) as problem:
        listener.close()
        raise _taken(settings, problem) from None
    return listener


def _taken(settings: Settings, problem: Exception) -> ManylabelError:
    return ManylabelError(f"cannot listen at {settings.host}:{settings.port}: {problem}")


def make_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server of an application, not yet running; it logs nothing itself."""
    config = uvicorn.Config(
        app, http=Connection, ws="none", lifespan="on", loop="asyncio", log_config=None, log_level="critical",
        access_log=False, server_header=False, proxy_headers=False, limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=int(settings.timeout) + FAREWELL_SECONDS,
    )  # fmt: skip
    return uvicorn.Server(config)


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests that were begun are answered before this returns."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged uploads: the log has a line a request, no more
    warnings.simplefilter("error", Image.DecompressionBombWarning)  # refused as all that is too large, not warned of
    listener = listen(settings)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"serving {settings.name} at http://{shown}:{port}/ (Ctrl-C ends)", file=sys.stderr, flush=True)
    make_server(app, settings).run(sockets=[listener])
