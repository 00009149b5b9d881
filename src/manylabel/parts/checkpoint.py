"""Writing state to disk without pickle: tensors to safetensors, the rest to json, each file whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from manylabel.parts.files import write_bytes, write_text


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Replace a safetensors file in one step."""
    write_bytes(path, to_bytes({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}))


def flatten(state: Any, prefix: str, tensors: dict[str, Tensor]) -> Any:
    """`state` with every tensor moved into `tensors` and replaced by {"tensor": key}; keys of dicts keep their type.

    >>> tensors = {}
    >>> flatten({"lr": 0.1, "m": torch.zeros(2)}, "opt", tensors)
    {'pairs': [['lr', 0.1], ['m', {'tensor': 'opt.m'}]]}
    """
    if isinstance(state, Tensor):
        tensors[prefix] = state
        return {"tensor": prefix}
    if isinstance(state, dict):
        return {"pairs": [[key, flatten(value, f"{prefix}.{key}", tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        return [flatten(value, f"{prefix}.{i}", tensors) for i, value in enumerate(state)]
    return state


def restore(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `flatten`; tuples come back as lists."""
    if isinstance(skeleton, dict):
        if "tensor" in skeleton:
            return tensors[skeleton["tensor"]]
        return {key: restore(value, tensors) for key, value in skeleton["pairs"]}
    if isinstance(skeleton, list):
        return [restore(value, tensors) for value in skeleton]
    return skeleton


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; the json names the tensor file that belongs to it, and is replaced last."""
    tensors: dict[str, Tensor] = {}
    skeleton = flatten(state, "state", tensors)
    number = state.get("epoch", 0)
    write_tensors(folder / f"state-{number}.safetensors", tensors)
    write_text(folder / "state.json", json.dumps({"tensors": f"state-{number}.safetensors", "state": skeleton}))
    for old in folder.glob("state-*.safetensors"):
        if old.name != f"state-{number}.safetensors":
            old.unlink()


def load(folder: Path) -> dict[str, Any] | None:
    """The last whole checkpoint, or None where there is none."""
    index = folder / "state.json"
    if not index.exists():
        return None
    content = json.loads(index.read_text(encoding="utf-8"))
    return restore(content["state"], load_file(folder / content["tensors"]))


def random_state() -> dict[str, Tensor]:
    """The state of torch's global generators, which dropout and initialisation read."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Tensor]) -> None:
    """Put back what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
