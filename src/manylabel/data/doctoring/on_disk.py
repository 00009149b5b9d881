"""What lies in the folders of the images: files that no row names, and files whose names nearly are those of a row."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from manylabel.data.dataset import IMAGE_ENDINGS, Dataset
from manylabel.data.files import Files


class Listings:
    """What lies in folders, each read once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "Cat.JPG").write_bytes(b"")
    ...     found = Listings()
    ...     Path(found.spelt(Path(folder, "cat.jpg"))).name, found.spelt(Path(folder, "dog.jpg"))
    ('Cat.JPG', '')
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[set[str], dict[str, list[str]], dict[str, list[str]]]] = {}

    def spelt(self, path: Path) -> str:
        """The file meant by an absolute path that does not exist: other capitals, Unicode form, or image ending.

        Returns "" where there is none, or several.
        """
        there = path.anchor
        for part in path.parts[1:]:
            names, plain, stems = self._inside(there)
            found = [part] if part in names else plain.get(_plain(part), [])
            if not found and part == path.name:
                found = stems.get(_plain(os.path.splitext(part)[0]), [])
            if len(found) != 1:
                return ""
            there = os.path.join(there, found[0])
        return there

    def _inside(self, folder: str) -> tuple[set[str], dict[str, list[str]], dict[str, list[str]]]:
        if folder not in self._seen:
            try:
                names = os.listdir(folder)
            except OSError:  # no folder, or not for us to read
                names = []
            plain, stems = defaultdict(list), defaultdict(list)
            for name in names:
                plain[_plain(name)].append(name)
                if _is_image(name):
                    stems[_plain(os.path.splitext(name)[0])].append(name)
            self._seen[folder] = set(names), dict(plain), dict(stems)
        return self._seen[folder]


def unnamed(dataset: Dataset, meant: set[str]) -> list[str]:
    """Image files in the folders of the images that no row names, nor means (`meant`), sorted.

    Folders inside are looked into too, unless they lie beside the label file itself, where anything may be.
    """
    paths = dataset.paths
    texts = paths.texts if isinstance(paths, Files) else list(map(str, paths))
    named = set(texts)
    folders = sorted({os.path.dirname(text) for text in texts})
    place = dataset.source.absolute()
    beside = {str(p) for p in (place if place.is_dir() else place.parent, *place.parents)}
    found = {file for folder in folders for file in _below(folder, deep=folder not in beside)}
    return sorted(found - named - meant)


def _below(folder: str, *, deep: bool) -> Iterable[str]:
    for inside, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if deep and not f.startswith(".")]
        yield from (os.path.join(inside, name) for name in files if _is_image(name) and not name.startswith("."))


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
