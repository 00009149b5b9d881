"""Where a YOLO data set keeps what: its class names, the images of each part, and the label file of each image.

data.yaml names folders of images or lists of them; obj.data (Darknet, CVAT) names lists; a folder may have neither. The
label file of an image has its name, with labels/ for the last images/ of its path, or lies beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manylabel.data.dataset import IMAGE_ENDINGS, PART_WORDS
from manylabel.data.formats import _yaml
from manylabel.data.source import Source
from manylabel.labels import ManylabelError, did_you_mean

OWN = ("unboxed", "unlabelled")  # lists that only this library writes: no detector is to learn from these images
IGNORED = {"nc", "names", "path", "classes", "backup", *OWN}
QUIET = {"download", "yaml_file", "author", "date", "version", "license", "stride", "channels", "url", "info", "task"}
NAMES = ("classes.txt", "obj.names", "classes.names", "predefined_classes.txt", "_darknet.labels")
LINE = re.compile(rb"\s*\d+(\.0*)?([ \t]+-?[\d.]+([eE][-+]?\d+)?){4,}[ \t]*\r?(\n|$)")


@dataclass
class Layout:
    """What a data set says of itself.

    Arguments:
        file: the file that says it, or the folder.
        root: the folder at which paths start.
        names: the classes; empty where none is named.
        lists: (train, val, test or one of OWN; folder, list or image as written).
        pose: whether further numbers of a label are key points.
        notes: what was understood.
    """

    file: Path
    root: Path
    names: tuple[str, ...]
    lists: list[tuple[str, str]]
    pose: bool = False
    notes: list[str] = field(default_factory=list)


def find(source: Source) -> Path | None:
    """The file that describes the data set that a file or folder is, the folder if none does; None if it is none."""
    if not source.is_folder:
        return source.path if _describes(source.path) else None
    for name in (*(n for n in ("data.yaml", "dataset.yaml") if n in source.inside), *source.inside):
        if _describes(source.path / name):
            return source.path / name
    return source.path if any(map(is_label, _texts(source))) else None


def _describes(path: Path) -> bool:
    """Whether a file is a data.yaml or an obj.data, by what its first bytes say."""
    if path.suffix.lower() not in (".yaml", ".yml", ".data") or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    parts = re.search(rb"^\s*[\"']?(train|val|valid|test)[\"']?\s*[:=]", head, re.M)
    return bool(parts and re.search(rb"^\s*[\"']?(names|nc|classes)[\"']?\s*[:=]", head, re.M))


def _texts(source: Source) -> Iterator[Path]:
    """Some text files where labels lie if no file says where: in labels/, in a part's labels/, beside the images."""
    tops = [source.path / name for name in source.inside]
    folders = [top for top in tops if top.is_dir() and top.name.lower() in ("labels", "obj_train_data")]
    folders += [top / "labels" for top in tops if top.name.lower() in PART_WORDS and (top / "labels").is_dir()]
    for folder in folders:
        for inside, below, files in os.walk(folder):
            below.sort()
            found = [Path(inside, name) for name in sorted(files) if name.endswith(".txt") and name not in NAMES]
            yield from found[:20]
            if found:
                break
    if any(name in source.inside for name in NAMES):
        yield from [top for top in tops if top.suffix == ".txt" and top.name not in NAMES][:20]


def is_label(path: Path) -> bool:
    """Whether a text file begins with a box as YOLO writes it."""
    with path.open("rb") as stream:
        return LINE.match(stream.read(400)) is not None


def layout(source: Source) -> Layout:
    """What the file or folder says; an error where it is no YOLO data set."""
    file = find(source)
    if file is None or file.is_dir():
        return _undescribed(source)
    text = Source(file).text
    return _darknet(file, text) if file.suffix.lower() == ".data" else _described(file, text)


def _described(file: Path, text: str) -> Layout:
    said = _yaml.parse(text, str(file))
    if not isinstance(said, dict):
        raise ManylabelError(f"{file}: expected keys such as names, train and val, got {type(said).__name__}")
    root, notes = _root(file, said.get("path") or "")
    lists = [
        (part, entry) for key, value in said.items() for part in _part(key) for entry in _entries(file, key, value)
    ]
    if not any(part not in OWN for part, _ in lists):
        raise ManylabelError(f"{file}: expected train, val or test with the images{did_you_mean('train', said)}")
    other = sorted(set(said) - IGNORED - QUIET - set(PART_WORDS) - {"kpt_shape", "flip_idx", "roboflow"})
    if other:
        notes.append(f"Keys of {file.name} that are not read: {', '.join(other[:12])}.")
    return Layout(file, root, _names(file, said), lists, "kpt_shape" in said, notes)


def _part(key: str) -> list[str]:
    """The part that a key of data.yaml stands for, if it does."""
    return [key] if key in OWN else [PART_WORDS[key.lower()]] if key.lower() in PART_WORDS else []


def _root(file: Path, path: Any) -> tuple[Path, list[str]]:
    """The folder at which paths start; that of the file where the one it names is not here."""
    if not isinstance(path, str):
        raise ManylabelError(f"{file}, path: expected the name of a folder, got {type(path).__name__}")
    folder = file.absolute().parent
    for base in (folder, folder.parent):
        if os.path.isdir(base / path):
            return Path(os.path.normpath(base / path)), []
    return folder, [f"There is no folder {path!r}, which {file.name} names as path: its own folder is taken."]


def _entries(file: Path, key: str, value: Any) -> list[str]:
    """The folders, lists and images that a part names."""
    entries = value if isinstance(value, list) else [value] if value != "" else []
    for entry in entries:
        if not isinstance(entry, str) or not entry.strip():
            raise ManylabelError(
                f"{file}, {key}: expected a folder, a list of images or several of them, got {entry!r}"
            )
    return entries


def _names(file: Path, said: dict[str, Any]) -> tuple[str, ...]:
    """The class of each number; "" for a number that has none."""
    names, number = said.get("names", ""), said.get("nc", "")
    if isinstance(names, str) and names:
        names = _lines(file.parent / names)
    if isinstance(names, dict):
        places = {_place(file, "names", key): name for key, name in names.items()}
        names = [places.get(k, "") for k in range(max(places, default=-1) + 1)]
        gaps = set(range(len(names))) - set(places)
    else:
        gaps = set()
    for k, name in enumerate(names):
        if k not in gaps and (not isinstance(name, str) or not name.strip()):
            raise ManylabelError(f"{file}, names: expected a name of class {k}, got {name!r}")
    if number != "":
        count = _place(file, "nc", number)
        if names and count != len(names):
            raise ManylabelError(f"{file}: nc says {count} classes, names has {len(names)}; correct one of the two")
        names = names or [str(k) for k in range(count)]
    if not names:
        raise ManylabelError(f"{file}: expected names, the class names in the order of their numbers")
    return tuple(names)


def _place(file: Path, key: str, text: Any) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,6}", text):
        raise ManylabelError(f"{file}, {key}: expected a whole number from 0 to 999999, got {text!r}")
    return int(text)


def _lines(path: Path) -> list[str]:
    """The class names of a text file, one a line; blank lines at its end are none."""
    if not path.is_file():
        raise ManylabelError(f"there is no file {path} with the class names; expected one name a line")
    return Source(path).text.removeprefix("\ufeff").rstrip().splitlines()


def _darknet(file: Path, text: str) -> Layout:
    said = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        key, sign, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not sign or not key.strip() or not value.strip():
            raise ManylabelError(f"{file}, line {number}: expected `key = value`, got {line.strip()[:40]!r}")
        said[key.strip()] = value.strip()
    folder = file.absolute().parent
    names = said.get("names", "")
    near = [p for p in (folder / names, folder / Path(names).name) if names and p.is_file()]
    found = {"names": _lines(near[0] if near else folder / (names or "obj.names")), "nc": said.get("classes", "")}
    lists = [(part, said[key]) for key in said for part in _part(key) if part not in OWN]
    return Layout(file, folder, _names(file, found), lists)


def _undescribed(source: Source) -> Layout:
    """A folder without data.yaml: images/ and labels/, inside or around the parts, or all in one folder."""
    if not source.is_folder:
        raise ManylabelError(
            f"{source.path}: expected a YOLO data.yaml with names and train, or the folder of images/ and labels/"
        )
    root = source.path.absolute()
    name = next((name for name in NAMES if (root / name).is_file()), None)
    parts = [n for n in source.inside if n.lower() in PART_WORDS and (root / n / "labels").is_dir()]
    lists = [(PART_WORDS[n.lower()], f"{n}/images") for n in parts] or list(_both_folders(root))
    notes = [] if name else ["No file names the classes (data.yaml, classes.txt): they are called by their numbers."]
    found = tuple(_names(root / name, {"names": _lines(root / name)})) if name else ()
    return Layout(source.path, root, found, lists, notes=notes)


def _both_folders(root: Path) -> Iterator[tuple[str, str]]:
    """images/ with labels/ beside it, cut by part where its folders are parts."""
    if not (root / "labels").is_dir():
        yield "", "obj_train_data" if (root / "obj_train_data").is_dir() else "."
        return
    both = {
        p.name for top in ("images", "labels") if (root / top).is_dir() for p in (root / top).iterdir() if p.is_dir()
    }
    parts = sorted(name for name in both if name.lower() in PART_WORDS)
    if not parts or len(parts) < len(both):
        yield "", "images"
        return
    yield from ((PART_WORDS[name.lower()], f"images/{name}") for name in parts)


def label_of(image: str) -> str:
    """The label file of an image: labels/ for the last images/ of its path, and .txt.

    >>> label_of("/set/images/train/a.b.jpg")
    '/set/labels/train/a.b.txt'
    """
    return os.path.splitext(labels_folder(image))[0] + ".txt"


def labels_folder(folder: str) -> str:
    """The folder of the labels of a folder of images; itself where no images/ is in its path."""
    head, sign, tail = f"{folder}/".rpartition("/images/")
    return f"{head}/labels/{tail}".removesuffix("/") if sign else folder


def images_folder(folder: str) -> str:
    """The folder of the images of a folder of labels."""
    head, sign, tail = f"{folder}/".rpartition("/labels/")
    return f"{head}/images/{tail}".removesuffix("/") if sign else folder


def resolve(text: str, bases: list[Path]) -> tuple[str, bool]:
    """(where a path leads, whether its beginning had to be left out, since it names a folder of another machine)."""
    plain = text.strip().replace("\\", "/")
    tails = [plain, *(plain.split("/", k)[-1] for k in range(1, plain.count("/") + 1))]
    for k, tail in enumerate(tails):
        for base in bases:
            path = os.path.normpath(base / tail) if tail else str(base)
            if tail and (os.path.exists(path) or (labels_folder(path) != path and os.path.isdir(labels_folder(path)))):
                return path, k > 0
    return os.path.normpath(bases[0] / plain), False


def is_image(name: str) -> bool:
    """Whether a file is a photograph, by its ending."""
    return name.lower().endswith(IMAGE_ENDINGS)
