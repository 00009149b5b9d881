"""Sentence vectors by the text tower of a CLIP model (Radford et al., ICML 2021) through open_clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manylabel.encoders.open_clip import create
from manylabel.encoders.torchvision_repair import import_mended
from manylabel.labels import ManylabelError

DEFAULT = "ViT-B-32-quickgelu/openai"
VOCABULARY = 49408

Embed = Callable[[list[str]], NDArray[np.float32]]


def load_clip(which: str, prompt: str, *, pretrained: bool = True) -> Embed:
    """A function from class names to (n, M) vectors, for the open_clip model NAME/PRETRAINED."""
    model = create(which, pretrained=pretrained)
    hub = which.startswith(("hf-hub:", "local-dir:"))
    tokenizer = import_mended("open_clip", "open_clip").get_tokenizer(which if hub else which.partition("/")[0])
    return embedder(model, tokenizer, prompt)


def embedder(model: Any, tokenizer: Any, prompt: str) -> Embed:
    """As `load_clip`, of a model and tokenizer in hand; refused if they do not belong together.

    A tokenizer fetched without a network can come back all but empty and still answer, so its size is checked.
    """
    size = getattr(tokenizer, "vocab_size", None)
    if size != VOCABULARY:
        raise ManylabelError(
            f"a CLIP tokenizer has {VOCABULARY} tokens, this one has {size}; use a model with CLIP's own"
        )

    def embed(names: list[str]) -> NDArray[np.float32]:
        out = []
        with torch.inference_mode():
            for i in range(0, len(names), 64):
                tokens = tokenizer([prompt.format(n) for n in names[i : i + 64]])
                out.append(model.encode_text(tokens).float())
        return torch.cat(out).numpy()

    return embed
