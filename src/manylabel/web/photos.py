"""The photographs of a label file for a page: small, upright, asked for by row, never by path."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from manylabel.data.dataset import Dataset
from manylabel.data.images import DamagedImage, thumbnail_jpeg
from manylabel.web.refusal import Refusal

if TYPE_CHECKING:
    from manylabel.data.files import Files

MIB = 1 << 20
SIZES = {"small": 320, "large": 1600}
"""The longest side in pixels."""


class Photos:
    """JPEGs of image files, the last ones kept in memory.

    Arguments:
        paths: of each row, as the label file names them.
        roots: folders; a file that does not lie below one of them, once all links are followed, is refused.
        room: bytes of JPEGs kept.
    """

    def __init__(self, paths: Sequence[Path], roots: Sequence[Path], *, room: int = 64 * MIB) -> None:
        self.paths, self.roots, self.room = paths, [Path(root).resolve() for root in roots], room
        self.hands = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "photo")
        self._kept: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()

    def jpeg(self, row: int, size: str) -> bytes:
        """The photograph of a row at one of `SIZES`; Refusal where there is none, or none that can be read."""
        with self._lock:
            if (row, size) in self._kept:
                self._kept.move_to_end((row, size))
                return self._kept[row, size]
        made = self._made(row, size)
        with self._lock:
            self._bytes += len(made) - len(self._kept.pop((row, size), b""))
            self._kept[row, size] = made
            while self._bytes > self.room and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return made

    def _made(self, row: int, size: str) -> bytes:
        if not 0 <= row < len(self.paths):
            raise Refusal(404, "row", f"there is no row {row}; rows are 0 to {len(self.paths) - 1}")
        named = self.paths[row]
        try:
            return thumbnail_jpeg(self.allowed(named), SIZES[size])
        except DamagedImage as problem:
            told = str(problem).removeprefix(f"{self.allowed(named)}: ")
            raise Refusal(422, "damaged", f"{named.name}: {told}") from None

    def allowed(self, path: Path) -> Path:
        """The file itself, links followed; Refusal where it lies in none of the folders."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # links that lead round in a circle
            raise Refusal(422, "damaged", f"{path.name}: cannot be read") from None
        if not any(real.is_relative_to(root) for root in self.roots):
            raise Refusal(
                403, "outside", f"{path.name} lies outside the folder of the images; --root says where they are"
            )
        return real


def roots_of(dataset: Dataset, root: str | None) -> list[Path]:
    """The folders that images may lie in: `root` where it is given, else that of the label file, or the one above it
    where some image is named there, as in a folder annotations/ beside images/.

    A label file can name any file of the machine; what lies elsewhere is shown only on the word of who serves it.
    """
    if root is not None:
        return [Path(root)]
    source = Path(os.path.abspath(dataset.source))
    folder = source if source.is_dir() else source.parent
    before = os.path.join(folder, "")
    inside = all(text.startswith(before) for text in cast("Files", dataset.paths).texts)
    return [folder] if inside else [folder.parent]
