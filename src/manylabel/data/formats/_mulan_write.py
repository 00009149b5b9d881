"""A dataset as an ARFF table and the XML file that says which of its attributes are labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from manylabel.data.dataset import Dataset
from manylabel.data.formats._arff import quoted
from manylabel.labels import ABSENT, PRESENT, UNKNOWN, ManylabelError

SPACE = "http://mulan.sourceforge.net/labels"
CELLS = {PRESENT: "1", ABSENT: "0", UNKNOWN: "?"}


def write(dataset: Dataset, path: Path) -> Sequence[str]:
    """NAME.arff and NAME.xml; the id of each row."""
    xml, names = path.with_suffix(".xml"), dataset.labels.names
    if xml.exists():
        raise ManylabelError(f"{xml} exists already; give another name, or remove it first")
    if twice := [name for name in names if name in {"image", "split", *dataset.columns}]:
        raise ManylabelError(f"{path}: class {twice[0]!r} has the name of another column; rename it (--rename)")
    parts = bool((dataset.split != "").any())
    with path.open("x", encoding="utf-8") as stream:
        stream.write(f"@relation {quoted(path.stem)}\n\n@attribute image string\n")
        stream.write("@attribute split {train,val,test}\n" if parts else "")
        stream.writelines(f"@attribute {quoted(name)} string\n" for name in dataset.columns)
        stream.writelines(f"@attribute {quoted(name)} {{0,1}}\n" for name in names)
        stream.write("\n@data\n")
        for row, name in enumerate(dataset.labels.ids):
            own = [quoted(name), *([str(dataset.split[row]) or "?"] if parts else [])]
            own += [quoted(str(cells[row])) for cells in dataset.columns.values()]
            states = dataset.labels.rows([row]).state[0].tolist()
            stream.write(",".join([*own, *(CELLS[state] for state in states)]) + "\n")
    lines = "\n".join(_written(names, dataset.beside.parents))
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<labels xmlns="{SPACE}">\n{lines}\n</labels>\n'
    xml.write_text(text, encoding="utf-8")
    return dataset.labels.ids


def _written(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The labels, each inside its parent if all have at most one, which is a class itself, and none is its own."""
    parents = dict(pairs)
    if len(parents) < len(pairs) or not {*parents, *parents.values()} <= set(names) or _circular(parents):
        parents = {}
    children: dict[str, list[str]] = {}
    for name in names:
        children.setdefault(parents.get(name, ""), []).append(name)
    waiting: list[tuple[str, int]] = [(name, 1) for name in reversed(children.get("", []))]
    while waiting:
        name, depth = waiting.pop()
        if name.startswith("\0"):
            yield f"{' ' * depth}</label>"
            continue
        inner = children.get(name, [])
        yield f"{' ' * depth}<label name={quoteattr(name)}>" + ("" if inner else "</label>")
        if inner:
            waiting += [("\0", depth), *((one, depth + 1) for one in reversed(inner))]


def _circular(parents: dict[str, str]) -> bool:
    for name in parents:
        seen = {name}
        while (name := parents.get(name, "")) and name not in seen:
            seen.add(name)
        if name:
            return True
    return False
