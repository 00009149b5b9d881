"""From a label file to a run folder: read, encode, train, score, decide, measure, report.

`train` is what `manylabel train` calls. Each stage is a function of the ones before it and leaves its result on
disk, so that a run which is killed goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manylabel import data as datasets
from manylabel import encoders, methods, progress
from manylabel.data import Dataset
from manylabel.data.augment import Augment
from manylabel.data.images import DamagedImage, read_image
from manylabel.data.split import complete
from manylabel.encoders import Encoder, text
from manylabel.encoders.cache import Cached, encode
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.loops import train as loop
from manylabel.loops.finetune import EndToEnd
from manylabel.loops.score import score
from manylabel.loops.sources import FeatureSource, ImageSource, Source
from manylabel.methods import Method
from manylabel.parts.settings import Settings
from manylabel.plan import Plan
from manylabel.runfolder import PARTS, claim, finish
from manylabel.scores import ScoreFile


def train(plan: Plan, *, resume: bool = False, tensorboard: bool = False) -> Path:
    """Carry a plan out; returns the run folder, `plan.out`.

    Arguments:
        plan: see `manylabel.plan.plan`.
        resume: go on with an interrupted run in the same folder.
        tensorboard: write learning curves to `plan.out`/tensorboard too.

    Raises ManylabelError for bad input and for a folder that holds another run.
    """
    module = methods.load(plan.method)
    fabric = loop.make_fabric(plan.settings, unused=plan.encoder.finetune)
    dataset = prepare(plan)
    options = plan.encoder
    encoder = encoders.load(options.name, image_size=options.image_size, normalise=options.normalise, flip=options.flip)
    method, vocabulary = make_method(plan, dataset, encoder)  # before the long work: a mistake shows at once
    if options.finetune and method.frozen_only:
        cure = ", or take --preset finetune" if "finetune" in getattr(module, "PRESETS", {}) else ""
        raise ManylabelError(f"method {plan.method!r} as set is solved on frozen features; drop --finetune{cure}")
    if fabric.is_global_zero:  # before the other processes start
        claim(plan, dataset, resume=resume)
    fabric.launch()
    plan = replace(plan, out=Path(fabric.broadcast(str(plan.out))))
    given = len(dataset)
    with fabric.rank_zero_first():
        dataset, cached, kept = read_images(plan, dataset, encoder)
    if len(dataset) < given:
        method, vocabulary = make_method(plan, dataset, encoder)
    sources: dict[str, Source]
    if cached is None:
        sources = {part: image_source(plan, dataset, encoder, part) for part in PARTS}
        method = end_to_end(plan.settings, encoder, method)
    else:
        plan.notes.extend(shared_images(dataset, cached, kept))
        sources = {part: feature_source(dataset, cached, kept, part, grid=method.needs_grid) for part in PARTS}
    fit_method = getattr(module, "train", loop.fit)
    show = partial(progress.training, events=plan.out / "tensorboard" if tensorboard else None)
    outcome = fit_method(
        method, sources["train"], sources["val"], plan.settings,
        fabric=fabric, folder=plan.out / "checkpoint", resume=resume, progress=show,
    )  # fmt: skip
    if fabric.is_global_zero:
        plan.notes.extend(outcome.notes)
        for note in outcome.notes:
            print(note, file=sys.stderr)
    scored = {
        part: score_part(method, sources[part], dataset, part, fabric) for part in ("val", "test") if len(sources[part])
    }
    if fabric.is_global_zero:
        finish(plan, dataset, method, vocabulary, outcome, scored, encoder)
    fabric.barrier()
    return plan.out


def prepare(plan: Plan) -> Dataset:
    """Read the labels, keep the wanted training rows, fill in missing parts."""
    options = plan.data
    dataset = datasets.read(
        options.path, unlisted=options.unlisted, minus_one=options.minus_one, separator=options.separator,
        root=options.root, columns=options.columns, conflicts=options.conflicts,
        uncertain=options.uncertain, format=options.format,
    )  # fmt: skip
    if options.rename:
        dataset = dataset.rename(options.rename)
    plan.notes.extend(dataset.notes)
    before = len(dataset.notes)
    dataset = complete(dataset, seed=plan.settings.seed)
    plan.notes.extend(dataset.notes[before:])
    if options.where:
        column, equals, value = options.where.partition("=")
        if not equals:
            raise ManylabelError(f"--where wants COLUMN=VALUE, such as long_tail=1; got {options.where!r}")
        kept = (dataset.split != "train") | dataset.where(column, value)
        plan.notes.append(f"{int((~kept).sum()):,} training rows left out by --where {options.where}")
        dataset = dataset.rows(kept)
    if not (dataset.split == "train").any():
        raise ManylabelError(f"{options.path} has no training row; its split column holds {sorted(set(dataset.split))}")
    return dataset


def read_images(plan: Plan, dataset: Dataset, encoder: Encoder) -> tuple[Dataset, Cached | None, NDArray[np.int64]]:
    """Encode the images, or with --finetune only check them; damaged ones are reported or left out.

    Returns the data set that is left, the cached features (None with --finetune) and its rows among them.
    """
    if plan.encoder.finetune:
        dataset, kept = drop_damaged(plan, dataset, find_damaged(dataset.paths))
        return dataset, None, kept
    cached = encode(dataset.paths, encoder, precision=plan.encoder.precision)
    dataset, kept = drop_damaged(plan, dataset, cached.errors)
    return dataset, cached, kept


def end_to_end(settings: Settings, encoder: Encoder, method: Method) -> EndToEnd:
    """Encoder and method as one, which trains as `settings` say."""
    return EndToEnd(
        encoder, method, encoder_lr=settings.encoder_lr, freeze_batch_norm=settings.freeze_batch_norm,
        layer_decay=settings.layer_decay,
    )  # fmt: skip


def feature_source(
    dataset: Dataset, cached: Cached, kept: NDArray[np.int64], part: str, *, grid: bool
) -> FeatureSource:
    rows = np.flatnonzero(dataset.split == part)
    return FeatureSource(cached, kept[rows], dataset.labels.state[rows], grid=grid)


def image_source(plan: Plan, dataset: Dataset, encoder: Encoder, part: str) -> ImageSource:
    s = plan.settings
    rows = np.flatnonzero(dataset.split == part)
    augment = Augment(crop=s.crop, flip=s.flip, rand_augment=s.rand_augment, cutout=s.cutout)
    return ImageSource(
        [dataset.paths[int(i)] for i in rows], dataset.labels.state[rows], encoder,
        augment=augment if part == "train" else None, seed=s.seed,
    )  # fmt: skip


def find_damaged(paths: Sequence[Path]) -> dict[int, str]:
    """Row and reason of every image that cannot be read."""

    def look(path: Path) -> str:
        try:
            read_image(path)
        except DamagedImage as error:
            return str(error)
        return ""

    errors = {}
    with ThreadPoolExecutor() as pool, progress.bar("check images", len(paths)) as advance:
        for row, reason in enumerate(pool.map(look, paths)):
            advance(1, "")
            if reason:
                errors[row] = reason
    return errors


def drop_damaged(plan: Plan, dataset: Dataset, errors: Mapping[int, str]) -> tuple[Dataset, NDArray[np.int64]]:
    """The data set without its damaged rows, and which rows are left; stops unless told to skip them."""
    kept = np.array([row for row in range(len(dataset.paths)) if row not in errors], dtype=np.int64)
    if not errors:
        return dataset, kept
    told = [f"{dataset.place(row)}: {reason}" for row, reason in sorted(errors.items())]
    if not plan.data.skip_damaged:
        more = f"\n  and {len(told) - 20} more" if len(told) > 20 else ""
        raise ManylabelError(
            f"{len(told)} of {len(dataset.paths)} images cannot be read:\n  " + "\n  ".join(told[:20]) + more
            + "\nMend or remove them, or leave them out with --skip-damaged; what is encoded is kept."
        )  # fmt: skip
    plan.notes.append(f"{len(told)} damaged images left out: " + "; ".join(told[:20]))
    return dataset.rows(kept), kept


def make_method(plan: Plan, dataset: Dataset, encoder: Encoder) -> tuple[Method, Vocabulary]:
    """The untrained method, the same for the same seed, and its vocabulary."""
    vocabulary = make_vocabulary(plan, dataset)
    torch.manual_seed(plan.settings.seed)
    return methods.load(plan.method).build(plan.method_config, vocabulary, encoder.width), vocabulary


def shared_images(dataset: Dataset, cached: Cached, kept: NDArray[np.int64]) -> list[str]:
    """A note for each pair of parts in which identical image files lie: what was learnt is then asked again."""
    places = [tuple(place) for place in cached.data.place[kept].tolist()]
    held = {part: {p for p, s in zip(places, dataset.split) if s == part} for part in PARTS}
    notes = []
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if both := len(held[one] & held[other]):
            notes.append(f"{both} images of {other} are identical to images of {one}; `manylabel doctor` names them")
    return notes


def make_vocabulary(plan: Plan, dataset: Dataset) -> Vocabulary:
    """Names, training counts and text of the classes."""
    rows = np.flatnonzero(dataset.split == "train")
    table = dataset.labels.rows(rows)
    source, module = plan.text.source, methods.load(plan.method)
    optional = source == "auto" and getattr(module, "TEXT_OPTIONAL", False)
    if source == "auto":
        source = "sentence" if getattr(module, "NEEDS_TEXT", False) else "none"
    try:
        vectors, description = text.vectors(table.names, source, seed=plan.settings.seed, centre=plan.text.centre)
    except ManylabelError as error:
        if not optional:
            raise
        vectors, description = None, "none"
        note = f"no label text: {error}"
        plan.notes.extend([] if note in plan.notes else [note])
    return Vocabulary(table.names, table.counts, vectors, images=len(rows), text_source=description)


def score_part(method: Method, source: Source, dataset: Dataset, part: str, fabric: Any) -> ScoreFile:
    """The score file of one part, with its labels."""
    rows = np.flatnonzero(dataset.split == part)
    table = dataset.labels.rows(rows)
    scores = score(method, source, fabric=fabric)
    return ScoreFile(np.array(table.ids), np.array(table.names), scores, "logit", table.state)
