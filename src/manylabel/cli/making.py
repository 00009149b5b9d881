"""`demo` and `train`: from files to a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from manylabel.cli.reading import takes_reading
from manylabel.labels import ManylabelError

DataPath = Annotated[str, typer.Argument(help="CSV file, or folder with one folder per class.", metavar="DATA")]


def demo(
    out: Annotated[Path, typer.Option(help="Run folder.")] = Path("runs/demo"),
    method: Annotated[str, typer.Option(help="Method to train.")] = "cprfl",
    seed: Annotated[int, typer.Option(help="Seed of the scenes and of training.")] = 0,
) -> None:
    """Draw the demo scenes, train CPRFL on them and write a report: about three minutes on two CPU cores.

    Example: `manylabel demo`
    """
    import shutil

    from manylabel.data import demo as scenes
    from manylabel.encoders.cache import default_folder
    from manylabel.plan import plan
    from manylabel.run import train as run

    labels = scenes.build(default_folder() / "demo", seed=seed)
    if (out / "metrics.json").exists() and out == Path("runs/demo"):
        shutil.rmtree(out)  # the demo's own folder may be written again
    made = plan(labels, out, method=method, options={"train": {"seed": seed}}, command="manylabel demo")
    tell(run(made, resume=True))


@takes_reading
def train(
    data: DataPath,
    reading: dict[str, Any],
    method: Annotated[
        str | None, typer.Option(help="See `manylabel methods`; by default auto, with --finetune cprfl.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="See `manylabel encoders`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/<data>-<method>.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Label text: sentence, clip, random, or an .npz file with names and emb.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="One of the method's presets; see `manylabel methods`.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with sections data, encoder, text, method, train.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value, such as train.epochs=5; may be repeated.")
    ] = None,
    where: Annotated[str | None, typer.Option(help="COLUMN=VALUE: keep only such training rows.")] = None,
    finetune: Annotated[bool | None, typer.Option("--finetune", help="Train the encoder too.")] = None,
    skip_damaged: Annotated[bool | None, typer.Option("--skip-damaged", help="Leave damaged images out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of split, initialisation, order and augmentation.")] = None,
    devices: Annotated[int | None, typer.Option(help="Processes or GPUs on each node.")] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Machines; start the same command on each with torchrun's variables.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write learning curves for TensorBoard too.")
    ] = False,
) -> None:
    """Train on a label file or folder: encode, train, decide, measure, report.

    Example: `manylabel train photos/labels.csv --out runs/photos`
    """
    from manylabel.config import command_line, merge, parse_set
    from manylabel.plan import plan
    from manylabel.run import train as run

    flags: dict[str, Any] = {
        "data": {**reading, "where": where, "skip_damaged": skip_damaged},
        "encoder": {"name": encoder, "finetune": finetune},
        "text": {"source": text},
        "train": {"seed": seed, "devices": devices, "nodes": nodes},
    }
    given = {section: {k: v for k, v in values.items() if v is not None} for section, values in flags.items()}
    options = merge({s: v for s, v in given.items() if v}, parse_set(set_ or []))
    if resume and out is None:
        raise ManylabelError("--resume needs --out: the folder of the run to go on with")
    made = plan(data, out, method=method, preset=preset, options=options, file=config, command=command_line())
    tell(run(made, resume=resume, tensorboard=tensorboard))


def tell(folder: Path) -> None:
    """The headline numbers of a finished run and where its report is, from the first of several processes."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return
    from manylabel.cli.tables import headline

    numbers = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    typer.echo(headline(numbers))
    if (folder / "report.html").exists():
        typer.echo(f"report: {folder / 'report.html'}")
