"""ML-Decoder: a label decoder with few queries (Ridnik, Sharir et al., WACV 2023, arXiv 2111.12933).

Patch features F pass a linear layer and a ReLU; K queries Q read them in one transformer decoder layer without
self-attention; each query's token h_k gives the logits of its group of g = ceil(C / K) classes (group decoding), so
that cost grows with K more than with C. The queries are random and stay as drawn: what reads them learns. The loss
is ASL.

    F = ReLU(phi(x))      H = LabelDecoder(F, Q)      z_c = h_k . w_c + b_c,  k = c div g

`queries="text"` is the zero-shot form: one query a class, q_c = ReLU(W t_c + b) of its label text t_c, and one output
vector and bias for all, z_c = h_c . w + b. Nothing then belongs to a class but its text: `text_scores` scores classes
that were never trained, and as queries do not interact they leave the others' scores as they are. Give the text with
`--text sentence`.

`PRESETS`: `small` fits frozen features on a CPU, `published` is the authors' training code. Reduction: the mean over
B * C cells. The encoder is left to you; published with a TResNet-L trained end to end:
`--preset published --finetune --encoder timm:tresnet_l.miil_in1k_448`. What differs even then: the authors start from
a TResNet-L that had been trained with this head on more data; they sum the loss over cells and add weight decay to
Adam's gradient (here: mean, and decay apart from it); and they report the better of weights and weight average at the
best epoch of the images they test on (here: the average, at the best epoch of the validation images). Their zero-shot
vectors have 300 numbers and are neither centred (`text.centre`) nor brought to one length (`text_scale`); the query
augmentations of their article are not in their code, nor here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from manylabel.heads.label_decoder import GroupLinear, LabelDecoder
from manylabel.labels import ManylabelError, Vocabulary, did_you_mean
from manylabel.methods import Method, check_text
from manylabel.objectives.asl import asl
from manylabel.objectives.bce import bce
from manylabel.parts.batch import Batch, Clock, Features
from manylabel.parts.mixup import check_mixup, mixed_loss

NEEDS_TEXT = False  # only with queries="text", where `build` asks for it
QUERIES = ("random", "learned", "text")


@dataclass(frozen=True)
class Config:
    """The scaled-down form for frozen features; `PRESETS` holds the published one."""

    width: int = 256  # d
    heads: int = 8
    hidden: int = 512  # width of the decoder's feed-forward network
    groups: int | None = None  # K queries; None: one per class, as with text always
    queries: str = "random"  # "random" (drawn once and frozen), "learned", or "text" (zero-shot)
    text_scale: float | None = None  # norm of the label vectors; None: the root of their width M
    dropout: float = 0.1
    mixup: float = 0.0  # patches of two images are mixed with a share drawn from Beta(mixup, mixup); 0: never
    objective: str = "asl"  # "asl" or "bce"
    gamma_negative: float = 4.0  # gamma-
    gamma_positive: float = 0.0  # gamma+
    clip: float = 0.05  # m
    detach: bool = True  # focusing weight without gradient


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "small": {
        "train": {"epochs": 8, "batch_size": 64, "lr": 1e-3, "ema": 0.99, "patience": 4},
    },
    "published": {
        "method": {"width": 768, "heads": 8, "hidden": 2048, "groups": 100, "dropout": 0.1},
        "train": {
            "epochs": 40, "batch_size": 56, "lr": 1e-4, "warmup": 0.2, "ema": 0.9997, "ema_warmup": False,
            "weight_decay": 1e-4, "encoder_lr": 1.0, "freeze_batch_norm": False, "clip": 0.0, "patience": 0,
            "cutout": 0.5, "rand_augment": True, "crop": False, "flip": False,
        },
        "encoder": {"image_size": 448, "normalise": False},
    },
}  # fmt: skip


class MLDecoder(Method):
    """The method; see the module's docstring for its equations.

    Arguments:
        config: options.
        classes: C.
        text: (C, M) unit label vectors with `queries="text"`, else None.
        width: of the patch features.
    """

    text: Tensor

    def __init__(self, config: Config, classes: int, text: Tensor | None, width: int) -> None:
        super().__init__()
        self.config = config
        self.phi = nn.Linear(width, config.width)
        self.decoder = LabelDecoder(config.width, config.heads, config.hidden, dropout=config.dropout)
        self.classifier: nn.Module
        if text is not None:
            self.register_buffer("text", text)
            self.text_scale = text.shape[1] ** 0.5 if config.text_scale is None else config.text_scale
            self.words = nn.Linear(text.shape[1], config.width)  # W, b
            self.classifier = SharedLinear(config.width)
            return
        self.classifier = GroupLinear(classes, config.groups or classes, config.width)
        queries = torch.randn(self.classifier.queries, config.width)  # N(0, 1)
        if config.queries == "learned":
            self.queries = nn.Parameter(queries)
        else:
            self.register_buffer("queries", queries)

    def scores(self, inputs: Features) -> Tensor:
        """(B, C) logits."""
        if self.config.queries == "text":
            return self.text_scores(inputs, self.text)
        return self._decode(inputs, self.queries)

    def text_scores(self, inputs: Features, text: Tensor) -> Tensor:
        """(B, C') logits of any classes by their (C', M) unit label vectors, trained or not.

        The vectors must come from the same language model, centred on the same mean, as those of training.
        Raises ManylabelError where the queries are not made of text.
        """
        if self.config.queries != "text":
            raise ManylabelError(f"only queries of text score unseen classes; these are {self.config.queries}")
        return self._decode(inputs, F.relu(self.words(self.text_scale * text)))

    def evidence(self, inputs: Features) -> Tensor | None:
        """(B, C, P) attention of each class's query on the patches, the mean over heads; a group shares it."""
        assert inputs.grid is not None
        queries = F.relu(self.words(self.text_scale * self.text)) if self.config.queries == "text" else self.queries
        weights = self.decoder.attention(F.relu(self.phi(inputs.grid)), queries).mean(1)  # (B, K, P)
        if not isinstance(self.classifier, GroupLinear):
            return weights
        per_query, classes = self.classifier.weight.shape[-1], len(self.classifier.bias)
        return weights.repeat_interleave(per_query, dim=1)[:, :classes]

    def _decode(self, inputs: Features, queries: Tensor) -> Tensor:
        assert inputs.grid is not None
        patches = F.relu(self.phi(inputs.grid))  # (B, P, d)
        logits: Tensor = self.classifier(self.decoder(patches, queries))
        return logits

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """{"asl": scalar} or {"bce": scalar}, the mean over B * C cells."""
        total = mixed_loss(self._loss, cast(Features, batch.inputs), batch.labels, self.config.mixup)
        return {self.config.objective: total}

    def _loss(self, inputs: Features) -> Callable[[Tensor], Tensor]:
        """What takes labels (B, C) to the loss of these features."""
        c, scores = self.config, self.scores(inputs)
        if c.objective == "bce":
            return lambda labels: bce(scores, labels).mean()
        return lambda labels: asl(
            scores, labels, gamma_negative=c.gamma_negative, gamma_positive=c.gamma_positive, clip=c.clip,
            detach=c.detach,
        ).mean()  # fmt: skip


class SharedLinear(nn.Module):
    """One output vector w and one bias b for every class: H (B, C, d) to logits (B, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(width, 1)), nn.Parameter(torch.zeros(1))
        nn.init.xavier_normal_(self.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        return (tokens @ self.weight).squeeze(-1) + self.bias


def build(config: Config, vocabulary: Vocabulary, width: int) -> MLDecoder:
    """ML-Decoder for the classes of `vocabulary` (its `text` too with `queries="text"`) on features of `width`."""
    for option in ("width", "heads", "hidden", "groups"):
        value = getattr(config, option)
        if value is not None and value < 1:
            raise ManylabelError(f"method.{option} is at least 1, got {value}")
    check_mixup(config.mixup)
    if config.width % config.heads:
        raise ManylabelError(f"method.width is a multiple of heads, got {config.width} and {config.heads}")
    if not 0 <= config.dropout < 1:
        raise ManylabelError(f"method.dropout lies in [0, 1), got {config.dropout}")
    for option, valid in (("queries", QUERIES), ("objective", ("asl", "bce"))):
        word = getattr(config, option)
        if word not in valid:
            raise ManylabelError(f"there is no method.{option} {word!r}.{did_you_mean(word, valid)}")
    text = check_text(vocabulary, "mldecoder") if config.queries == "text" else None
    return MLDecoder(config, len(vocabulary), text, width)
