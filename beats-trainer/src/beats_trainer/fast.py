"""The encoder on a CPU while inferring: the same numbers as `model`, from fused and laid-out weights.

Exact rearrangements only: one product for queries, keys, values and gates; 1/sqrt(head) and DeepNorm's scale
folded into weights (a layer norm does not see a common scale but through its epsilon, which is scaled along);
the positional convolution through the FFT; the relative bias read along its diagonals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.attention import GATE_UNITS, Attention, diagonals
from beats_trainer.config import BEATsConfig
from beats_trainer.convolution import BlockConvolution
from beats_trainer.kernels import choice, linear
from beats_trainer.memory import release_weights
from beats_trainer.mixing import mix, turned

if TYPE_CHECKING:
    from beats_trainer.encoder import Layer
    from beats_trainer.model import BEATs

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class FastNorm:
    """A layer norm whose input was divided by a scale."""

    def __init__(self, norm: nn.LayerNorm, scale: float = 1.0) -> None:
        self.shape, self.weight, self.bias = norm.normalized_shape, norm.weight, norm.bias
        self.eps = norm.eps / scale**2

    def __call__(self, x: Tensor) -> Tensor:
        """`(..., dim)` -> `(..., dim)`."""
        return functional.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


class FastAttention:
    """Queries, keys, values and gates in one product."""

    def __init__(self, attention: Attention, config: BEATsConfig, dtype: torch.dtype) -> None:
        self.heads, self.head_dim = attention.heads, config.head_dim
        self.max_distance = config.max_distance
        self.grep_a = attention.grep_a.view(1, 1, -1)
        self.project = linear(*_fused(attention, config), dtype)
        scale = config.residual_scale
        self.out = linear(attention.out_proj.weight / scale, attention.out_proj.bias / scale, dtype)

    def __call__(self, x: Tensor, bias: Tensor, batch: int) -> Tensor:
        """`(batch * patches, dim)` and `(heads, patches, patches)` -> input plus attended, over the scale."""
        dim = x.shape[1]
        projected = self.project(x).view(batch, -1, 3 * dim + 2 * self.heads)
        query, key, value = (self._by_head(projected[..., i * dim : (i + 1) * dim]) for i in range(3))
        mixed = mix(query, key, value, self._gate(projected[..., 3 * dim :]), bias)
        return self.out(mixed.reshape(x.shape), add=x)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)

    def _gate(self, units: Tensor) -> Tensor:
        """`(batch, patches, 2 * heads)` -> `(batch, heads, patches, 1)`."""
        update, reset = units.float().sigmoid().chunk(2, dim=-1)
        return (update * (reset * self.grep_a - 1.0) + 2.0).transpose(1, 2).unsqueeze(-1)


class FastLayer:
    """One transformer layer."""

    def __init__(self, layer: Layer, config: BEATsConfig, dtype: torch.dtype) -> None:
        scale = config.residual_scale
        self.attention = FastAttention(layer.self_attn, config, dtype)
        self.attention_norm = FastNorm(layer.self_attn_layer_norm, scale)
        self.fc1 = linear(layer.fc1.weight, layer.fc1.bias, dtype)
        self.fc2 = linear(layer.fc2.weight / scale, layer.fc2.bias / scale, dtype)
        self.final_norm = FastNorm(layer.final_layer_norm, scale)

    def __call__(self, x: Tensor, bias: Tensor, batch: int) -> Tensor:
        """`(batch * patches, dim)` -> `(batch * patches, dim)`."""
        x = self.attention_norm(self.attention(x, bias, batch))
        return self.final_norm(self.fc2(self.fc1(x, gelu=True), add=x))


class FastEncoder:
    """All of it, from filter bank to layers."""

    def __init__(self, model: BEATs, dtype: torch.dtype = torch.float32) -> None:
        self.config, encoder = model.config, model.encoder
        self.embed = linear(model.patch_embedding.weight.flatten(1), None)
        self.embed_norm = FastNorm(model.layer_norm)
        self.project = linear(model.post_extract_proj.weight, model.post_extract_proj.bias)
        position = encoder.position
        self.convolution = BlockConvolution(position.weight(), position.bias)
        self.norm = FastNorm(encoder.layer_norm)
        self.table = encoder.table
        self.layers = [self._laid_out(cast("Layer", layer), dtype) for layer in encoder.layers]

    def _laid_out(self, layer: Layer, dtype: torch.dtype) -> FastLayer:
        """The original's weights leave the memory layer by layer, so that it never holds two whole copies."""
        fast = FastLayer(layer, self.config, dtype)
        release_weights(layer.parameters())
        return fast

    def __call__(self, energies: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """`(batch, frames, 128)` -> the layers wanted, in ascending order, each `(batch, patches, dim)`."""
        batch = len(energies)
        x = self.project(self.embed_norm(self.embed(self._patches(energies))))
        x = x.view(batch, -1, x.shape[-1])
        x = self.norm(x + functional.gelu(self.convolution(x)))
        kept = [x] if 0 in wanted else []
        shape, bias = x.shape, self._bias(x.shape[1])
        x = x.view(-1, shape[-1])
        for number, layer in enumerate(self.layers[: max(wanted)], 1):
            x = layer(x, bias, batch)
            kept += [x.view(shape)] if number in wanted else []
        return kept

    def _patches(self, energies: Tensor) -> Tensor:
        """`(batch, frames, 128)` -> `(batch * patches, 256)`."""
        side, rows = self.config.input_patch_size, self.config.rows
        columns = energies.shape[1] // side
        squares = energies[:, : columns * side].reshape(-1, columns, side, rows, side)
        return squares.transpose(2, 3).reshape(-1, side * side)

    def _bias(self, patches: int) -> Tensor:
        """The relative bias of every pair, keys in reverse: `(heads, patches, patches)`."""
        return turned(diagonals(self.table, patches, self.config.max_distance), patches)


def _fused(attention: Attention, config: BEATsConfig) -> tuple[Tensor, Tensor]:
    """Weight `(3 * dim + 2 * heads, dim)` and bias: scaled queries, keys, values, first and second gates."""
    scale = config.head_dim**-0.5
    query, key, value = attention.q_proj, attention.k_proj, attention.v_proj
    by_head = (attention.heads, config.head_dim)
    sums = attention.grep_linear.weight.view(2, GATE_UNITS // 2, -1).sum(1)  # (2, head_dim)
    gates = torch.einsum("gd,hdi->ghi", sums, query.weight.view(*by_head, -1)).flatten(0, 1)
    constant = attention.grep_linear.bias.view(2, -1).sum(1, keepdim=True)
    gates_bias = (sums @ query.bias.view(by_head).T + constant).flatten()
    weight = torch.cat([query.weight * scale, key.weight, value.weight, gates])
    return weight, torch.cat([query.bias * scale, key.bias, value.bias, gates_bias])


_encoders: WeakKeyDictionary[nn.Module, tuple[object, FastEncoder | None]] = WeakKeyDictionary()


def fast_encoder(model: BEATs) -> FastEncoder | None:
    """The fast form of a model as it is now; nothing where only the plain form is right."""
    if not _may_be_fast(model):
        return None
    dtype = DTYPES[model.precision]
    key = (dtype, choice(dtype), tuple((id(p), p.data_ptr(), _version(p)) for p in model.parameters()))
    cached = _encoders.get(model)
    if cached is None or cached[0] != key:
        with torch.inference_mode(mode=False), torch.no_grad():
            cached = key, FastEncoder(model, dtype) if _is_plain(model) else None
        _encoders[model] = cached
    return cached[1]


def _may_be_fast(model: BEATs) -> bool:
    weight = model.layer_norm.weight
    return not (
        model.training
        or torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or weight.device.type != "cpu"
        or weight.dtype != torch.float32
        or any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())  # noqa: SLF001
    )


def _is_plain(model: BEATs) -> bool:
    """Whether every part is what it was built as: adapters and parametrizations go through the plain form."""
    known = {nn.Linear, nn.LayerNorm, nn.Conv2d, nn.Sequential, nn.ModuleList}
    return all(type(m) in known or type(m).__module__.startswith("beats_trainer.") for m in model.modules())


def _version(parameter: Tensor) -> int:
    return 0 if parameter.is_inference() else parameter._version  # noqa: SLF001
