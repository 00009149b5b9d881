"""How an image file is laid out, looked through before any reader walks it: small files can be slow to read.

Readers walk headers piece by piece in Python, and a progressive JPEG is decoded whole for every scan it has.
"""

from __future__ import annotations

import re

from manylabel.web.refusal import Refusal

MOST_PIECES = 50_000
"""Chunks, segments, strips or tiles of a file; a PNG of 20 MiB has 2,600 as it is usually written."""
MOST_SCANS = 100
"""Scans of a JPEG; progressive ones have about ten."""
MOST_HEADER = 4096
"""Bytes of the header of a PPM, comments included."""

MARKER = re.compile(rb"\xff([^\x00\xd0-\xd8\xff])", re.DOTALL)  # what a scan itself holds is left out
COMMENT = re.compile(rb"#[^\r\n]*[\r\n]?")
PLACES = (273, 324)  # tags of a TIFF: offsets of strips, of tiles
SCAN, END = b"\xda", b"\xd9"


def check(data: bytes) -> None:
    """Raise a Refusal (413) for a file of too many pieces or scans, or (422) of a header without end."""
    if data[:2] == b"\xff\xd8":
        _jpeg(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        _png(data)
    elif re.match(rb"P[1-6fFy]", data):
        _ppm(data[:MOST_HEADER])
    elif data[:4] in (b"II*\0", b"MM\0*"):
        _tiff(data, start=4, size=4, entry=12)
    elif data[:4] in (b"II+\0", b"MM\0+"):
        _tiff(data, start=8, size=8, entry=20)


def check_pieces(count: int) -> None:
    """413 for too many."""
    if count > MOST_PIECES:
        raise Refusal(413, "pixels", f"it has more than {MOST_PIECES:,} pieces; save the image anew")


def _jpeg(data: bytes) -> None:
    place, pieces, scans = 2, 0, 0
    while marker := MARKER.search(data, place):
        pieces += 1 + 2 * data.count(b"\xff\xff", place, marker.start() + 1)  # bytes that fill, each walked over too
        scans += marker[1] == SCAN
        check_pieces(pieces)
        if scans > MOST_SCANS:
            raise Refusal(413, "pixels", f"a JPEG may have {MOST_SCANS} scans; save the image anew")
        if marker[1] == END:
            return
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    check_pieces(pieces + 2 * data.count(b"\xff\xff", place))


def _png(data: bytes) -> None:
    place, pieces = 8, 0
    while place < len(data) and pieces <= MOST_PIECES:
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        pieces += 1
    check_pieces(pieces)


def _tiff(data: bytes, *, start: int, size: int, entry: int) -> None:
    """Of the first directory how many strips or tiles it tells the places of."""

    def number(place: int, width: int) -> int:
        return int.from_bytes(data[place : place + width], "little" if data[:1] == b"I" else "big")

    before = 2 if size == 4 else 8  # the width of the number of entries
    first = number(start, size) + before
    for k in range(min(number(first - before, before), 1000)):
        if number(first + k * entry, 2) in PLACES:
            check_pieces(number(first + k * entry + 4, size))


def _ppm(start: bytes) -> None:
    """Kind, width and height, and but for bitmaps (P1, P4) the brightest value, each with a blank behind it."""
    words = 3 if start[:2] in (b"P1", b"P4") else 4
    if not re.match(rb"(\S+\s+){%d}" % words, COMMENT.sub(b"", start)):
        raise Refusal(422, "damaged", f"damaged: the header of a PPM has at most {MOST_HEADER:,} bytes")
