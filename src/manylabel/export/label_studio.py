"""Tasks for Label Studio: suggestions as its predictions (pre-annotations), and a labelling interface for them.

Nothing is written as an annotation. A task that has one counts as done, and an annotation says of every label it
does not choose that it is absent: more than is known where labels are unknown. Present labels stand beside the
suggestions as a second prediction, so that a person may start from either.
"""

from __future__ import annotations

import itertools
import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from manylabel.data.formats._label_studio_write import LOCAL, chosen
from manylabel.data.formats._xml import NO_XML
from manylabel.export.tasks import Task, json_list
from manylabel.labels import ManylabelError
from manylabel.parts.files import drafted

GIVEN = "labels so far"  # the model version of the labels there are


@contextmanager
def writing(
    path: Path, classes: Sequence[str], *, source: str, prefix: str = LOCAL, root: Path | None = None
) -> Iterator[Callable[[Task], None]]:
    """Write FILE.json to import, and FILE.xml to paste into the project's labelling interface; gives what adds a task.

    An error leaves no file; after Ctrl-C the file holds the tasks that were added.

    Arguments:
        path: the JSON file to make.
        classes: all that a person may choose.
        source: the model version of the suggestions.
        prefix: what stands before the names of the images; by default that of local files.
        root: folder at which names of images start, for those that lie below it.

    Raises ManylabelError where one exists, or an image has no name below the root.
    """
    check(path)
    labelling, numbers = config(classes), itertools.count(1)
    with drafted(interface(path)) as xml, drafted(path) as draft, json_list(draft, "[", "]") as append:
        xml.write_text(labelling, encoding="utf-8")

        def add(task: Task) -> None:
            number = next(numbers)
            address = prefix + quote(below(task.image, root), errors="surrogateescape")
            made = _task(task, number, source, address)
            append({**made, "meta": {"classes": list(classes)}} if number == 1 else made)

        yield add


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
    """The name of an image below the root of local files; a full name that does not lie below `root` stays whole.

    >>> below("/photos/holiday/a.jpg", Path("/photos")), below("./a.jpg", Path("/photos"))
    ('holiday/a.jpg', 'a.jpg')
    """
    name = image.replace("\\", "/")
    if root is not None and os.path.isabs(image) and Path(image).is_relative_to(root.absolute()):
        name = Path(image).relative_to(root.absolute()).as_posix()
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
