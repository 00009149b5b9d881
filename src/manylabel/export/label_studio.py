"""Tasks for Label Studio: suggestions as its predictions (pre-annotations), and a labelling interface for them.

Nothing is written as an annotation. A task that has one counts as done, and an annotation says of every label it
does not choose that it is absent: more than is known where labels are unknown. Present labels stand beside the
suggestions as a second prediction, so that a person may start from either.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from manylabel.data.formats._label_studio_write import LOCAL, chosen
from manylabel.export.tasks import Task
from manylabel.labels import ManylabelError

GIVEN = "labels so far"  # the model version of the labels there are
NO_XML = re.compile("[\x00-\x1f\ufffe\uffff\ud800-\udfff]")


def write(
    path: Path,
    tasks: Iterable[Task],
    classes: Sequence[str],
    *,
    source: str,
    prefix: str = LOCAL,
    root: Path | None = None,
) -> list[str]:
    """Write FILE.json to import, and FILE.xml to paste into the project's labelling interface.

    Arguments:
        path: the JSON file to make.
        tasks: in the order in which they are to be done.
        classes: all that a person may choose.
        source: the model version of the suggestions.
        prefix: what stands before the names of the images; by default that of local files.
        root: folder at which names of images start, for those that lie below it.

    Returns a line on each file. Raises ManylabelError where one exists, or an image has no name below the root.
    """
    check(path)
    written = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    interface(path).write_text(config(classes), encoding="utf-8")
    with path.open("x", encoding="utf-8") as stream:
        stream.write("[")
        for written, task in enumerate(tasks, 1):
            made = _task(task, written, source, prefix + quote(below(task.image, root)))
            if written == 1:
                made["meta"] = {"classes": list(classes)}
            stream.write(("\n" if written == 1 else ",\n") + json.dumps(made, ensure_ascii=False))
        stream.write("\n]\n")
    return [f"{written:,} tasks for Label Studio: {path}", f"their labelling interface: {interface(path)}"]


def check(path: Path) -> None:
    """Nothing is ever written over."""
    if path.suffix.lower() != ".json":
        raise ManylabelError(f"tasks for Label Studio are a .json file, got {path}")
    for file in (path, interface(path)):
        if file.exists():
            raise ManylabelError(f"{file} exists already; give another name, or remove it first")


def interface(path: Path) -> Path:
    """The labelling interface beside a file of tasks."""
    return path.with_suffix(".xml")


def config(classes: Sequence[str]) -> str:
    """A labelling interface with a choice for each class.

    >>> print(config(["cat", "R&B"]))
    <View>
      <Text name="said" value="$said"/>
      <Image name="image" value="$image"/>
      <Choices name="choice" toName="image" choice="multiple" showInline="true">
        <Choice value="cat"/>
        <Choice value="R&amp;B"/>
      </Choices>
    </View>
    <BLANKLINE>
    """
    if wrong := [name for name in classes if NO_XML.search(name)]:
        raise ManylabelError(f"the name of class {wrong[0]!r} cannot stand in a labelling interface: rename the class")
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in classes)
    return f"""<View>
  <Text name="said" value="$said"/>
  <Image name="image" value="$image"/>
  <Choices name="choice" toName="image" choice="multiple" showInline="true">
{choices}
  </Choices>
</View>
"""


def below(image: str, root: Path | None) -> str:
    """The name of an image below the root of local files, as it is where it does not lie below `root`.

    >>> below("/photos/holiday/a.jpg", Path("/photos")), below("./a.jpg", Path("/photos"))
    ('holiday/a.jpg', 'a.jpg')
    """
    name = image.replace("\\", "/")
    if root is not None and (full := Path(image).absolute()).is_relative_to(root.absolute()):
        name = full.relative_to(root.absolute()).as_posix()
    name = posixpath.normpath(name).lstrip("/")
    if name.startswith("../"):
        raise ManylabelError(
            f"{image} lies in no folder that Label Studio could serve: say with --root where names start"
        )
    return name


def _task(task: Task, number: int, source: str, address: str) -> dict[str, Any]:
    """Label Studio sorts by scores from the lowest: that is the least certain."""
    data = {
        "image": address, "said": task.said, "priority": round(1 - task.certainty, 6), "asked": task.note,
        "probabilities": {one.label: round(one.probability, 6) for one in task.asked},
    }  # fmt: skip
    sides = [*([] if task.given is None else [(GIVEN, list(task.given))]), (source, task.proposed)]
    predictions = [
        {"model_version": version, "score": round(task.certainty, 6),
         "result": [_marked(chosen(names, f"{number}-{k}"), task)] if names else []}
        for k, (version, names) in enumerate(sides)
    ]  # fmt: skip
    return {"id": number, "data": data, "annotations": [], "predictions": predictions}


def _marked(result: dict[str, Any], task: Task) -> dict[str, Any]:
    """A result with what the model thinks of each of its labels."""
    sure = {one.label: round(one.probability, 6) for one in task.asked}
    return {**result, "meta": {"probabilities": {n: sure[n] for n in result["value"]["choices"] if n in sure}}}
