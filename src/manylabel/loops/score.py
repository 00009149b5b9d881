"""Scores of a source: every row once, in order, on one process or shared among several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from manylabel.loops.sources import Source, chunks, prefetched
from manylabel.methods import Method
from manylabel.parts.batch import Features


def to_device(inputs: Features | torch.Tensor, device: torch.device) -> Features | torch.Tensor:
    """Features or images on `device`."""
    if isinstance(inputs, torch.Tensor):
        return inputs.to(device, non_blocking=True)
    grid = None if inputs.grid is None else inputs.grid.to(device, non_blocking=True)
    return replace(inputs, grid=grid, pooled=inputs.pooled.to(device, non_blocking=True))


@torch.inference_mode()
def score(method: Method, source: Source, *, batch_size: int = 64, fabric: Fabric | None = None) -> NDArray[np.float32]:
    """(N, C) float32 logits of every row of `source`; leaves the method in the mode it was in."""
    rank, world = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    device = next((p.device for p in method.parameters()), torch.device("cpu"))
    share = -(-len(source) // world)
    rows = np.minimum(np.arange(rank * share, (rank + 1) * share), max(len(source) - 1, 0))
    training = method.training
    method.eval()
    parts = []
    if len(source):
        for batch in prefetched(source, [rows[i] for i in chunks(share, batch_size)], 0):
            parts.append(method.scores(to_device(batch.inputs, device)).float())  # type: ignore[arg-type]
    method.train(training)
    mine = torch.cat(parts) if parts else torch.zeros(0, source.labels.shape[1])
    if fabric is not None and world > 1:
        gathered: Any = fabric.all_gather(mine)  # (world, share, C) in rank order
        mine = gathered.flatten(0, 1)
    return mine[: len(source)].cpu().numpy()
