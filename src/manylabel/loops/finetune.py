"""An encoder and a method as one method, trained end to end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from manylabel.encoders import Encoder
from manylabel.methods import Method
from manylabel.parts.batch import Batch, Clock


class EndToEnd(Method):
    """Images (B, 3, H, W) through `encoder` into `method`.


    Arguments:
        encoder: trained at `encoder_lr` times the method's rate.
        method: gets the same `Features` as from the cache.
        encoder_lr: 0.1 by custom; the published CPRFL means 0.1 and runs at 1.
        freeze_batch_norm: batch norms keep their pre-trained statistics, which batches of a few images would spoil;
            their scales and shifts still learn.
    """

    def __init__(
        self, encoder: Encoder, method: Method, *, encoder_lr: float = 0.1, freeze_batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.encoder, self.method, self.encoder_lr = encoder, method, encoder_lr
        self.freeze_batch_norm = freeze_batch_norm

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
        mine = {"params": [p for p in self.encoder.parameters() if p.requires_grad], "lr": lr * self.encoder_lr}
        return [mine, *self.method.parameter_groups(lr)]

    def before_epoch(self, clock: Clock, train: Any) -> None:
        self.method.before_epoch(clock, train)

    def after_step(self, clock: Clock) -> None:
        self.method.after_step(clock)
