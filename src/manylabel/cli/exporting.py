"""`export`: a run as one file for other programs, compared with the run before it is left to anybody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from manylabel.labels import ManylabelError, did_you_mean

if TYPE_CHECKING:
    from manylabel.data import Dataset
    from manylabel.model import Model, Photo

KINDS = (".onnx", ".pt2")
FEW = 32  # photographs to verify on
Item = TypeVar("Item")


def export(
    run: Annotated[Path, typer.Argument(help="Run folder or model folder.", metavar="RUN")],
    out: Annotated[Path, typer.Argument(help="File to write: .onnx, or .pt2 (torch.export).", metavar="OUT")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare with PyTorch on photographs; exit code 1 where they differ.")
    ] = False,
    images: Annotated[
        list[str] | None,
        typer.Option(help="Photographs to verify on (file, folder, pattern, list); by default some of the run's own."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also write OUT as OUT-int8.onnx, in 8 bits, and say what mAP that costs.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="Labelled images for --int8; by default the data the run was trained on.")
    ] = None,
) -> None:
    """Write a run as one file, with preprocessing, names, thresholds and calibration inside.

    Example: `manylabel export runs/x model.onnx --verify`
    """
    if out.suffix not in KINDS:
        raise ManylabelError(f"{out} ends in none of {', '.join(KINDS)}.{did_you_mean(out.suffix, KINDS)}")
    if int8 and out.suffix != ".onnx":
        raise ManylabelError("--int8 is for .onnx files")
    for name, value, other, wanted in (("--images", images, "--verify", verify), ("--data", data, "--int8", int8)):
        if value and not wanted:
            raise ManylabelError(f"{name} belongs to {other}: give that too")
    from manylabel.model import load

    model = load(run)
    held = calibrating(run, data) if int8 else None
    photos = sample(run, images) if verify else []
    written(model, out)
    typer.echo(f"{out}: {size(out)}")
    if verify and not verified(model, out, photos):
        raise typer.Exit(1)
    if held is not None:
        quantised(model, out, held)


def written(model: Model, out: Path) -> None:
    """The file."""
    if out.suffix == ".onnx":
        from manylabel.export import onnx_file

        onnx_file.write(model, out)
    else:
        from manylabel.export import program

        program.write(model, out)


def verified(model: Model, out: Path, photos: Sequence[Photo]) -> bool:
    """Whether the file says what the model says; prints the largest differences."""
    from manylabel.export.check import LIMIT, compare

    found = compare(model, runner(out), photos)
    typer.echo(f"verified on {found}")
    if found.images < len(photos):
        typer.secho(f"{len(photos) - found.images:,} more photographs could not be read", fg="red", err=True)
    if not found.same:
        typer.secho(f"the file differs by more than {LIMIT} or decides otherwise: do not use it", fg="red", err=True)
    return found.same


def runner(out: Path) -> Any:
    """What calls the exported file."""
    if out.suffix == ".onnx":
        from manylabel.model import load

        return load(out).network.answers  # type: ignore[attr-defined]
    import torch

    program = torch.export.load(out).module()

    def run(images: Any) -> Any:
        with torch.inference_mode():
            return [answer.numpy() for answer in program(torch.from_numpy(images))]

    return run


def quantised(model: Model, out: Path, held: Dataset) -> None:
    """Write the 8-bit file, and say what it costs on the part it was not calibrated on."""
    from manylabel.export import int8
    from manylabel.model import load

    small = out.with_name(f"{out.stem}-int8.onnx")
    train = held.rows(held.split == "train")
    int8.write(model, out, small, spread(train.paths, int8.ENOUGH))
    part = judging(held)
    judged = held.rows(held.split == part)
    before, after = (mean_ap(load(file), judged) for file in (out, small))
    typer.echo(
        f"{small}: {size(small)}; mAP {100 * before:.1f} -> {100 * after:.1f} ({100 * (after - before):+.1f}) on"
        f" {len(judged):,} images of {part}"
    )


def judging(held: Dataset) -> str:
    """The part that mAP is measured on: test where there is one, else val."""
    return "test" if (held.split == "test").any() else "val"


def calibrating(run: Path, data: str | None) -> Dataset:
    """Labelled images of a part to calibrate on, and of one to measure mAP on; ManylabelError where one is missing."""
    held = labelled(run, data)
    for part in ("train", judging(held)):
        if not (held.split == part).any():
            raise ManylabelError(
                f"--int8 needs images of the parts train and test (or val); {held.source} has no {part}"
            )
    return held


def mean_ap(model: Model, data: Dataset) -> float:
    """mAP of a model on labelled images, all of which can be read."""
    import numpy as np

    from manylabel.metrics import evaluate
    from manylabel.scoring import align

    logits = np.empty((len(data), len(model.classes)), np.float32)
    for row, scores in enumerate(model.scored(data.paths)):
        if isinstance(scores, str):
            raise ManylabelError(f"mAP is measured on images that can be read: {scores}")
        logits[row] = scores
    labels, _ = align(data.labels, model.names)
    value = evaluate(model.classes.probabilities(logits), labels, names=model.names)["map"]
    if value is None:
        raise ManylabelError("there is no positive label in what mAP is to be measured on")
    return float(value)


def labelled(run: Path, data: str | None) -> Dataset:
    """The labelled images the run was trained on, or others, with their parts."""
    from manylabel.cli.reading import read, reading_of
    from manylabel.cli.using import as_trained
    from manylabel.config import read_toml

    trained = read_toml(run / "config.toml") if (run / "config.toml").exists() else {}
    if data is None:
        data = trained.get("data", {}).get("path")
    if data is None:
        raise ManylabelError(f"{run} does not say what it was trained on: give --data")
    dataset = read(data, reading_of(trained))
    return dataset if (dataset.split != "").any() else as_trained(run, dataset)


def sample(run: Path, images: Sequence[str] | None) -> Sequence[Photo]:
    """Photographs to verify on: of those given, or of the run's own, sooner of those that it was not trained on."""
    from manylabel.data.pick import pick

    if images:
        return spread([one.photo for one in pick(images)], FEW)
    try:
        data = labelled(run, None)
    except (ManylabelError, OSError) as problem:
        said = str(problem).removesuffix(": give --data")
        raise ManylabelError(f"--verify needs photographs, give --images: {said}") from None
    return spread([path for path, part in zip(data.paths, data.split) if part != "train"] or data.paths, FEW)


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them, evenly from first to last: neighbours are of one class, or of one scene.

    >>> spread([0, 1, 2, 3, 4, 5], 3), spread([0, 1], 3)
    ([0, 2, 4], [0, 1])
    """
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def size(path: Path) -> str:
    """Of a file, in MB."""
    return f"{path.stat().st_size / 1e6:.1f} MB"
