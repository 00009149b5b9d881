"""Exponential moving average of a module's weights (Polyak averaging)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """Shadow weights s <- decay * s + (1 - decay) * w of every parameter; buffers (fitted statistics) are copied.

    Arguments:
        module: whose weights are averaged; the shadow starts as their copy.
        decay: in [0, 1); the average spans about 1 / (1 - decay) updates.
        warmup: at update t = 1, 2, ... use min(decay, t / (t + 9)), so that a short run is not averaged with its
            random start. The published CPRFL has none.

    >>> line = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(line.weight, 1.0)
    >>> ema = Ema(line, decay=0.9, warmup=False)
    >>> _ = nn.init.constant_(line.weight, 2.0)
    >>> ema.update(line); round(ema.state["weight"].item(), 6)
    1.1
    """

    def __init__(self, module: nn.Module, decay: float, *, warmup: bool = True) -> None:
        self.decay, self.warmup, self.updates = decay, warmup, 0
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's present weights into the average."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9)) if self.warmup else self.decay
        averaged = {name for name, _ in module.named_parameters()}
        for name, value in module.state_dict().items():
            if name in averaged:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """The module bears the averaged weights inside the `with`, its own again after it."""
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.state)
        try:
            yield
        finally:
            module.load_state_dict(own)


def copy_state(module: nn.Module) -> dict[str, Tensor]:
    """A detached copy of a module's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
