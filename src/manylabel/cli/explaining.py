"""`explain`: where in images a model sees its labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manylabel.cli.predicting import note, shown
from manylabel.labels import ManylabelError

if TYPE_CHECKING:
    from manylabel.data.pick import Picked
    from manylabel.model import Model


@dataclass(frozen=True)
class Wanted:
    """What is to be shown: of labels, of those predicted where none is named."""

    labels: tuple[str, ...]
    kind: str
    contrast: bool


def explain(
    model: Annotated[Path, typer.Argument(help="Run folder, model folder or .onnx file.", metavar="MODEL")],
    images: Annotated[list[str], typer.Argument(help="Images, as for predict.", metavar="IMAGE...")],
    out: Annotated[
        Path, typer.Option(help="One .png for one image, or a folder: a .png for each label, and maps.json.")
    ],
    label: Annotated[
        list[str] | None, typer.Option(help="Label to show, repeatable; the predicted ones by default.")
    ] = None,
    kind: Annotated[str, typer.Option(help="auto, own, gradient or occlusion.")] = "auto",
    contrast: Annotated[bool, typer.Option(help="Only what the other predicted labels do not share.")] = False,
) -> None:
    """Show where in images a model sees each label: one heat map a label, laid over the photograph.

    Example: `manylabel explain runs/x photo.jpg --out map.png`
    """
    from manylabel.data.images import DamagedImage
    from manylabel.data.pick import pick
    from manylabel.explain import check_kind, position
    from manylabel.model import load

    files, single = pick(images, note=note), out.suffix.lower() == ".png" and not out.is_dir()
    check_out(out, len(files), single)
    check_kind(kind)
    wanted, loaded = Wanted(tuple(label or ()), kind, contrast), load(model)
    for name in wanted.labels:
        position(loaded.classes, name)  # before any work
    told: list[dict[str, Any]] = []
    try:
        for number, file in enumerate(files):
            prefix = f"{number:0{len(str(len(files)))}d}-"
            try:
                told.append(explained(loaded, file, wanted, out, prefix, single=single))
            except DamagedImage as error:
                told.append({"image": file.name, "error": str(error)})
            say(told[-1])
    finally:  # Ctrl-C leaves pictures that maps.json names
        if told and not single:
            list_maps(out, told)
    if failed := sum("error" in one for one in told):
        typer.secho(f"{failed} of {len(files)} images could not be read", fg="red", err=True)
        raise typer.Exit(1)


def list_maps(out: Path, told: list[dict[str, Any]]) -> None:
    """Write maps.json; names of files may be no text."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    (out / "maps.json").write_text(text, encoding="utf-8", errors="backslashreplace")


def check_out(out: Path, count: int, single: bool) -> None:
    """Raise ManylabelError where `out` cannot take what is asked for."""
    if single and count > 1:
        raise ManylabelError(f"--out {out}: {count} images need a folder, not one picture")
    if not single and (out.is_file() or out.suffix.lower() in (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif")):
        raise ManylabelError(f"--out {out}: a picture of maps ends in .png; anything else is a folder")


def explained(model: Model, file: Picked, wanted: Wanted, out: Path, prefix: str, *, single: bool) -> dict[str, Any]:
    """Write the pictures of one image; what maps.json says of it."""
    from manylabel.explain import heat_maps_and_kind, position
    from manylabel.explaining import drawing
    from manylabel.model import opened

    photo = opened(file.photo)  # of a damaged file this raises, with the reason
    prediction = model.predict([file.photo])[0]
    names = tuple(model.names[position(model.classes, name)] for name in wanted.labels) or prediction.labels
    maps, kind = heat_maps_and_kind(model, file.photo, names, kind=wanted.kind, contrast=wanted.contrast)
    called = [name if drawing.font_for(name) else f"label {place}" for place, name in enumerate(names, 1)]
    titles = [f"{word} {100 * prediction.probabilities[name]:.0f} %" for word, name in zip(called, names)]
    labels: list[dict[str, Any]] = [
        {"name": name, "title": word, "probability": round(prediction.probabilities[name], 6),
         "predicted": name in prediction.labels, "box": drawing.hottest_box(heat, photo.size)}
        for name, word, heat in zip(names, called, maps)
    ]  # fmt: skip
    (out.parent if single else out).mkdir(parents=True, exist_ok=True)
    if single:
        drawing.sheet(photo, maps, titles, about=f"kind: {kind}").save(out)
    for place, (heat, title) in enumerate(zip(maps, titles) if not single else ()):
        labels[place]["file"] = f"{prefix}{plain(Path(file.name).stem)}-{place}-{plain(names[place])}.png"
        drawing.titled(photo, heat, title).save(out / labels[place]["file"])
    return {"image": file.name, "width": photo.width, "height": photo.height, "kind": kind, "labels": labels}


def plain(name: str) -> str:
    """A name as part of a file's: letters and digits of any script, at most 24; the rest becomes "_".

    >>> plain("a/b: c"), plain("собака")
    ('a_b__c', 'собака')
    """
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:24]


def say(told: dict[str, Any]) -> None:
    """One line for an image: its labels in the order of the maps, with the titles of those that no font can write."""
    image = shown(told["image"])
    if "error" in told:
        reason = told["error"].removeprefix(f"{told['image']}: ")
        typer.secho(f"{image}: error: {shown(reason)}", fg="red", err=True)
        return
    named = [("" if one["title"] == one["name"] else f"{one['title']} = ")
             + f"{one['name']} {100 * one['probability']:.0f} %" + ("" if one["box"] else " (no place)")
             for one in told["labels"]]  # fmt: skip
    typer.echo(f"{image}: {shown(', '.join(named)) or '(no label)'}")
