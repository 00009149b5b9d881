"""CPRFL: category-prompt refined feature learning (Yan, Huang et al., ACM MM 2024, arXiv 2408.08125).

Label text W becomes category prompts P (the PI network); prompts and patch features F pass one transformer
together (the VSI network); a class is scored by the dot product of its refined prompt p' and the prompt p it
started from. P therefore learns along two paths, through VSI and directly as the classifier. The loss is ASL.

    P = GELU(W W1 + b1) W2 + b2      Z = [phi(F); P]      P' = last C rows of VSI(Z)      z_i = p'_i . p_i

Article and published code differ; every difference in the method is an option below and `PRESETS` holds both forms,
beside `small`, which is fit for frozen features on a CPU. Reduction: the mean over B * C cells, or their sum divided
by B with `reduction="sum"` as in the article.

On frozen features one such network errs elsewhere than a regression on pooled features does. So the preset `frozen`
trains it with mixup of patch features and adds a kernel ridge solved in closed form (`anchor`); `finetune` adds a
linear classifier, which learns along. Several networks can be trained side by side, each from its own start
(`members`). Each part has its own loss and nothing flows between them; docs/does-cprfl-pay.md has what it brings:

    z = a * anchor + (1 - a) * mean of the members' z

The presets `paper` and `published_code` leave encoder and text to you. Both forms were published with a ResNet-101
trained end to end and CLIP's RN50 text tower: `--preset published_code --finetune --encoder timm:resnet101.tv_in1k
--text clip:RN50/openai`. Two things differ even then: the published code trains the whole text tower, here its output
W is trained (`train_text`), and its vectors are neither centred (`text.centre`) nor of unit length (`text_scale`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from manylabel.heads.vsi import VSI
from manylabel.labels import ManylabelError, Vocabulary
from manylabel.methods import Method, check_text
from manylabel.methods.kernel_ridge import Config as KernelConfig
from manylabel.methods.kernel_ridge import KernelRidge
from manylabel.methods.linear import Config as LinearConfig
from manylabel.methods.linear import Linear
from manylabel.methods.ridge import Config as RidgeConfig
from manylabel.methods.ridge import Ridge, solve_alone
from manylabel.objectives.asl import asl
from manylabel.objectives.bce import bce
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.mixup import check_mixup, mixed_loss

NEEDS_TEXT = True
WORDS = {
    "scale": ("head", "model"), "objective": ("asl", "bce"), "reduction": ("mean", "sum"),
    "anchor": ("none", "ridge", "kernel", "linear"),
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """The scaled-down form for frozen features; `PRESETS` holds the published ones."""

    width: int = 256  # d
    heads: int = 4
    head_width: int = 64
    hidden: int = 256  # width of VSI's feed-forward network
    depth: int = 1  # VSI layers
    tau: float = 0.5  # t = tau * d, hidden width of the PI network
    linear_pi: bool = False  # PI without its hidden layer (the article's ablation)
    dropout: float = 0.0  # behind attention and both feed-forward matrices (code: 0.1; article: none)
    residual: bool = False  # neither article nor published code
    norm: bool = True  # code: pre-norm; article: none
    scale: str = "head"  # attention divided by sqrt(head width) (code: "head") or sqrt(d) (article: "model")
    train_text: bool = False  # code: text encoder trained, here its output W; article: frozen
    text_scale: float | None = None  # norm of W's rows; None: the root of their width m, so that entries vary by 1
    token_path: bool = True  # gradient through VSI (the authors' no_feature_grad turns it off)
    classifier_path: bool = True  # gradient through the dot product's p_i (their no_cls_grad turns it off)
    objective: str = "asl"  # "asl" or "bce"
    gamma_negative: float = 4.0  # gamma-
    gamma_positive: float = 0.0  # gamma+
    clip: float = 0.05  # mu
    detach: bool = True  # focusing weight without gradient
    reduction: str = "mean"  # over B * C (code), or "sum" over classes, mean over images (article)
    interact: bool = True  # False: prompts do not see each other, so scores do not depend on the other classes
    mixup: float = 0.0  # patches of two images are mixed with a share drawn from Beta(mixup, mixup); 0: never
    members: int = 1  # networks trained side by side, whose scores are averaged
    anchor: str = "none"  # a pooled classifier added to the score: "ridge", "kernel" (both solved), "linear" (learns)
    anchor_weight: float = 0.5  # a, its share of the score


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "small": {
        "train": {"epochs": 8, "batch_size": 64, "lr": 1e-3, "ema": 0.99, "patience": 4},
    },
    "frozen": {
        "method": {"mixup": 1.0, "anchor": "kernel"},
        "train": {"epochs": 8, "batch_size": 64, "lr": 1e-3, "ema": 0.99, "patience": 0},
        "encoder": {"flip": True},
    },
    "finetune": {
        "method": {"anchor": "linear"},
        "train": {
            "epochs": 10, "batch_size": 32, "lr": 1e-3, "weight_decay": 1e-2, "encoder_lr": 0.1, "ema": 0.99,
            "patience": 0,
        },
    },
    "paper": {
        "method": {
            "width": 2048, "heads": 1, "head_width": 2048, "hidden": 2048, "norm": False, "scale": "model",
            "reduction": "sum",
        },
        "train": {
            "epochs": 80, "batch_size": 16, "lr": 5e-5, "ema": 0.998, "ema_warmup": False, "weight_decay": 1e-4,
            "encoder_lr": 0.1, "clip": 0.0, "patience": 0, "cutout": 0.5, "rand_augment": True, "crop": False,
            "flip": False,
        },
        "encoder": {"image_size": 448},
        "text": {"centre": False},
    },
    "published_code": {
        "method": {
            "width": 2048, "heads": 8, "head_width": 512, "hidden": 2048, "dropout": 0.1, "train_text": True,
        },
        "train": {
            "epochs": 80, "batch_size": 16, "lr": 1e-5,  # the code's default; the name of its run says 5e-5
            "ema": 0.998, "ema_warmup": False, "weight_decay": 1e-4, "encoder_lr": 1.0, "freeze_batch_norm": False,
            "clip": 0.0, "patience": 0, "cutout": 0.5, "rand_augment": True, "crop": False, "flip": False,
        },
        "encoder": {"image_size": 448, "normalise": False},
        "text": {"centre": False},
    },
}  # fmt: skip


class CPRFL(Method):
    """The method; see the module's docstring for its equations."""

    def __init__(self, config: Config, text: Tensor, width: int) -> None:
        super().__init__()
        self.config = config
        scale = text.shape[1] ** 0.5 if config.text_scale is None else config.text_scale
        self.text = nn.Parameter(text * scale, requires_grad=config.train_text)  # W (C, m)
        self.pi = prompt_network(text.shape[1], config)
        self.phi = nn.Linear(width, config.width)
        self.vsi = VSI(
            config.width, config.heads, config.head_width, config.hidden, depth=config.depth,
            dropout=config.dropout, residual=config.residual, norm=config.norm, scale=config.scale,
            interact=config.interact,
        )  # fmt: skip
        if not config.token_path:  # nothing then reaches phi and VSI
            self.phi.requires_grad_(False)
            self.vsi.requires_grad_(False)

    def prompts(self) -> Tensor:
        """P (C, d)."""
        return self.pi(self.text)

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits z_i = p'_i . p_i; a batch of one keeps its axis."""
        assert inputs.grid is not None
        prompts, patches = self.prompts(), self.phi(inputs.grid)
        if self.config.token_path and self.config.classifier_path:
            return self.vsi.scores(patches, prompts)
        refined = self.vsi(patches, prompts)  # (B, C, d)
        if not self.config.token_path:
            refined = refined.detach()
        classifier = prompts if self.config.classifier_path else prompts.detach()
        return torch.einsum("bcd,cd->bc", refined, classifier)

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) attention of each prompt on the patches, see `VSI.attention`."""
        assert inputs.grid is not None
        return self.vsi.attention(self.phi(inputs.grid), self.prompts())

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """{"asl": scalar} or {"bce": scalar}, reduced as the module's docstring says."""
        total = mixed_loss(self._loss, cast(Features, batch.inputs), batch.labels, self.config.mixup)
        return {self.config.objective: total}

    def _loss(self, inputs: Features) -> Callable[[Tensor], Tensor]:
        """What takes labels (B, C) to the loss of these features."""
        c, scores = self.config, self.scores(inputs)

        def of_labels(labels: Tensor) -> Tensor:
            if c.objective == "bce":
                cells = bce(scores, labels)
            else:
                cells = asl(
                    scores, labels, gamma_negative=c.gamma_negative, gamma_positive=c.gamma_positive, clip=c.clip,
                    detach=c.detach,
                )  # fmt: skip
            return cells.mean() if c.reduction == "mean" else cells.sum(1).mean()

        return of_labels


class Anchored(Method):
    """Several CPRFL networks, and perhaps a pooled classifier, trained side by side and scored together.

    Arguments:
        config: `members`, `anchor` and `anchor_weight` are read here, the rest by each network.
        members: the networks.
        anchor: adds its scores, or None.
    """

    def __init__(self, config: Config, members: list[CPRFL], anchor: Linear | Ridge | KernelRidge | None) -> None:
        super().__init__()
        self.config, self.members, self.anchor = config, nn.ModuleList(members), anchor
        self.frozen_only = isinstance(anchor, Ridge | KernelRidge)  # solved once, on features that must stay

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits: a * anchor + (1 - a) * mean of the members."""
        z = torch.stack([cast(CPRFL, member).scores(inputs) for member in self.members]).mean(0)
        return z if self.anchor is None else torch.lerp(z, self.anchor.scores(inputs), self.config.anchor_weight)

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) attention, the members' mean, and the anchor's shares of its logit: each divided by its largest
        value above 0, then weighed as the scores are. Attention alone where nothing leads an anchor to patches."""
        attention = torch.stack([cast(Tensor, cast(CPRFL, member).evidence(inputs)) for member in self.members]).mean(0)
        shares = None if self.anchor is None else self.anchor.evidence(inputs)
        if shares is None:
            return attention
        scaled = [x.clamp(min=0) / x.amax(-1, keepdim=True).clamp(min=1e-12) for x in (attention, shares)]
        return torch.lerp(scaled[0], scaled[1], self.config.anchor_weight)

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The mean of the members' losses, and the loss of an anchor that learns."""
        losses = [member(batch, clock) for member in self.members]
        total = {name: torch.stack([loss[name] for loss in losses]).mean() for name in losses[0]}
        return total | ({"anchor": self.anchor(batch, clock)["loss"]} if isinstance(self.anchor, Linear) else {})

    def before_epoch(self, clock: Clock, train: Any) -> None:
        """Solve the ridge, or take the statistics that the linear anchor standardises with, once."""
        if isinstance(self.anchor, Linear):
            self.anchor.before_epoch(clock, train)
        elif self.anchor is not None and clock.epoch == 0:
            solve_alone(self.anchor, train) if isinstance(self.anchor, Ridge) else self.anchor.solve(train)


def prompt_network(text_width: int, config: Config) -> nn.Module:
    """The PI network (eq. 1): Linear, GELU, Linear with hidden width t = tau * d, or one Linear."""
    if config.linear_pi:
        return nn.Linear(text_width, config.width)
    hidden = int(config.tau * config.width)
    return nn.Sequential(nn.Linear(text_width, hidden), nn.GELU(), nn.Linear(hidden, config.width))


def build(config: Config, vocabulary: Vocabulary, width: int) -> CPRFL | Anchored:
    """CPRFL for the classes of `vocabulary`, whose `text` it needs, on features of `width`."""
    check(config)
    text = check_text(vocabulary, "cprfl")
    members = [CPRFL(config, text, width) for _ in range(config.members)]
    if config.anchor == "none" and len(members) == 1:
        return members[0]
    anchor: Linear | Ridge | KernelRidge | None = None
    if config.anchor == "ridge":
        anchor = Ridge(RidgeConfig(), len(vocabulary), width)
    elif config.anchor == "kernel":
        anchor = KernelRidge(KernelConfig(), vocabulary.images, len(vocabulary), width)
    elif config.anchor == "linear":
        anchor = Linear(LinearConfig(objective=config.objective), vocabulary, width)
    return Anchored(config, members, anchor)


def check(config: Config) -> None:
    """Raise ManylabelError for an option outside its range."""
    for option in ("width", "heads", "head_width", "hidden", "depth", "members"):
        if getattr(config, option) < 1:
            raise ManylabelError(f"method.{option} is at least 1, got {getattr(config, option)}")
    if config.tau * config.width < 1 or not 0 <= config.dropout < 1:
        raise ManylabelError(f"method.tau is above 0 and dropout in [0, 1), got {config.tau} and {config.dropout}")
    check_mixup(config.mixup)
    if not 0 <= config.anchor_weight <= 1:
        raise ManylabelError(f"method.anchor_weight lies in [0, 1], got {config.anchor_weight}")
    for option, valid in WORDS.items():
        if getattr(config, option) not in valid:
            raise ManylabelError(f"method.{option} is one of {', '.join(valid)}, got {getattr(config, option)!r}")
