"""Options of the commands that write tasks for labelling tools, and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manylabel.labels import LabelTable, ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.audits.findings import Finding
    from manylabel.data.pick import Picked
    from manylabel.export.tasks import Task
    from manylabel.prediction import Prediction

PANEL = "Labelling tools"
LabelStudio = Annotated[
    Path | None,
    typer.Option(
        "--label-studio",
        help="Also write tasks with suggestions for Label Studio, and their labelling interface beside them.",
        metavar="FILE.json",
        rich_help_panel=PANEL,
    ),
]
FiftyOne = Annotated[
    Path | None,
    typer.Option(
        "--fiftyone", help="Also write a FiftyOne data set of the suggestions.", metavar="FOLDER", rich_help_panel=PANEL
    ),
]
UrlPrefix = Annotated[
    str | None,
    typer.Option(
        help="With --label-studio, what stands before an image's name; by default /data/local-files/?d=",
        rich_help_panel=PANEL,
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        help="With either, a label is uncertain within this share of the way from its threshold to 0 or 1 (0.2).",
        rich_help_panel=PANEL,
    ),
]
Order = Annotated[
    str | None, typer.Option(help="With either: as 'given' (default), or by 'uncertainty'.", rich_help_panel=PANEL)
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="With either, the labels there are already, to stand beside the predictions.",
        metavar="LABELS",
        rich_help_panel=PANEL,
    ),
]
ORDERS = ("given", "uncertainty")


@dataclass(frozen=True)
class Tools:
    """Where tasks go. Raises ManylabelError where something is there already, before any work is done."""

    label_studio: Path | None = None
    fiftyone: Path | None = None
    prefix: str | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None and self.label_studio is None:
            raise ManylabelError(f"--url-prefix {self.prefix} belongs to --label-studio FILE.json")
        if self:
            from manylabel.export import fiftyone, label_studio  # not before: most predictions go to no tool

            if self.label_studio is not None:
                label_studio.check(self.label_studio)
            if self.fiftyone is not None:
                fiftyone.check(self.fiftyone)

    def __bool__(self) -> bool:
        return self.label_studio is not None or self.fiftyone is not None

    def write(
        self, tasks: Sequence[Task], classes: Sequence[str], *, source: str, errors: bool = False,
        root: Path | None = None,
    ) -> None:  # fmt: skip
        """Write the tasks, and say where; on standard error, for standard output may be read by a program."""
        from manylabel.data.formats._label_studio_write import LOCAL
        from manylabel.export import fiftyone, label_studio

        lines = []
        if self.label_studio is not None:
            prefix = LOCAL if self.prefix is None else self.prefix
            lines += label_studio.write(self.label_studio, tasks, classes, source=source, prefix=prefix, root=root)
        if self.fiftyone is not None:
            lines += fiftyone.write(self.fiftyone, tasks, classes, source=source, errors=errors)
        for line in lines:
            typer.echo(line, err=True)

    def suspected(
        self, found: Sequence[Finding], table: LabelTable, paths: Sequence[Path] | None, *, root: str | None
    ) -> None:
        """Write suspected errors of a table, whose images are these files where that is known, the strongest first."""
        from manylabel.export.tasks import of_findings

        if self:
            files = {} if paths is None else dict(zip(table.ids, map(str, paths)))
            tasks = of_findings(found, table, files)
            folder = None if root is None else Path(root)
            self.write(tasks, table.names, source="suspected errors", errors=True, root=folder)


class Collected:
    """Predictions as they come, kept as tasks where tools want them.

    Arguments:
        tools: where they go.
        wanted: the images, in the order of the predictions.
        margin, order, labels: see the options of these names.
        root: folder at which names start.
    """

    def __init__(
        self, tools: Tools, wanted: Sequence[Picked], margin: float | None, order: str | None, labels: str | None,
        root: Path | None,
    ) -> None:  # fmt: skip
        for name, value in {"--margin": margin, "--order": order, "--labels": labels}.items():
            if value is not None and not tools:
                raise ManylabelError(f"{name} {value} belongs to --label-studio FILE.json or --fiftyone FOLDER")
        if order is not None and order not in ORDERS:
            raise ManylabelError(f"--order {order!r}.{did_you_mean(order, ORDERS)}")
        if margin is not None and not 0 <= margin <= 1:
            raise ManylabelError(f"--margin is a share in [0, 1], got {margin}")
        if tools and any(isinstance(one.photo, bytes) for one in wanted):
            raise ManylabelError("labelling tools open files; the image on standard input is none")
        self.tools, self.order, self.root = tools, order or "given", root
        self.margin = 0.2 if margin is None else margin
        self.given = {} if labels is None else given_labels(labels, [one.name for one in wanted], root)
        self.paths = {one.name: str(one.photo) for one in wanted} if tools else {}
        self.tasks: list[Task] = []

    def add(self, prediction: Prediction) -> None:
        """Keep one more; an image that could not be read is no task."""
        if not self.tools or prediction.error is not None:
            return
        from manylabel.export.tasks import of_prediction

        name = prediction.image
        path, given = self.paths[name], self.given.get(name)
        called = replace(prediction, image=self._called(name))
        self.tasks.append(of_prediction(called, path=path, margin=self.margin, given=given))

    def _called(self, name: str) -> str:
        """An image's name below the root, as label files call it; the name itself where it lies elsewhere."""
        path = Path(name).absolute()
        if self.root is None or not path.is_relative_to(self.root.absolute()):
            return name
        return path.relative_to(self.root.absolute()).as_posix()

    def write(self, classes: Sequence[str], source: str) -> None:
        """Write what was kept, for the tools that want it."""
        if self.tools:
            from manylabel.export.tasks import by_certainty

            tasks = by_certainty(self.tasks) if self.order == "uncertainty" else self.tasks
            extra = dict.fromkeys(name for names in self.given.values() for name in names)
            self.tools.write(tasks, list(dict.fromkeys([*classes, *extra])), source=source, root=self.root)


def given_labels(labels: str, images: Sequence[str], root: Path | None) -> dict[str, tuple[str, ...]]:
    """Image -> its present labels, for those that somebody judged."""
    from manylabel.data import read
    from manylabel.export.tasks import present
    from manylabel.scores.join import IMAGES, match

    table = read(labels, root=root).labels
    rows, notes = match(images, table.ids, IMAGES)
    if not (rows >= 0).any():
        raise ManylabelError(f"{labels}: has labels for none of the images: it has {table.ids[0]!r}, not {images[0]!r}")
    for note in notes:
        typer.echo(f"note: images: {note}", err=True)
    found = ((image, present(table.names, table.state[row])) for image, row in zip(images, rows.tolist()) if row >= 0)
    return {image: names for image, names in found if names is not None}
