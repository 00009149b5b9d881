"""An encoder and a method as one method, trained end to end."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock, Features


class EndToEnd(Method):
    """Images (B, 3, H, W) through `encoder` into `method`.

    Images are laid out channels-last, and so is every map that convolutions make of them: on a CPU a step takes two
    thirds of the time. The weights stay as they are, because a checkpoint keeps no layout, and the fused AdamW
    misreads a resumed moment that is laid out unlike its weight.

    Arguments:
        encoder: trained at `encoder_lr` times the method's rate.
        method: gets the same `Features` as from the cache.
        encoder_lr: 0.1 by custom; the published CPRFL means 0.1 and runs at 1.
        freeze_batch_norm: batch norms keep their pre-trained statistics, which batches of a few images would spoil;
            their scales and shifts still learn.
        layer_decay: the rate of each block of the encoder as a share of that of the block above it; 1: all alike.
    """

    def __init__(
        self, encoder: Encoder, method: Method, *, encoder_lr: float = 0.1, freeze_batch_norm: bool = True,
        layer_decay: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.method, self.encoder_lr = encoder, method, encoder_lr
        self.freeze_batch_norm, self.layer_decay = freeze_batch_norm, layer_decay

    def train(self, mode: bool = True) -> EndToEnd:
        super().train(mode)
        for module in self.encoder.modules():
            if self.freeze_batch_norm and isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        return self.method(replace(batch, inputs=self._features(batch.inputs)), clock)  # type: ignore[arg-type]

    def scores(self, inputs: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C) logits of images (B, 3, H, W)."""
        return self.method.scores(self._features(inputs))

    def _features(self, images: Tensor) -> Features:
        features: Features = self.encoder(images.contiguous(memory_format=torch.channels_last))
        return features

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """One group for each block of the encoder, at lr * encoder_lr * layer_decay^(blocks above), then the method's.

        Layer-wise rates follow Clark et al., "ELECTRA", ICLR 2020. Where all are alike the encoder is one group.
        """
        blocks = encoder_blocks(self.encoder)
        if self.layer_decay == 1:
            blocks = [[p for block in blocks for p in block]]
        top, peak = len(blocks) - 1, lr * self.encoder_lr
        mine = [{"params": block, "lr": peak * self.layer_decay ** (top - i)} for i, block in enumerate(blocks)]
        return [*mine, *self.method.parameter_groups(lr)]

    def before_epoch(self, clock: Clock, train: Any) -> None:
        self.method.before_epoch(clock, train)

    def after_step(self, clock: Clock) -> None:
        self.method.after_step(clock)


def encoder_blocks(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """The trainable parameters by block, from the images upwards, in the order in which the encoder defines them.

    A block is a module named by the first number in its parameters' names ("blocks.3", "layer1.0"). What has no such
    number forms a block with its neighbours: all that comes before the first numbered block, as a stem or an
    embedding, and all that comes after the last, as a final norm and a head. A number directly before the
    parameter's own name ("stem.0.weight") counts layers of a stem or head, not blocks.
    """
    named = [(name, p) for name, p in encoder.named_parameters() if p.requires_grad]
    runs = itertools.groupby(named, key=lambda pair: numbered_module(pair[0]))
    return [[parameter for _, parameter in run] for _, run in runs]


def numbered_module(name: str) -> str:
    """The module that the first number in a parameter's name belongs to, or "" where there is none.

    >>> numbered_module("network.blocks.3.expand.0.weight"), numbered_module("network.stem.0.weight")
    ('network.blocks.3', '')
    """
    found = re.match(r"(.*?\.\d+)\..*\.", name)
    return found[1] if found else ""
