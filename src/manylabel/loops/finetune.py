"""An encoder and a method as one method, trained end to end."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock


class EndToEnd(Method):
    """Images (B, 3, H, W) through `encoder` into `method`.

    The encoder's convolutions are laid out channels-last, in which a step takes about half the time on a CPU.

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
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> EndToEnd:
        super().train(mode)
        for module in self.encoder.modules():
            if self.freeze_batch_norm and isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        return self.method(replace(batch, inputs=self.encoder(batch.inputs)), clock)

    def scores(self, inputs: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C) logits of images (B, 3, H, W)."""
        return self.method.scores(self.encoder(inputs))

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """The method's groups, and one for each block of the encoder at encoder_lr * layer_decay^(blocks above)."""
        blocks = encoder_blocks(self.encoder)
        top = len(blocks) - 1
        mine = [
            {"params": params, "lr": lr * self.encoder_lr * self.layer_decay ** (top - depth)}
            for depth, params in enumerate(blocks)
        ]
        return [*mine, *self.method.parameter_groups(lr)]

    def before_epoch(self, clock: Clock, train: Any) -> None:
        self.method.before_epoch(clock, train)

    def after_step(self, clock: Clock) -> None:
        self.method.after_step(clock)


def encoder_blocks(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """The trainable parameters by block, from the images upwards, in the order in which the encoder defines them.

    A block is the module named by a first number ("network.blocks.3", "network.layer1.0"); what lies outside one
    ("network.stem.0.weight", "network.head.bias") goes by the second part of its name.
    """
    blocks: dict[str, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            numbered = re.match(r"(.*?\.\d+)\..*\.", name)
            blocks.setdefault(numbered[1] if numbered else ".".join(name.split(".")[:2]), []).append(parameter)
    return list(blocks.values())
