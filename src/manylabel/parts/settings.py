"""How training is set up and what it leaves: the two records that loops and methods with their own loop share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manylabel.labels import ManylabelError, did_you_mean

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Settings:
    """How to train, whatever the method."""

    epochs: int = 15
    batch_size: int = 64
    lr: float = 1e-3  # peak rate of the one-cycle policy
    weight_decay: float = 1e-4  # on matrices; vectors (biases, norms) have none
    warmup: float = 0.1  # share of the steps in which the rate rises
    ema: float = 0.99  # decay of the weight average that is validated and kept; 0: none
    ema_warmup: bool = True  # shorter average at the start; the published CPRFL has none
    clip: float = 1.0  # largest gradient norm; 0: no clipping
    patience: int = 6  # epochs without a better validation mAP before stopping; 0: never stop early
    encoder_lr: float = 0.1  # with --finetune: the encoder's rate as a share of lr
    layer_decay: float = 1.0  # with --finetune: a block's rate as a share of the next one's above it; 1: all alike
    freeze_batch_norm: bool = True  # with --finetune: batch norms keep their statistics
    crop: bool = True  # with --finetune: random crops of at least half the area
    flip: bool = True  # with --finetune: left-right flips
    cutout: float = 0.0  # with --finetune: side of a blanked square as a share of the image's; 0: none
    rand_augment: bool = False  # with --finetune: RandAugment (Cubuk et al. 2020), n = 2, m = 9
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    precision: str = "auto"  # auto: bf16-mixed on a GPU that has it, 32-true elsewhere; or one of PRECISIONS

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices", "nodes"):
            if getattr(self, name) < 1:
                raise ManylabelError(f"train.{name} is at least 1, got {getattr(self, name)}")
        for name in ("lr", "weight_decay", "clip", "patience", "encoder_lr", "seed"):
            if getattr(self, name) < 0:
                raise ManylabelError(f"train.{name} is at least 0, got {getattr(self, name)}")
        for name in ("warmup", "ema", "cutout"):
            if not 0 <= getattr(self, name) < 1:
                raise ManylabelError(f"train.{name} lies in [0, 1), got {getattr(self, name)}")
        if not 0 < self.layer_decay <= 1:
            raise ManylabelError(f"train.layer_decay lies in (0, 1], got {self.layer_decay}")
        if self.precision not in PRECISIONS:
            raise ManylabelError(f"there is no precision {self.precision!r}.{did_you_mean(self.precision, PRECISIONS)}")


@dataclass
class Fit:
    """What training left: the log, the epoch whose weights the method now bears, and how it ended."""

    log: list[dict[str, Any]]
    best_epoch: int
    best_map: float
    ended: str  # "complete", "stopped early" or "interrupted"
    notes: list[str] = field(default_factory=list)  # what a method that chooses has chosen, and why
