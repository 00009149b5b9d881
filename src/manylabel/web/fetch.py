"""Images fetched from addresses: only from hosts that were named, only from the open internet, within limits."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import h11

from manylabel.web.body import Upload
from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings, literal

PORTS = {"http": 80, "https": 443}
AGENT = "manylabel"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Allowance:
    """The bytes that may still come for a request."""

    left: int

    def take(self, count: int) -> None:
        """Count them; a Refusal where they are too many."""
        self.left -= count
        if self.left < 0:
            raise Refusal(413, "bytes", "the images of this request have too many bytes together")


async def fetch(url: str, settings: Settings, allowance: Allowance) -> Upload:
    """The file at `url`, or why it was refused; its name is the url."""
    try:
        async with asyncio.timeout(settings.timeout):
            return Upload(url, await _fetched(url, settings, allowance))
    except Refusal as refused:
        return Upload(url, refused=refused)
    except TimeoutError:
        return Upload(url, refused=_bad(f"no whole answer within {settings.timeout:g} seconds"))
    except (OSError, h11.RemoteProtocolError) as problem:
        return Upload(url, refused=_bad(f"cannot be fetched: {problem}"))


async def _fetched(url: str, settings: Settings, allowance: Allowance) -> bytes:
    parts, port = checked(url, settings.url_hosts)
    host = parts.hostname or ""
    address = await resolved(host, port)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        str(address), port, ssl=context, server_hostname=host if context else None
    )
    try:
        return await _talk(reader, writer, parts, most=settings.max_image_bytes, allowance=allowance)
    finally:
        writer.close()


def checked(url: str, hosts: tuple[str, ...]) -> tuple[SplitResult, int]:
    """The parts and the port of a url that may be fetched; else a Refusal.

    A host named without a port is served at 80 and 443 only, one named with a port at that only.
    """
    try:
        if not re.fullmatch(r"[!-~]{1,2000}", url):
            raise ValueError("expected ASCII without blanks, as browsers send it")
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as problem:
        raise Refusal(422, "url", f"this is no address: {problem}") from None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise Refusal(422, "url", "expected an address such as https://host/image.jpg")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    named = {name.lower() for name in hosts}
    if f"{host}:{port}" not in named and not (host in named and port in PORTS.values()):
        raise Refusal(403, "url", f"images are not fetched from {host}:{port}; the server names others (--url-host)")
    return parts, port


async def resolved(host: str, port: int) -> Address:
    """The address to connect to, and to no other: a name must lead to the open internet with all its addresses."""
    own = literal(host)
    if own is not None:
        return own  # named by its very address
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    inside = [address for address in addresses if not is_outside(address)]
    if inside or not addresses:
        raise Refusal(403, "url", f"{host} leads to an address that is not on the open internet")
    return addresses[0]


def is_outside(address: Address) -> bool:
    """Whether an address is on the open internet, also where IPv6 wraps an IPv4 address.

    >>> [is_outside(ipaddress.ip_address(a)) for a in ("8.8.8.8", "::ffff:10.0.0.1", "64:ff9b::a00:1", "224.0.0.1")]
    [True, False, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in ipaddress.ip_network("64:ff9b::/96"):  # NAT64
            return is_outside(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        wrapped = address.ipv4_mapped or address.sixtofour
        if wrapped is not None:
            return is_outside(wrapped)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: SplitResult, *, most: int, allowance: Allowance
) -> bytes:
    """Ask for the file and take it, as long as it is no redirect, not compressed and not too long."""
    http, body = h11.Connection(our_role=h11.CLIENT), bytearray()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [("Host", parts.netloc), ("User-Agent", AGENT), ("Accept", "image/*"), ("Accept-Encoding", "identity"),
               ("Connection", "close")]  # fmt: skip
    writer.write(http.send(h11.Request(method="GET", target=target, headers=headers)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            _check_answer(event, most)
        elif isinstance(event, h11.Data):
            body += event.data
            allowance.take(len(event.data))
            if len(body) > most:
                raise _long(most)
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)


def _check_answer(response: h11.Response, most: int) -> None:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
    if 300 <= response.status_code < 400:
        raise _bad(f"its server sends elsewhere (status {response.status_code}), which is not followed")
    if response.status_code != 200:
        raise _bad(f"its server answered with status {response.status_code}")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _bad("its server compressed it against our wish")
    if int(headers.get("content-length", "0")) > most:
        raise _long(most)


def _long(most: int) -> Refusal:
    return Refusal(413, "bytes", f"more than {most:,} bytes")


def _bad(why: str) -> Refusal:
    return Refusal(422, "url", why)
