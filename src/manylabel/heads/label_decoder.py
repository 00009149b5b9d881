"""The label decoder of ML-Decoder (Ridnik et al., WACV 2023): queries read patches, groups of classes read queries.

One transformer decoder layer without self-attention, so queries do not interact: each looks at the image by itself,
and a query may be added, dropped or moved without changing what another one gives. Two things follow, which save
work and change no digit:

* outside training with dropout, queries entering the attention are the same for every image, so their norm and their
  projection are computed once a batch, not once an image (with dropout each image has a mask of its own);
* a query none of whose outputs is a class need not be made: 100 queries for 150 classes have 2 outputs each, and
  75 of them serve all classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LabelDecoder(nn.Module):
    """Q1 = LN(Q + Q), Q2 = LN(Q1 + MHA(Q1, F, F)), H = LN(Q2 + FFN(Q2)) for queries Q and patches F.

    Q + Q is what the published code leaves of the decoder's self-attention; only dropout makes it more than a factor
    that the norm takes out again. Norms follow the sums (post-norm) and the feed-forward network has a ReLU.

    Arguments:
        width: d, the tokens' width, a multiple of `heads`.
        heads: number of attention heads.
        hidden: width of the feed-forward network.
        dropout: of the first sum, the attention weights, its output, and both feed-forward layers.

    >>> decoder = LabelDecoder(8, 2, 16)
    >>> decoder(torch.zeros(3, 49, 8), torch.randn(5, 8)).shape  # 3 images of 49 patches, 5 queries
    torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int, hidden: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ffn1, self.ffn2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.qkv.weight)  # torch's own start of multi-head attention, which the authors use
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, patches: Tensor, queries: Tensor) -> Tensor:
        """Patches F (B, P, d) and queries Q (K, d), shared by the batch, to H (B, K, d)."""
        return self.feed(self.attend(patches, queries))

    def attend(self, patches: Tensor, queries: Tensor) -> Tensor:
        """Q2 (B, K, d): what each query found in the patches, with the query itself."""
        batch, width = patches.shape[0], patches.shape[-1]  # not len(): a traced batch has no fixed size
        dropping = self.training and self.drop.p > 0
        queries = queries.expand(batch if dropping else 1, -1, -1)  # (B or 1, K, d)
        queries = self.norm1(queries + self.drop(queries))
        q = self._split(F.linear(queries, self.qkv.weight[:width], self.qkv.bias[:width]))
        k, v = F.linear(patches, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        read = F.scaled_dot_product_attention(
            q.expand(batch, -1, -1, -1), self._split(k), self._split(v), dropout_p=self.drop.p if dropping else 0.0
        )  # (B, heads, K, d / heads)
        return self.norm2(queries + self.drop(self.out(read.transpose(1, 2).flatten(2))))

    def attention(self, patches: Tensor, queries: Tensor) -> Tensor:
        """(B, heads, K, P) weights of the queries on the patches, which sum to 1 along the last axis; no dropout."""
        width = patches.shape[-1]
        q = F.linear(self.norm1(2 * queries), self.qkv.weight[:width], self.qkv.bias[:width])
        k = F.linear(patches, self.qkv.weight[width : 2 * width], self.qkv.bias[width : 2 * width])
        weights = self._split(q[None]) @ self._split(k).transpose(-1, -2) * (width // self.heads) ** -0.5
        return weights.softmax(-1)

    def feed(self, tokens: Tensor) -> Tensor:
        """H (B, K, d) of Q2 (B, K, d)."""
        hidden = self.drop(F.relu(self.ffn1(tokens)))
        return self.norm3(tokens + self.drop(self.ffn2(hidden)))

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, tokens, d) to (B, heads, tokens, d / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class GroupLinear(nn.Module):
    """Group decoding: query k gives the logits of its g = ceil(C / K) classes k * g, ..., k * g + g - 1.

    Where K * g exceeds C the last outputs are dropped, and `queries` counts the ones that are left with a class.

    Arguments:
        classes: C.
        groups: K; more groups than classes count as C.
        width: d, the tokens' width.

    >>> group = GroupLinear(7, 5, 8)
    >>> group.queries, group(torch.zeros(3, 4, 8)).shape  # 2 classes a query: the fifth query would have none
    (4, torch.Size([3, 7]))
    """

    def __init__(self, classes: int, groups: int, width: int) -> None:
        super().__init__()
        per_query = -(-classes // min(groups, classes))  # g
        self.queries = -(-classes // per_query)
        self.weight = nn.Parameter(torch.empty(self.queries, width, per_query))
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.xavier_normal_(self.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """H (B, K, d) to logits (B, C)."""
        logits = torch.einsum("bkd,kdg->bkg", tokens, self.weight)
        return logits.flatten(1)[:, : len(self.bias)] + self.bias
