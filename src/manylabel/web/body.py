"""The body of a request: counted while it streams, never on disk, and its files one by one."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from manylabel.web.refusal import Refusal
from manylabel.web.settings import Settings

MOST_JSON = 1 << 16


@dataclass
class Upload:
    """A file as it came: its name, and its bytes or why it was refused; `pixels` is what decoding takes."""

    name: str
    data: bytes = b""
    refused: Refusal | None = None
    pixels: int = 0


@dataclass
class _Part:
    disposition: bytes = b""
    wanted: str = ""
    name: str = ""
    data: bytearray = field(default_factory=bytearray)
    size: int = 0


class Files:
    """Takes a multipart body chunk by chunk; files longer than `most_bytes` are counted but not kept.

    Raises Refusal for another field than `wanted`, and for more than `most` files, as soon as they come.
    """

    def __init__(self, boundary: bytes, wanted: str, *, most: int, most_bytes: int) -> None:
        self.wanted, self.most, self.most_bytes = wanted, most, most_bytes
        self.uploads: list[Upload] = []
        self.complete = False
        self._part, self._header, self._value = _Part(), bytearray(), bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._named,
                "on_part_data": self._more,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._parser.write(chunk)

    def _begin(self) -> None:
        self._part = _Part()

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._part.disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _named(self) -> None:
        _, options = parse_options_header(self._part.disposition)
        self._part.wanted = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.name = plain_name(options.get(b"filename", b"").decode("utf-8", "replace"))
        if self._part.wanted != self.wanted:
            raise Refusal(
                422, "parameter", f"expected files in the field {self.wanted!r}, got a field {self._part.wanted[:80]!r}"
            )
        if len(self.uploads) >= self.most:
            raise Refusal(413, "files", f"at most {self.most} {'file' if self.most == 1 else 'files'} in a request")

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._part.size += end - start
        if self._part.size <= self.most_bytes:
            self._part.data += data[start:end]
        else:
            self._part.data.clear()

    def _end(self) -> None:
        refused = None
        if self._part.size > self.most_bytes:
            refused = Refusal(413, "bytes", f"{self._part.size:,} bytes are more than {self.most_bytes:,}")
        self.uploads.append(Upload(self._part.name, bytes(self._part.data), refused))

    def _all(self) -> None:
        self.complete = True


def plain_name(name: str) -> str:
    """The last part of a file's name, without characters that control a terminal; never used to open anything.

    >>> [plain_name(name) for name in ("../../etc/passwd", "C:\\\\photos\\\\cat.jpg", "a\\r\\nb.jpg", "..")]
    ['passwd', 'cat.jpg', 'ab.jpg', 'image']
    """
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))[:255]
    return "image" if shown.strip() in ("", ".", "..") else shown


def kind_of(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_files(request: Request, wanted: str, settings: Settings, *, most: int) -> list[Upload]:
    """The files of a multipart body; Refusal where it is none or has none."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if kind_of(request) != "multipart/form-data" or not options.get(b"boundary"):
        raise Refusal(415, "body", f"expected multipart/form-data with images in the field {wanted!r}")
    try:
        files = Files(options[b"boundary"], wanted, most=most, most_bytes=settings.max_image_bytes)
        async for chunk in request.stream():
            files.write(chunk)
    except FormParserError as problem:
        raise Refusal(422, "body", f"the multipart body is damaged: {problem}") from None
    except ClientDisconnect:
        raise gone() from None
    if not files.complete:
        raise Refusal(422, "body", "the multipart body is damaged: it has no end")
    if not files.uploads:
        raise Refusal(422, "parameter", f"there is no file: expected images in the field {wanted!r}")
    return files.uploads


async def read_json(request: Request) -> dict[str, Any]:
    """The object of a JSON body."""
    if kind_of(request) != "application/json":
        raise Refusal(415, "body", "expected application/json")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_JSON:
                raise Refusal(413, "bytes", f"at most {MOST_JSON:,} bytes of JSON")
        content = json.loads(body.decode("utf-8"))
    except ClientDisconnect:
        raise gone() from None
    except (ValueError, RecursionError) as problem:  # bad UTF-8 and bad JSON are ValueErrors
        raise Refusal(422, "body", f"the body is no JSON: {problem}") from None
    if not isinstance(content, dict):
        raise Refusal(422, "body", f"expected an object {{...}}, got {type(content).__name__}")
    return content


def gone() -> Refusal:
    """The client hung up; the status is for the log only."""
    return Refusal(499, "gone", "the client has gone")
