"""Auto: several systems trained in turn, their scores summed with weights chosen on validation.

The systems are other methods of this folder. They err differently, so that a sum ranks better than each of them
(docs/does-cprfl-pay.md). The cheapest is trained first; each further one is timed for a few steps and left out where
it would not fit in what is left of `minutes`. Systems that read label text are left out where there is none. Scores are
standardised for each class, weighted by greedy selection with replacement (Caruana et al., ICML 2004), and brought to
the logit scale (Platt 1999), all on the validation images:

    z_c = slope_c * sum_k w_k (z_kc - mean_kc) / std_kc + shift_c

A system that adds nothing has w_k = 0 and is not computed. Where validation holds fewer than 30 positive labels all
systems weigh the same, and mean, std, slope and shift are those of the training images. The notes of the run say what
was chosen and why; its log has one row for each system. Each system has its own settings of training: of the section
`train` only seed, devices, nodes and precision are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from manylabel import config as configuration
from manylabel import methods
from manylabel.labels import PRESENT, UNKNOWN, ManylabelError, Vocabulary, did_you_mean
from manylabel.methods import Method, check_text
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.held_out import logit_scale, mean_ap, select
from manylabel.parts.settings import Fit, Settings

if TYPE_CHECKING:
    from manylabel.loops.several import Member, Session
    from manylabel.loops.sources import Source

NEEDS_TEXT = True
TEXT_OPTIONAL = True  # without the sentence encoder the systems that read text are left out
FEWEST = 30  # positive labels that validation must hold for weights to be chosen on it
SHARED = ("seed", "devices", "nodes", "precision")  # what systems take over from the settings of the run

_NARROW, _WIDE = {"width": 128, "heads": 2, "hidden": 128}, {"width": 256, "heads": 4, "hidden": 256}
_MIXED = {"mixup": 1.0}
_FEW = {"epochs": 8, "batch_size": 32, "lr": 1e-3, "ema": 0.99, "patience": 0}
_MANY = {"epochs": 8, "batch_size": 64, "lr": 1e-3, "ema": 0.99, "patience": 0}

# For each system (below so many training images, its options, how it is trained); one not listed takes its first
# preset. Measured on frozen features of efficientnet_lite0, with 1,849 and with 8,000 training photographs
# (docs/does-cprfl-pay.md).
SIZES: dict[str, tuple[tuple[float, dict[str, Any], dict[str, Any]], ...]] = {
    "cprfl": ((4000, _NARROW | _MIXED, _FEW), (math.inf, _WIDE | _MIXED, _MANY)),
    "mldecoder": ((4000, _NARROW, _FEW), (math.inf, _WIDE, _MANY)),
}


@dataclass(frozen=True)
class Config:
    """Which systems may take part, and what may be spent on them."""

    systems: tuple[str, ...] = ("ridge", "kernel_ridge", "mlp", "cprfl", "mldecoder")  # any other methods
    minutes: float = 8.0  # of training in all; the cheapest system is trained whatever it takes
    rounds: int = 20  # of greedy selection; weights are multiples of 1 / rounds or coarser
    options: Mapping[str, Any] = field(default_factory=dict)  # of systems by name, such as options.cprfl.width
    training: Mapping[str, Any] = field(default_factory=dict)  # likewise, such as training.cprfl.epochs


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {"encoder": {"flip": True}},
}


class Auto(Method):
    """The sum; see the module's docstring for its equation. Until it is trained all weights are the same.

    Arguments:
        systems: K methods by name.
        left_out: why a system that was asked for is not among them, by name.
        vocabulary: gives the number of classes and of training images.
        config: see `Config`.
    """

    frozen_only = True
    weight: Tensor
    mean: Tensor
    std: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(
        self, systems: dict[str, Method], left_out: dict[str, str], vocabulary: Vocabulary, config: Config
    ) -> None:
        super().__init__()
        self.fixed: list[float] | None = None
        self.config, self.left_out, self.images = config, left_out, vocabulary.images
        self.systems = nn.ModuleDict(systems)
        self.needs_grid = any(system.needs_grid for system in systems.values())
        count, classes = len(systems), len(vocabulary)
        self.register_buffer("weight", torch.full((count,), 1 / count))
        self.register_buffer("mean", torch.zeros(count, classes))
        self.register_buffer("std", torch.ones(count, classes))
        self.register_buffer("slope", torch.ones(classes))
        self.register_buffer("shift", torch.zeros(classes))

    def train(self, mode: bool = True) -> Auto:
        """In evaluation mode the weights are plain numbers, so that a traced program leaves systems of weight 0 out."""
        self.fixed = None if mode else self.weight.tolist()
        return super().train(mode)

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits; a system of weight 0 is not computed."""
        total = torch.zeros_like(self.shift)
        weights = self.weight.tolist() if self.fixed is None else self.fixed
        for k, (weight, system) in enumerate(zip(weights, self.systems.values())):
            if weight:
                total = total + weight * (cast(Method, system).scores(inputs) - self.mean[k]) / self.std[k]
        return total * self.slope + self.shift

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss of each system by its name; for information, since `train` below trains them one by one."""
        return {name: torch.stack([*system(batch, clock).values()]).sum() for name, system in self.systems.items()}


def build(config: Config, vocabulary: Vocabulary, width: int) -> Auto:
    """All systems that the vocabulary allows, of a size that suits its number of training images."""
    check(config)
    systems, left_out, resolved = {}, {}, {}
    for name in config.systems:
        module = methods.load(name)
        if getattr(module, "NEEDS_TEXT", False) and vocabulary.text is None:
            left_out[name] = "left out: it reads label text, and there is none (see --text)"
            continue
        given = config.options.get(name, {})
        own = configuration.fill(
            module.Config, {**recipe(name, vocabulary.images)[0], **given}, f"method.options.{name}"
        )
        systems[name], resolved[name] = module.build(own, vocabulary, width), configuration.as_plain(own)
    if not systems:
        check_text(vocabulary, "auto")  # says how to give some
    # every option of every system goes into the run folder, so that it loads whatever our sizes become
    return Auto(systems, left_out, vocabulary, replace(config, options=resolved))


def check(config: Config) -> None:
    """Raise ManylabelError for an option outside its range."""
    valid = [name for name in methods.names() if name != "auto"]
    for name in config.systems:
        if name not in valid:
            raise ManylabelError(f"method.systems names {name!r}.{did_you_mean(name, valid)}")
    if not config.systems or len(set(config.systems)) < len(config.systems):
        raise ManylabelError(f"method.systems names each system once and at least one, got {list(config.systems)}")
    for what in ("options", "training"):
        for name, values in getattr(config, what).items():
            if name not in config.systems:
                raise ManylabelError(f"there is no method.{what}.{name}.{did_you_mean(name, list(config.systems))}")
            if not isinstance(values, Mapping):
                raise ManylabelError(f"method.{what}.{name} is a section of options, got {values!r}")
    if config.minutes < 0 or config.rounds < 1:
        raise ManylabelError(
            f"method.minutes is at least 0 and rounds at least 1, got {config.minutes} and {config.rounds}"
        )


def recipe(name: str, images: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A system's options and its settings of training, for so many training images.

    >>> recipe("cprfl", 1849)[0]["width"], recipe("cprfl", 9000)[0]["width"], recipe("ridge", 9000)
    (128, 256, ({}, {}))
    """
    for below, options, training in SIZES.get(name, ()):
        if images < below:
            return options, training
    first: dict[str, Any] = next(iter(getattr(methods.load(name), "PRESETS", {}).values()), {})
    return first.get("method", {}), first.get("train", {})


def members(method: Auto, settings: Settings) -> list[Member]:
    """The systems, each with its own settings of training but for what is `SHARED` with the run."""
    from manylabel.loops.several import Member

    shared = {name: getattr(settings, name) for name in SHARED}
    found = []
    for name, system in method.systems.items():
        given = {**recipe(name, method.images)[1], **method.config.training.get(name, {}), **shared}
        own = configuration.fill(Settings, given, f"method.training.{name}")
        found.append(Member(name, methods.load(name), cast(Method, system), own))
    return found


def combine(method: Auto, session: Session) -> tuple[float, bool]:
    """Set the buffers of the sum; returns its validation mAP, and whether weights were chosen on validation."""
    val, members = session.val, session.trained
    chosen = val is not None and int((val.labels == PRESENT).sum()) >= FEWEST
    held = val if val is not None and chosen else session.data
    scores = session.scores(held)
    std, mean = torch.std_mean(scores.double(), dim=1, correction=0)  # (K, C)
    std = torch.where(std > 1e-6, std, torch.ones_like(std))
    scores = (scores - mean[:, None].float()) / std[:, None].float()
    weights, value = torch.full((len(members),), 1 / len(members)), math.nan
    if chosen:
        weights, value = select(scores, held.labels, method.config.rounds)
    total = torch.einsum("k,knc->nc", weights.double(), scores.double())
    slope, shift = logit_scale(total, held.labels)
    method.weight.zero_()
    for k, member in enumerate(members):
        place = list(method.systems).index(member.name)
        method.weight[place], method.mean[place], method.std[place] = weights[k], mean[k], std[k]
        member.weight = round(weights[k].item(), 4)
    method.slope.copy_(slope)
    method.shift.copy_(shift)
    method.to(session.fabric.device).eval()
    if val is not None and len(val) and not chosen:
        each = (session.scores(val).double() - mean[:, None]) / std[:, None]
        value = mean_ap(torch.einsum("k,knc->nc", weights.double(), each), val.labels)
    return value, chosen


def explain(
    method: Auto, session: Session, settings: Settings, value: float, chosen: bool, ended: str
) -> list[str]:  # fmt: skip
    """Why each member has its weight, into the members; the whole in sentences."""
    for member in session.members:
        if member.outcome and chosen:
            member.reason = "adds to the sum" if member.weight else "adds nothing to the sum"
        elif member.outcome:
            member.reason = "equal weights"
        member.reason = member.reason or ("left out: interrupted" if ended == "interrupted" else "")
    out = {m.name: m.reason for m in session.members if not m.outcome} | method.left_out
    notes = [
        _size(method, session),
        _weighed(session.trained, value, chosen),
        *(f"{name} {why}" for name, why in out.items()),
    ]
    unused = [
        f"train.{f.name}" for f in fields(Settings)
        if f.name not in SHARED and getattr(settings, f.name) != f.default
    ]  # fmt: skip
    if unused:
        notes.append(f"{', '.join(unused)}: not used, each system has its own settings")
    return [f"auto: {note}" for note in notes]


def _size(method: Auto, session: Session) -> str:
    """What the sizes were chosen by, and which."""
    labels = session.data.labels
    unknown = 100 * float((labels == UNKNOWN).float().mean())
    widths = [f"{m.name} of width {method.config.options[m.name]['width']}" for m in session.members
              if m.name in SIZES]  # fmt: skip
    words = f"{len(labels):,} training images, {labels.shape[1]:,} classes, {unknown:.0f} % of labels unknown"
    return words + (f": {', '.join(widths)}" if widths else "")


def _weighed(members: Sequence[Member], value: float, chosen: bool) -> str:
    """A sentence on the systems' validation mAP, their weights, and the sum."""
    if not chosen:
        names = ", ".join(member.name for member in members)
        return f"fewer than {FEWEST} positive labels to validate on: equal weights, scaled on training images: {names}"
    alone = ", ".join(f"{m.name} {100 * cast(Fit, m.outcome).best_map:.1f}" for m in members)
    taken = [member for member in members if member.weight]
    if len(taken) == 1:
        return f"validation mAP {alone}: {taken[0].name} alone" + (", no sum is better" if len(members) > 1 else "")
    weights = ", ".join(f"{member.weight:.2f} {member.name}" for member in taken)
    return f"validation mAP {alone}; their sum {100 * value:.1f} with weights {weights}"


def train(
    method: Auto, train: Source, val: Source | None, settings: Settings, *,
    fabric: Any = None, folder: Path | None = None, resume: bool = False, progress: Callable[..., Any] | None = None,
) -> Fit:  # fmt: skip
    """Train the systems one by one and fit the sum. Arguments as for the common loop.

    A finished system is kept in `folder`/NAME/done and not trained again by `resume`. Ctrl-C ends training and sums
    what there is; before the first epoch of the first system it is passed on.
    """
    if not len(train):
        raise ManylabelError("there is no training image left; look at split and --where")
    # here, not above: this is the one method that needs the loops, which know all methods
    from manylabel.loops.several import Session
    from manylabel.loops.train import make_fabric

    session = Session(
        members(method, settings), train, val, fabric or make_fabric(settings), method.config.minutes, settings.seed,
        folder, resume, progress,
    )  # fmt: skip
    ended = session.run()
    value, chosen = combine(method, session)
    notes = explain(method, session, settings, value, chosen, ended)
    left_out = [{"system": name, "weight": 0.0, "reason": why} for name, why in method.left_out.items()]
    return Fit([*(m.row for m in session.members), *left_out], 0, value, ended, notes)
