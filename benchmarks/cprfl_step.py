"""CPRFL's training step against the same equations with every token attending: same numbers, less work.

    make bench-step          # writes benchmarks/results/cprfl_step.csv

Both forms share one set of weights; loss and gradients are compared before anything is timed. Steps of the two
forms alternate within one run, so that a busy machine slows both. A step is forward, ASL, backward and AdamW.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from manylabel.labels import Vocabulary
from manylabel.methods.cprfl import CPRFL, Config, build
from manylabel.parts.batch import Batch, Clock, Features
from results import write


class FullAttention(CPRFL):
    """The same method with Z = [F; P] pushed whole through every step of VSI."""

    fused = True  # torch's fused attention, or the softmax written out

    def scores(self, inputs: Features) -> torch.Tensor:
        prompts = self.prompts()
        tokens = torch.cat([self.phi(inputs.grid), prompts.expand(len(inputs.grid), -1, -1)], dim=1)  # (B, P+C, d)
        for layer in self.vsi.layers:
            q, k, v = layer.qkv(layer.norm1(tokens)).unflatten(-1, (3, layer.heads, -1)).permute(2, 0, 3, 1, 4)
            if self.fused:
                attended = F.scaled_dot_product_attention(q, k, v, scale=layer.scale)
            else:
                attended = (q @ k.transpose(-1, -2) * layer.scale).softmax(-1) @ v
            attended = layer.drop(layer.out(attended.transpose(1, 2).flatten(2)))
            tokens = layer.drop(layer.ffn2(layer.drop(F.gelu(layer.ffn1(layer.norm2(attended))))))
        return torch.einsum("bcd,cd->bc", tokens[:, -len(prompts) :], prompts)


class WrittenOut(FullAttention):
    """As most published code does it, the authors' included."""

    fused = False


def step(method: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    started = time.perf_counter()
    loss = method(batch, Clock())["asl"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - started


def check(ours: nn.Module, theirs: nn.Module, batch: Batch) -> float:
    """The largest relative difference of loss and gradients, dropout off."""
    for method in (ours, theirs):
        method.eval()
        method.zero_grad()
        method(batch, Clock())["asl"].backward()
    pairs = zip(ours.parameters(), theirs.parameters())
    errors = [(a.grad - b.grad).norm() / a.grad.norm() for a, b in pairs if a.requires_grad]
    ours.zero_grad()
    theirs.zero_grad()
    ours.train()
    theirs.train()
    return float(max(errors))


def measure(patches: int, *, batch_size: int, repeats: int, config: Config) -> list[dict[str, object]]:
    """One size: our form against both full forms."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(80, 512)).astype(np.float32)
    vocabulary = Vocabulary(tuple(map(str, range(80))), text=text / np.linalg.norm(text, axis=1, keepdims=True))
    torch.manual_seed(0)
    ours = build(config, vocabulary, 1280)
    forms = {"ours": ours}
    for name, cls in (("full, fused attention", FullAttention), ("full, softmax written out", WrittenOut)):
        forms[name] = copy.deepcopy(ours)
        forms[name].__class__ = cls
    grid = torch.rand(batch_size, patches, 1280)
    labels = torch.from_numpy(np.where(rng.random((batch_size, 80)) < 0.04, 1, -1).astype(np.int8))
    batch = Batch(Features(grid, grid.mean(1), None), labels, torch.arange(batch_size))
    errors = {name: check(ours, form, batch) for name, form in forms.items() if name != "ours"}
    optimizers = {name: torch.optim.AdamW(form.parameters(), lr=0.0, fused=True) for name, form in forms.items()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    for repeat in range(repeats + 2):
        for name, form in forms.items():
            seconds = step(form, optimizers[name], batch)
            if repeat >= 2:  # warm
                times[name].append(seconds)
    rows = []
    for name, seconds in times.items():
        ratios = [b / a for a, b in zip(times["ours"], seconds)]
        rows.append({
            "patches": patches, "classes": 80, "width": config.width, "batch": batch_size, "form": name,
            "median_ms": round(1e3 * statistics.median(seconds), 1),
            "times_ours": round(statistics.median(ratios), 2),
            "gradient_difference": f"{errors.get(name, 0.0):.1e}", "repeats": repeats,
        })  # fmt: skip
        print(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cprfl_step.csv")
    options = parser.parse_args()
    rows = []
    for patches in (49, 196):
        rows += measure(patches, batch_size=64, repeats=options.repeats, config=Config())
    published = Config(width=2048, heads=8, head_width=512, hidden=2048)
    rows += measure(49, batch_size=16, repeats=max(3, options.repeats // 5), config=published)
    rows += measure(196, batch_size=16, repeats=max(3, options.repeats // 5), config=published)
    write(options.out, rows)


if __name__ == "__main__":
    main()
