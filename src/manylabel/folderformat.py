"""The two json files of a run or model folder: read, checked, and brought up from older versions.

Version 1: manylabel before models could be shared. Its labels.json has no aliases and no guarantee, and its encoder
may lack `flip`. Version 2: with them; `hierarchy` is a list of (class, parent).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manylabel.labels import ManylabelError, did_you_mean

FORMAT = 2
Json = dict[str, Any]


def read(folder: Path) -> tuple[Json, Json]:
    """config.json and labels.json of a folder, as the newest version writes them.

    Raises ManylabelError where the folder or one of them is missing or damaged, and where they were written by a newer
    manylabel.
    """
    if not folder.exists():
        near = did_you_mean(folder.name, [f.name for f in folder.parent.iterdir()] if folder.parent.is_dir() else [])
        raise ManylabelError(f"there is no run or model {folder}.{near}")
    missing = [name for name in ("config.json", "labels.json") if not (folder / name).is_file()]
    if missing:
        raise ManylabelError(f"{folder} holds no finished run and no model: it has no {' and no '.join(missing)}")
    config, labels = (_json(folder / name) for name in ("config.json", "labels.json"))
    version = config.get("format")
    if not isinstance(version, int) or version < 1:
        raise ManylabelError(f"{folder / 'config.json'} is no model of manylabel: expected a number as 'format'")
    if version > FORMAT:
        raise ManylabelError(
            f"{folder} is of format {version}, written by manylabel {config.get('manylabel', '?')}; this one reads up"
            f" to {FORMAT}: install a newer manylabel"
        )
    for upgrade in UPGRADES[version - 1 :]:
        config, labels = upgrade(config, labels)
    return config, labels


def _json(file: Path) -> Json:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise ManylabelError(f"{file} cannot be read: {problem}") from None
    if not isinstance(content, dict):
        raise ManylabelError(f"{file}: expected an object {{...}}, got {type(content).__name__}")
    return content


def _to_2(config: Json, labels: Json) -> tuple[Json, Json]:
    encoder = {"flip": False, **config["encoder"]}
    return config | {"format": 2, "encoder": encoder}, {"aliases": {}, "guarantee": {}, **labels, "hierarchy": []}


UPGRADES = (_to_2,)
