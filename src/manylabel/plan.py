"""What a run is made of, resolved and checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from manylabel import config, methods
from manylabel.labels import ManylabelError, did_you_mean
from manylabel.parts.settings import Settings

SECTIONS = ("data", "encoder", "text", "method", "train")


@dataclass(frozen=True)
class Data:
    """Where the labels are and how to read them."""

    path: str
    where: str = ""  # COLUMN=VALUE: keep only such training rows
    unlisted: str = "absent"  # narrow CSV: what a class not listed is
    minus_one: str = "unknown"  # wide CSV: what -1 is, or uncertain
    separator: str | None = None  # narrow CSV: what stands between labels; None finds it
    root: str | None = None  # folder at which image names start; None is that of the file
    columns: tuple[str, ...] = ()  # columns that are not classes
    conflicts: str = "error"  # or unknown: cells on which rows of one image disagree
    uncertain: str = "ignore"  # cells marked uncertain: or positive, negative, soft
    format: str | None = None  # of the label file; None finds it
    rename: dict[str, str] = field(default_factory=dict)  # old class name to new; classes of one name are joined
    skip_damaged: bool = False  # leave damaged images out, named in the report, instead of stopping


@dataclass(frozen=True)
class EncoderOptions:
    """Which encoder, and whether it learns."""

    name: str = "efficientnet_lite0"
    image_size: int | None = None  # its own by default
    normalise: bool = True  # mean and std (the published CPRFL has none)
    flip: bool = False  # features are the mean of those of the image and of its mirror image: twice the work
    precision: str = "float32"  # of encoding: float32 or bfloat16
    finetune: bool = False

    def __post_init__(self) -> None:
        if self.image_size is not None and self.image_size < 1:
            raise ManylabelError(f"encoder.image_size is at least 1, got {self.image_size}")


@dataclass(frozen=True)
class TextOptions:
    """Where label vectors come from."""

    source: str = "auto"  # auto: sentence where the method reads text; clip, random, none, or an .npz file
    centre: bool = True  # subtract the mean vector, without which all classes look alike


@dataclass(frozen=True)
class Plan:
    """One run, resolved: every value it depends on."""

    data: Data
    encoder: EncoderOptions
    text: TextOptions
    method: str
    preset: str
    method_config: Any
    settings: Settings
    out: Path
    command: str = ""
    notes: list[str] = field(default_factory=list, compare=False)

    def sections(self) -> dict[str, Any]:
        """What `config.toml` says, without versions: the part that must not change when a run is resumed."""
        return {
            "data": config.as_plain(self.data),
            "encoder": config.as_plain(self.encoder),
            "text": config.as_plain(self.text),
            "method": {"name": self.method, "preset": self.preset, **config.as_plain(self.method_config)},
            "train": config.as_plain(self.settings),
        }


def plan(
    data: str | Path, out: str | Path | None = None, *, method: str | None = None, preset: str | None = None,
    options: Mapping[str, Any] | None = None, file: str | Path | None = None, command: str = "",
) -> Plan:  # fmt: skip
    """Resolve a run.

    Arguments:
        data: CSV file or folder.
        out: run folder; by default runs/<data>-<method>, numbered where that exists.
        method: name of a method; by default auto, or where the encoder is trained too cprfl with preset finetune.
        preset: one of the method's presets; the first by default.
        options: nested, such as {"train": {"epochs": 5}, "method": {"tau": 0.25}, "encoder": {"name": ...}}.
        file: a TOML file of the same sections, laid under `options`.
        command: what to write as the command that reproduces the run.
    """
    layers = config.merge(config.read_toml(file) if file else {}, options or {})
    for name in layers:
        if name not in (*SECTIONS, "run", "versions"):
            raise ManylabelError(f"there is no section {name!r}.{did_you_mean(name, SECTIONS)}")
        if not isinstance(layers[name], Mapping):
            raise ManylabelError(f"{name} is a section of options, got {layers[name]!r}")
    in_file = dict(layers.get("method", {}))
    method = in_file.pop("name", method)
    preset = in_file.pop("preset", preset)
    if method is None:
        finetune = layers.get("encoder", {}).get("finetune", False)
        method, preset = ("cprfl", preset or "finetune") if finetune else ("auto", preset)
    module = methods.load(method)
    presets = getattr(module, "PRESETS", {"default": {}})
    preset = preset or next(iter(presets))
    if preset not in presets:
        raise ManylabelError(f"method {method!r} has no preset {preset!r}.{did_you_mean(preset, presets)}")
    chosen = presets[preset]
    section = {s: config.merge(chosen.get(s, {}), layers.get(s, {})) for s in ("encoder", "train", "data", "text")}
    return Plan(
        data=config.fill(Data, {**section["data"], "path": str(data)}, "data"),
        encoder=with_whole_path(config.fill(EncoderOptions, section["encoder"], "encoder")),
        text=config.fill(TextOptions, section["text"], "text"),
        method=method,
        preset=preset,
        method_config=config.fill(module.Config, {**chosen.get("method", {}), **in_file}, "method"),
        settings=config.fill(Settings, section["train"], "train"),
        out=Path(out) if out else free_folder(Path("runs") / f"{data_name(Path(data))}-{method}"),
        command=command,
    )


def with_whole_path(encoder: EncoderOptions) -> EncoderOptions:
    """The options with the path of `file:PATH` made absolute: the run is read from other folders too."""
    kind, _, path = encoder.name.partition(":")
    return replace(encoder, name=f"file:{Path(path).absolute()}") if kind == "file" and path else encoder


def data_name(path: Path) -> str:
    """A short name for a data set: its folder for files with a name like labels.csv, else the file's own."""
    path = path.resolve()
    return path.parent.name if path.stem.lower() in ("labels", "label", "train", "data") else path.stem


def free_folder(wanted: Path) -> Path:
    """`wanted`, or `wanted`-2, -3 ... where that exists."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder
