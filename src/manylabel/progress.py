"""Progress bars with rate and time left, on standard error; silent where nobody watches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manylabel.labels import ManylabelError


@contextmanager
def bar(what: str, total: int, done: int = 0, *, shown: bool = True) -> Iterator[Callable[[int, str], None]]:
    """A bar over `total` things of which `done` are done; gives `advance(count, note)`."""
    if not shown or os.environ.get("LOCAL_RANK", "0") != "0":
        yield _unseen
        return
    # What draws the bar takes a twentieth of a second to import, which an answer about one image does not wait for.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", style="cyan"), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, completed=done, rate="", note="")

        def advance(count: int = 1, note: str = "") -> None:
            progress.advance(task, count)
            seen = progress.tasks[0]
            speed = seen.finished_speed or seen.speed
            progress.update(task, rate=f"{speed:,.1f}/s" if speed else "", note=note or seen.fields["note"])

        yield advance


def _unseen(count: int = 1, note: str = "") -> None:
    """What advances no bar."""


@contextmanager
def training(
    steps: int, done: int, *, events: Path | None = None, what: str = "train"
) -> Iterator[Callable[..., None]]:
    """What `loops.train.fit` calls `progress`: one bar, with the last epoch's loss and validation mAP beside it.

    Arguments:
        steps, done: optimiser steps in all, and before this start.
        events: folder for TensorBoard's event files, or None.
        what: is trained, where it is one of several; its event files then lie in a folder of that name.
    """
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    folder = events / what if events is not None and what != "train" else events
    writer = event_writer(folder) if folder is not None and first else None
    with bar(what, steps, done) as advance:

        def tick(row: dict[str, Any] | None = None) -> None:
            if row is None:
                advance(1, "")
                return
            advance(0, f"epoch {row['epoch'] + 1}  loss {row['loss']:.4f}  val mAP {100 * row['val_map']:.1f}")
            if writer is not None:
                for name, value in row.items():
                    writer.add_scalar(name, value, row["epoch"])
                writer.flush()

        yield tick
    if writer is not None:
        writer.close()


def event_writer(folder: Path) -> Any:
    """TensorBoard's writer, or an error that says how to get it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ManylabelError("--tensorboard needs TensorBoard: pip install 'manylabel[tensorboard]'") from None
    return SummaryWriter(str(folder))
