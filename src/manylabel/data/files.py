"""Image files of a large set: kept as text, a `Path` only where one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsIndex, overload


class Files(Sequence[Path]):
    """Absolute paths of N files.

    >>> files = Files(["/photos/a.jpg", "/photos/b.jpg"])
    >>> files[1].name, len(files[1:]), [path.stem for path in files]
    ('b.jpg', 1, ['a', 'b'])
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(texts)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Path | Files:
        return Files(self.texts[index]) if isinstance(index, slice) else Path(self.texts[index])

    def __len__(self) -> int:
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(a == b for a, b in zip(self, other))

    __hash__ = None  # type: ignore[assignment]

    def take(self, index: Iterable[int]) -> Files:
        """Those at the places in `index`, in that order."""
        return Files(self.texts[i] for i in index)
