"""Files inside tar archives: their members one after the other without extracting, and the bytes of one by its path."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from manylabel.labels import ManylabelError

ENDINGS = (".tar", ".tar.gz", ".tgz")
BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError, RecursionError)
BLOCK = 512
OCTAL = re.compile(rb"[0-7]+\Z")
CHUNK = 1 << 20


class _Member(tarfile.TarInfo):
    """A header read as `tarfile` does, but of a plain file only what is needed: of a million, that is half the time."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> _Member:
        size = bytes(buf[124:136]).strip(b" \0")
        told = bytes(buf[148:156]).strip(b" \0")
        plain = len(buf) == BLOCK and buf[156:157] == tarfile.REGTYPE and OCTAL.match(size) and OCTAL.match(told)
        if not plain or sum(buf) - sum(buf[148:156]) + 8 * ord(" ") != int(told, 8):
            return super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        name, prefix = (
            bytes(part).partition(b"\0")[0].decode(encoding or "utf-8", errors) for part in (buf[:100], buf[345:500])
        )
        member = cls(f"{prefix}/{name}" if prefix else name)
        member.size, member.type = int(size, 8), tarfile.REGTYPE
        return member


class Shard:
    """A tar archive as a stream of its members.

    Iterating gives every member in order, keeping none of them. `damage` then says what is wrong with the archive, or
    is "": where a header is damaged the members behind it cannot be found.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.damage = path, ""
        try:
            self._tar = tarfile.open(path, "r:*", tarinfo=_Member)  # noqa: SIM115, closed at the end of the iteration
        except BROKEN as problem:
            raise ManylabelError(f"{path}: not a readable tar archive ({problem})") from None

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        with self._tar as tar:
            name = "its start"
            try:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # else a million headers would stay
                    yield member
                    name = member.name
                self.damage = self._end(tar)
            except BROKEN as problem:
                self.damage = f"damaged or cut off after {name!r} ({problem})"

    def _end(self, tar: tarfile.TarFile) -> str:
        """What is wrong with the end: `tarfile` itself takes a damaged header for the end."""
        file = tar.fileobj
        assert file is not None
        file.seek(tar.offset)
        block = file.read(BLOCK)
        if not block.strip(b"\0") and len(block) < BLOCK:
            return "it ends without the empty blocks that end an archive: is it cut off?"
        while block:
            if block.strip(b"\0"):
                return f"what follows byte {tar.offset:,} cannot be read: a damaged header, or archives joined to one"
            block = file.read(CHUNK)
        return ""

    def read(self, member: tarfile.TarInfo, limit: int) -> bytes:
        """The bytes of the member that the iteration has just given; at most `limit`, else an error."""
        if member.size > limit:
            raise ManylabelError(f"{member.size:,} bytes are more than the {limit:,} that labels may have")
        try:
            if member.issparse():  # which only `tarfile` can put together
                return self._tar.extractfile(member).read()  # type: ignore[union-attr]
            assert self._tar.fileobj is not None
            self._tar.fileobj.seek(member.offset_data)
            data: bytes = self._tar.fileobj.read(member.size)
        except BROKEN as problem:
            raise ManylabelError(f"cannot be read: the archive is damaged or cut off ({problem})") from None
        if len(data) < member.size:
            raise ManylabelError(f"expected {member.size:,} bytes, got {len(data):,}: the archive is cut off")
        return data


def split_path(path: str | Path) -> tuple[Path, str] | None:
    """(archive, member) of a path that leads into an archive; None for any other.

    >>> split_path("/data/train-0.tar/000/1.jpg")
    (PosixPath('/data/train-0.tar'), '000/1.jpg')
    """
    text = str(path)
    for ending in ENDINGS:
        place = text.lower().find(f"{ending}/")
        if place > 0 and (cut := place + len(ending)) < len(text) - 1:
            return Path(text[:cut]), text[cut + 1 :]
    return None


def member_bytes(path: str | Path) -> bytes | None:
    """The bytes of `ARCHIVE.tar/MEMBER`; None where the path does not lead into an archive that exists.

    Raises ManylabelError where the archive holds no such member, or is compressed: of those no member can be found
    without reading all before it.
    """
    place = split_path(path)
    if place is None or not place[0].is_file():
        return None
    archive, member = place
    said = archive.stat()
    found = _index(archive, said.st_mtime_ns, said.st_size).get(member)
    if found is None:
        raise ManylabelError(f"{archive} holds no {member!r}")
    with archive.open("rb") as stream:
        stream.seek(found[0])
        return stream.read(found[1])


@lru_cache(64)
def _index(archive: Path, changed: int, size: int) -> dict[str, tuple[int, int]]:
    """{member: (where its bytes start, their number)}, kept for as long as the archive is not changed."""
    if archive.name.lower().endswith(ENDINGS[1:]):
        raise ManylabelError(f"{archive} is compressed: its photographs cannot be read one by one; unpack it to .tar")
    return {one.name.removeprefix("./"): (one.offset_data, one.size) for one in Shard(archive) if one.isreg()}
