"""Options of the commands that write tasks for labelling tools, and the writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

    @contextmanager
    def writing(
        self, classes: Sequence[str], *, source: str, errors: bool = False, root: Path | None = None
    ) -> Iterator[Callable[[Task], None]]:
        """What adds a task to the files of the tools; at the end it is said where they are.

        On standard error, for standard output may be read by a program.
        """
        from manylabel.data.formats._label_studio_write import LOCAL
        from manylabel.export import fiftyone, label_studio

        adds: list[Callable[[Task], None]] = []
        count = 0

        def add(task: Task) -> None:
            nonlocal count
            count += 1
            for one in adds:
                one(task)

        with ExitStack() as stack:
            if self.label_studio is not None:
                prefix = LOCAL if self.prefix is None else self.prefix
                tasks = label_studio.writing(self.label_studio, classes, source=source, prefix=prefix, root=root)
                adds.append(stack.enter_context(tasks))
            if self.fiftyone is not None:
                samples = fiftyone.writing(self.fiftyone, classes, source=source, errors=errors)
                adds.append(stack.enter_context(samples))
            yield add
        if self.label_studio is not None:
            typer.echo(f"{count:,} tasks for Label Studio: {self.label_studio}", err=True)
            typer.echo(f"their labelling interface: {label_studio.interface(self.label_studio)}", err=True)
        if self.fiftyone is not None:
            typer.echo(f"{count:,} samples for FiftyOne: {self.fiftyone}", err=True)

    def suspected(
        self, found: Sequence[Finding], table: LabelTable, paths: Sequence[Path] | None, *, root: str | None
    ) -> None:
        """Write suspected errors of a table, whose images are these files where that is known, the strongest first."""
        from manylabel.export.tasks import of_findings

        if not self:
            return
        files = {} if paths is None else dict(zip(table.ids, map(str, paths)))
        folder = None if root is None else Path(root)
        with self.writing(table.names, source="suspected errors", errors=True, root=folder) as add:
            for task in of_findings(found, table, files):
                add(task)


class Collected:
    """Predictions as they come, made into tasks where tools want them.

    Arguments:
        tools: where they go.
        wanted: the images that will be predicted.
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
        self.tools, self.order = tools, order or "given"
        self.root = None if root is None else os.path.abspath(root)
        self.margin = 0.2 if margin is None else margin
        self.given = {} if labels is None else given_labels(labels, [self._called(one) for one in wanted], root)

    @contextmanager
    def writing(self, classes: Sequence[str], source: str) -> Iterator[Callable[[Picked, Prediction], None]]:
        """What takes each prediction; tasks are written as they come, or at the end where they are to be ordered."""
        if not self.tools:
            yield lambda one, prediction: None
            return
        from manylabel.export.tasks import by_certainty

        extra = (name for names in self.given.values() for name in names)
        every = list(dict.fromkeys([*classes, *extra]))
        tasks: list[Task] = []
        with self.tools.writing(every, source=source) as write:
            keep = tasks.append if self.order == "uncertainty" else write
            try:
                yield lambda one, prediction: None if prediction.error else keep(self._task(one, prediction))
            finally:
                for task in by_certainty(tasks):
                    write(task)

    def _task(self, one: Picked, prediction: Prediction) -> Task:
        from manylabel.export.tasks import of_prediction

        name = self._called(one)
        called = replace(prediction, image=name)
        return of_prediction(called, path=str(one.photo), margin=self.margin, given=self.given.get(name))

    def _called(self, one: Picked) -> str:
        """An image's name below the root, as label files call it; the name itself where it lies elsewhere."""
        path = os.path.abspath(str(one.photo))
        if self.root is None or not Path(path).is_relative_to(self.root):
            return one.name
        return Path(path).relative_to(self.root).as_posix()


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
