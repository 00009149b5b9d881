"""`methods`, `encoders` and `objectives`: what there is, read from the source without importing torch."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Annotated

import typer

import manylabel
from manylabel.cli.tables import columns
from manylabel.labels import ManylabelError, did_you_mean

SOURCE = Path(manylabel.__file__).parent


@dataclasses.dataclass(frozen=True)
class Entry:
    """A module of one of the folders that serve as catalogues."""

    name: str
    docstring: str
    tree: ast.Module

    @property
    def summary(self) -> str:
        """The docstring's first sentence."""
        return " ".join(self.docstring.split("\n\n")[0].split())


def entries(folder: str) -> list[Entry]:
    """The modules of a folder of the package, by name."""
    found = []
    for path in sorted((SOURCE / folder).glob("*.py")):
        if not path.stem.startswith("_"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found.append(Entry(path.stem, ast.get_docstring(tree) or "", tree))
    return found


def methods(name: Annotated[str | None, typer.Argument(help="Show one method's options and presets.")] = None) -> None:
    """List the methods, or show one with its options and presets.

    Example: `manylabel methods cprfl`
    """
    listed = entries("methods")
    if name is None:
        typer.echo(columns([(e.name, e.summary) for e in listed]))
        return
    if name not in [e.name for e in listed]:
        raise ManylabelError(f"there is no method {name!r}.{did_you_mean(name, [e.name for e in listed])}")
    entry = next(e for e in listed if e.name == name)
    typer.echo(f"{entry.docstring}\n\nOptions (--set method.NAME=VALUE):\n{columns(options(entry))}")
    names = presets(entry)
    if names:
        typer.echo(f"\nPresets (--preset NAME; the first is the default): {', '.join(names)}")


def options(entry: Entry) -> list[tuple[str, ...]]:
    """Name, default and comment of every field of a method's `Config`."""
    path = SOURCE / "methods" / f"{entry.name}.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    config = next(n for n in entry.tree.body if isinstance(n, ast.ClassDef) and n.name == "Config")
    rows: list[tuple[str, ...]] = []
    for node in config.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            comment = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")[2]
            rows.append(("  " + ast.unparse(node.target), ast.unparse(node.value), comment))
    return rows or [("  none", "", "")]


def presets(entry: Entry) -> list[str]:
    """The keys of a method's `PRESETS`."""
    for node in entry.tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == "PRESETS"
            and isinstance(node.value, ast.Dict)
        ):
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    return []


def encoders() -> None:
    """List the image encoders.

    Example: `manylabel encoders`
    """
    typer.echo(columns(encoder_rows()))


def encoder_rows() -> list[tuple[str, ...]]:
    """Name and description of every encoder, from the `NAMES` of its file."""
    rows: list[tuple[str, ...]] = []
    for entry in entries("encoders"):
        for node in entry.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(t, ast.Name) and t.id == "NAMES" for t in targets):
                rows.extend(ast.literal_eval(node.value).items())  # type: ignore[attr-defined]
    return rows


def objectives() -> None:
    """List the objectives, for instance for --set method.objective=asl.

    Example: `manylabel objectives`
    """
    typer.echo(columns([(e.name, e.summary) for e in entries("objectives")]))
