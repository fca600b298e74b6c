"""Attention's middle: queries, keys and values of all heads in, mixed values out; exact, in two forms.

Both take the relative bias as a view of its diagonals. That view steps forward through memory only with the
keys in reverse, so keys and values are turned round, and no square of biases has to be kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend

SCORES = 2**20  # attention scores in memory at a time: 4 MB stay in the cache
# Up to how many patches torch's own attention, which wants a whole square of biases, is no slower.
AT_ONCE = {torch.float32: 128, torch.bfloat16: 768}


def mix_values(query: Tensor, key: Tensor, value: Tensor, gate: Tensor, bias: Tensor) -> Tensor:
    """Attention with a gated bias, in the faster form.

    Args:
        query: `(batch, heads, patches, head_dim)`, scaled, float32 or bfloat16.
        key: The same.
        value: The same.
        gate: `(batch, heads, patches, 1)`, float32.
        bias: `(heads, patches, patches)`, keys in reverse, float32; see `turn_diagonals`.

    Returns:
        `(batch, patches, heads, head_dim)`, in the precision of the values.
    """
    patches = query.shape[2]
    backwards = torch.arange(patches - 1, -1, -1)
    key, value = (x.index_select(2, backwards) for x in (key, value))
    if patches <= AT_ONCE.get(value.dtype, 0):
        return mix_at_once(query, key, value, gate, bias)
    return mix_by_heads(query.float(), key.float(), value, gate, bias)


def turn_diagonals(diagonals: Tensor, patches: int) -> Tensor:
    """The bias of every pair, keys in reverse: a view of the diagonals, not a square in memory.

    Args:
        diagonals: `(heads, 2 * patches - 1)`, by distance, key minus query, from the lowest.
        patches: How many.

    Returns:
        `(heads, patches, patches)`.
    """
    return diagonals.flip(1).unfold(1, patches, 1)


def mix_at_once(query: Tensor, key: Tensor, value: Tensor, gate: Tensor, bias: Tensor) -> Tensor:
    """All heads of a few clips in torch's own attention; keys and values in reverse."""
    clips = max(1, 4 * SCORES // bias.numel())
    parts = zip(*(torch.split(x, clips) for x in (query, key, value, gate)), strict=True)
    mixed = [attend(q, k, v, attn_mask=g * bias, scale=1.0) for q, k, v, g in parts]
    return torch.cat(mixed).transpose(1, 2)


def mix_by_heads(query: Tensor, key: Tensor, value: Tensor, gate: Tensor, bias: Tensor) -> Tensor:
    """A few heads and queries at a time, so that the scores stay in the cache; keys and values in reverse."""
    batch, heads, patches, head_dim = query.shape
    together = max(1, min(heads, SCORES // patches**2))
    rows = max(1, min(patches, SCORES // patches))
    mixed = value.new_empty(batch, patches, heads, head_dim)
    buffer = query.new_empty(together * rows * patches)
    for clip in range(batch):
        for head in range(0, heads, together):
            of = slice(head, head + together)
            keys, values = key[clip, of].transpose(1, 2), value[clip, of]
            for start in range(0, patches, rows):
                at = slice(start, start + rows)
                queries = query[clip, of, at]
                shape = (*queries.shape[:2], patches)
                scores = buffer[: math.prod(shape)].view(shape)
                torch.bmm(queries, keys, out=scores)
                scores.addcmul_(gate[clip, of, at], bias[of, at])
                torch.softmax(scores, -1, out=scores)
                mixed[clip, at, of] = torch.bmm(scores.to(values.dtype), values).transpose(0, 1)
    return mixed
