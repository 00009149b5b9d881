"""The visual-semantic interaction (VSI) network of CPRFL (Yan et al., ACM MM 2024, eq. 3 to 5).

Patch features and category prompts meet in one transformer; only the prompts' tokens are read afterwards. Three
facts make that much cheaper than running the transformer on all P + C tokens, and change no digit:

* the prompts entering the first layer are the same for every image, so their norm and projections are computed
  once a batch, not once an image;
* the last layer's patch tokens are never read, so in it only the C prompts act as queries, and only they pass
  the output projection and the feed-forward network;
* the scores are dot products with the prompts, p'_i . p_i, so the feed-forward network's last matrix W need not
  be applied to B * C tokens: (W h_i + b) . p_i = h_i . (W' p_i) + b . p_i, with W' p_i once a batch.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class VSILayer(nn.Module):
    """One layer: A = MHSA(LN(Z)), Z' = FFN(LN(A)), with or without residual connections and norms.

    Arguments:
        width: d, the tokens' width.
        heads: number of attention heads.
        head_width: width of each; the inner width heads * head_width need not equal d (the authors' is 2 d).
        hidden: width of the feed-forward network.
        dropout: after the output projection and both feed-forward layers.
        residual: adds Z to A and A to Z'. Neither the article nor the authors' code has it.
        norm: layer norm before attention and feed-forward (the authors' code has it, the article does not).
        scale: what the dot products are divided by the root of: "head" (code) or "model" (article, eq. 3).
        interact: False keeps classes apart: a prompt attends to the patches and itself, patches to patches, so that
            a class's score does not depend on which other classes there are.
    """

    def __init__(
        self, width: int, heads: int, head_width: int, hidden: int, *,
        dropout: float = 0.1, residual: bool = False, norm: bool = True, scale: str = "head",
        interact: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        inner = heads * head_width
        self.heads, self.residual, self.interact = heads, residual, interact
        self.scale = (head_width if scale == "head" else width) ** -0.5
        self.norm1 = nn.LayerNorm(width) if norm else nn.Identity()
        self.qkv = nn.Linear(width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, width)
        self.norm2 = nn.LayerNorm(width) if norm else nn.Identity()
        self.ffn1, self.ffn2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, patches: Tensor, prompts: Tensor, *, last: bool) -> tuple[Tensor, Tensor]:
        """Attention on patches (B, P, d) and prompts (C, d), shared by the batch, or (B, C, d); patches are fed too.

        Returns the new patches (B, P, d), as they came with `last`, and the prompts A (B, C, d), yet to be fed.
        """
        q, k, v = self._project(self.norm1(prompts), queries=True)
        q_patch, k_patch, v_patch = self._project(self.norm1(patches), queries=not last)
        batch = patches.shape[0]
        k = torch.cat([k_patch, k.expand(batch, -1, -1, -1)], dim=2)  # (B, heads, P+C, head_width)
        v = torch.cat([v_patch, v.expand(batch, -1, -1, -1)], dim=2)
        prompts = self._attend(q.expand(batch, -1, -1, -1), k, v, prompts, self._mask(patches, prompts))
        if not last:
            own = slice(None) if self.interact else slice(patches.shape[1])
            patches = self.feed(self._attend(q_patch, k[:, :, own], v[:, :, own], patches))
        return patches, prompts

    def _mask(self, patches: Tensor, prompts: Tensor) -> Tensor | None:
        """(C, P + C) of what prompts may attend to, or None where that is everything."""
        if self.interact:
            return None
        classes = prompts.shape[-2]
        itself = torch.eye(classes, dtype=torch.bool, device=prompts.device)
        return torch.cat([itself.new_ones(classes, patches.shape[1]), itself], dim=1)

    def _project(self, tokens: Tensor, *, queries: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B or 1, heads, tokens, head_width); without `queries` the first is empty."""
        weight = self.qkv.weight if queries else self.qkv.weight[self.qkv.out_features // 3 :]
        parts = F.linear(tokens if tokens.dim() == 3 else tokens[None], weight)
        split = parts.unflatten(-1, (3 if queries else 2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return (split[0], split[1], split[2]) if queries else (split[0][:, :, :0], split[0], split[1])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.scale)  # eq. 3 and 4
        a = self.drop(self.out(attended.transpose(1, 2).flatten(2)))  # (B, tokens, d)
        return a + tokens if self.residual else a

    def feed(self, a: Tensor) -> Tensor:
        """Z' (B, tokens, d) of A, eq. 5."""
        z = self.drop(self.ffn2(self._hidden(a)))
        return z + a if self.residual else z

    def _hidden(self, a: Tensor) -> Tensor:
        return self.drop(F.gelu(self.ffn1(self.norm2(a))))  # (B, tokens, hidden)

    def feed_and_dot(self, a: Tensor, prompts: Tensor) -> Tensor:
        """(B, C) dot products of fed tokens A (B, C, d) with prompts (C, d), W folded into the prompts where it can be.

        It cannot with a residual, and not while dropout is active behind W.
        """
        if self.residual or (self.training and self.drop.p > 0):
            return torch.einsum("bcd,cd->bc", self.feed(a), prompts)
        return torch.einsum("bch,ch->bc", self._hidden(a), prompts @ self.ffn2.weight) + prompts @ self.ffn2.bias

    def attention(self, patches: Tensor, prompts: Tensor) -> Tensor:
        """(B, heads, C, P + C) weights of the prompts on all tokens, which sum to 1 along the last axis."""
        q, k, _ = self._project(self.norm1(prompts), queries=True)
        _, k_patch, _ = self._project(self.norm1(patches), queries=False)
        k = torch.cat([k_patch, k.expand(len(patches), -1, -1, -1)], dim=2)
        weights = q @ k.transpose(-1, -2) * self.scale
        mask = self._mask(patches, prompts)
        return (weights if mask is None else weights.masked_fill(~mask, -torch.inf)).softmax(-1)


class VSI(nn.Module):
    """`depth` VSI layers; returns the refined prompts P' (B, C, d). Arguments as for `VSILayer`."""

    def __init__(
        self, width: int, heads: int, head_width: int, hidden: int, *,
        depth: int = 1, dropout: float = 0.1, residual: bool = False, norm: bool = True, scale: str = "head",
        interact: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = nn.ModuleList(
            VSILayer(
                width, heads, head_width, hidden, dropout=dropout, residual=residual, norm=norm, scale=scale,
                interact=interact,
            )
            for _ in range(depth)
        )  # fmt: skip

    def forward(self, patches: Tensor, prompts: Tensor) -> Tensor:
        """Patches (B, P, d) and prompts (C, d) to refined prompts P' (B, C, d)."""
        a, last = self._attended(patches, prompts)
        return last.feed(a)

    def scores(self, patches: Tensor, prompts: Tensor) -> Tensor:
        """(B, C) dot products p'_i . p_i, without forming P'."""
        a, last = self._attended(patches, prompts)
        return last.feed_and_dot(a, prompts)

    def attention(self, patches: Tensor, prompts: Tensor) -> Tensor:
        """(B, C, P) weights of each prompt on the patches in the last layer, the mean over its heads.

        What is missing to a sum of 1 is the prompts' attention to prompts.
        """
        patches, prompts, last = self._before_last(patches, prompts)
        return last.attention(patches, prompts).mean(1)[..., : patches.shape[1]]

    def _attended(self, patches: Tensor, prompts: Tensor) -> tuple[Tensor, VSILayer]:
        """The prompts' A (B, C, d) of the last layer, and that layer, which is to feed them."""
        patches, prompts, last = self._before_last(patches, prompts)
        return last(patches, prompts, last=True)[1], last

    def _before_last(self, patches: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor, VSILayer]:
        """What enters the last layer, and that layer."""
        *before, last = cast(list[VSILayer], list(self.layers))
        for layer in before:
            patches, a = layer(patches, prompts, last=False)
            prompts = layer.feed(a)
        return patches, prompts, last
