"""The options that say how labels are read, shared by every command that reads some."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.data import Dataset

option = functools.partial(typer.Option, rich_help_panel="How to read the labels")


def given(
    unlisted: Annotated[
        str | None, option(help="Narrow CSV, folder: a class not listed is 'absent' (default) or 'unknown'.")
    ] = None,
    minus_one: Annotated[
        str | None, option(help="Wide CSV: -1 means 'unknown' (default), 'absent', 'present' or 'uncertain'.")
    ] = None,
    separator: Annotated[
        str | None, option(help="Narrow CSV: what stands between labels, such as '|'; found by default.")
    ] = None,
    root: Annotated[
        str | None, option(help="Folder at which image names start; by default that of the file.", metavar="FOLDER")
    ] = None,
    column: Annotated[
        list[str] | None,
        option(help="A column that is not a class, though it holds 0 and 1; may be repeated.", metavar="NAME"),
    ] = None,
    conflicts: Annotated[
        str | None, option(help="Where rows of one image disagree: 'error' (default), or 'unknown' for these cells.")
    ] = None,
    uncertain: Annotated[
        str | None,
        option(help="Cells marked uncertain: 'ignore' (default), 'positive', 'negative', or 'soft' (0.5 beside)."),
    ] = None,
    format_: Annotated[
        str | None, option("--format", help="Format of the labels, such as coco; found by default.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        option(help="Rename a class; classes of one name are joined. May be repeated.", metavar="OLD=NEW"),
    ] = None,
) -> dict[str, Any]:
    """The options that were given, by the names of `manylabel.plan.Data`."""
    options = {
        "unlisted": unlisted, "minus_one": minus_one, "separator": separator, "root": root,
        "columns": tuple(column or ()) or None, "conflicts": conflicts, "uncertain": uncertain,
        "format": format_, "rename": renamings(rename or []) or None,
    }  # fmt: skip
    return {name: value for name, value in options.items() if value is not None}


def renamings(items: list[str]) -> dict[str, str]:
    """OLD=NEW to a dict.

    >>> renamings(["Dog=dog", "hot_dog=hot dog"])
    {'Dog': 'dog', 'hot_dog': 'hot dog'}
    """
    names: dict[str, str] = {}
    for item in items:
        old, new = (word.strip() for word in item.partition("=")[::2])
        if not old or not new:
            raise ManylabelError(f"--rename wants OLD=NEW, such as Dog=dog; got {item!r}")
        if names.setdefault(old, new) != new:
            raise ManylabelError(f"--rename gives class {old!r} two names: {names[old]!r} and {new!r}")
    return names


def takes_reading(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `given` added, which it receives together as its argument `reading`."""
    ours, theirs = (inspect.signature(f, eval_str=True).parameters for f in (given, command))

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        reading = given(**{name: values.pop(name) for name in ours})
        command(**values, reading=reading)

    kept = [p for name, p in theirs.items() if name != "reading"]
    with_options.__signature__ = inspect.Signature([*kept, *ours.values()])  # type: ignore[attr-defined]
    return with_options


def read(path: str, reading: dict[str, Any]) -> Dataset:
    """The labels at `path`, read as the options say."""
    from manylabel import data as datasets

    rename = reading.get("rename", {})
    dataset = datasets.read(path, **{name: value for name, value in reading.items() if name != "rename"})
    return dataset.rename(rename) if rename else dataset


def reading_of(trained: dict[str, Any]) -> dict[str, Any]:
    """How a run read its labels, from its config.toml."""
    names = inspect.signature(given).parameters.keys() - {"column", "format_"} | {"columns", "format"}
    return {name: value for name, value in trained.get("data", {}).items() if name in names}
