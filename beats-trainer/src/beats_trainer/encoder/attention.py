"""Self-attention with BEATs' gated relative position bias."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.fast.structure import as_built

GATE_UNITS = 8  # outputs of grep_linear: two gates, each the sum of four


@as_built
class BiasTable(nn.Module):
    """The relative biases of all layers, `(buckets, heads)`.

    Not an `nn.Embedding`: to initialise one without memory, torch imports its compiler, which takes a second.
    """

    def __init__(self, buckets: int, heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(buckets, heads))


@as_built
class Attention(nn.Module):
    """Multi-head self-attention; the relative bias is scaled by gates that each query computes."""

    def __init__(self, config: BEATsConfig, *, owns_table: bool) -> None:
        super().__init__()
        dim, self.heads = config.encoder_embed_dim, config.encoder_attention_heads
        self.dropout = config.attention_dropout
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.grep_linear = nn.Linear(config.head_dim, GATE_UNITS)
        self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))
        if owns_table:
            self.relative_attention_bias = BiasTable(config.num_buckets, self.heads)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """`(batch, patches, dim)` and `(heads, patches, patches)` -> `(batch, patches, dim)`."""
        query, key, value = (self._split(p(hidden)) for p in (self.q_proj, self.k_proj, self.v_proj))
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=(self.gate(query) * bias).to(query.dtype),
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def gate(self, query: Tensor) -> Tensor:
        """`(batch, heads, patches, head_dim)` -> `(batch, heads, patches, 1)`."""
        units = self.grep_linear(query)
        units = units.reshape(*units.shape[:-1], 2, GATE_UNITS // 2).sum(-1)
        update, reset = units.sigmoid().chunk(2, dim=-1)
        return update * (reset * self.grep_a - 1.0) + 2.0  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def pairwise_bias(table: Tensor, patches: int, max_distance: int) -> Tensor:
    """The relative bias of every pair of patches: `(buckets, heads)` -> `(heads, patches, patches)`."""
    position = torch.arange(patches, device=table.device)
    distance = position.unsqueeze(0) - position.unsqueeze(1)
    return functional.embedding(distance_buckets(distance, table.shape[0], max_distance), table).permute(
        2, 0, 1
    )


def diagonal_bias(table: Tensor, patches: int, max_distance: int) -> Tensor:
    """The bias by distance, key minus query, from -(patches - 1) up: `(heads, 2 * patches - 1)`."""
    distance = torch.arange(1 - patches, patches, device=table.device)
    return functional.embedding(
        distance_buckets(distance, table.shape[0], max_distance), table
    ).T.contiguous()


def distance_buckets(distance: Tensor, n_buckets: int, max_distance: int) -> Tensor:
    """T5's buckets: half for each sign, exact when near, logarithmic when far; the shape of `distance`."""
    half, exact = n_buckets // 2, n_buckets // 4
    near = distance.abs()
    far = (near.clamp(min=1).float() / exact).log() / math.log(max_distance / exact) * (half - exact)
    far = (exact + far.clamp(min=0).long()).clamp(max=half - 1)
    return torch.where(near < exact, near, far) + half * (distance > 0)
